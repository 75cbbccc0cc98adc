//! What may be relayed. Here: addresses of other stations, and where on the network they may lead: whoever makes a broadcast must not
//! reach through the server what only the server reaches. Not here: connecting.
//!
//! By http and https every public address may be relayed, and the hosts that the settings name; names are resolved once, judged, and
//! connected to as they were judged. What only ffmpeg reads resolves names by itself and follows playlists: of that, only named hosts.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use url::{Host, Url};

/// What sound cards are named by, among the hosts that the settings allow.
const ALSA: &str = "alsa";

/// The address of another station.
#[derive(Debug, Clone)]
pub struct Address {
    url: Url,
    /// Hosts that are allowed by name.
    allowed: Arc<[String]>,
}

/// Why an address is not relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRelayed {
    /// It is none.
    #[error("not an address such as https://example.org/radio.mp3")]
    NoAddress,
    /// It names a user and a password.
    #[error("an address must not hold a user name or a password")]
    Credentials,
    /// It begins with something else than what is known.
    #[error("only http, https, rtsp, srt and alsa are relayed")]
    Scheme,
    /// Its host is not one that the settings allow.
    #[error("this kind of stream is relayed only from hosts that the setting relay.allow names")]
    NotAllowed,
    /// It leads into the own network.
    #[error("the address lies in a network of our own; the setting relay.allow names hosts of it that may be relayed")]
    Inside,
}

impl Address {
    /// The address that `text` is, if it may be relayed; what its name resolves to is judged when it is connected to.
    ///
    /// # Errors
    /// Why it may not be relayed.
    pub fn parse(text: &str, allowed: &[String]) -> Result<Self, NotRelayed> {
        let url = Url::parse(text.trim()).map_err(|_| NotRelayed::NoAddress)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotRelayed::Credentials);
        }
        let address = Self {
            url,
            allowed: allowed.into(),
        };
        match address.url.scheme() {
            "alsa" | "rtsp" | "rtsps" | "srt" | "http" | "https" => {}
            _ => return Err(NotRelayed::Scheme),
        }
        if address.url.scheme() != ALSA && address.url.host_str().is_none_or(str::is_empty) {
            return Err(NotRelayed::NoAddress);
        }
        if address.is_for_ffmpeg() && !address.is_allowed() {
            return Err(NotRelayed::NotAllowed);
        }
        let ip = match address.url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        match ip.is_some_and(|ip| !is_public(ip)) && !address.is_allowed() {
            true => Err(NotRelayed::Inside),
            false => Ok(address),
        }
    }

    /// Where a redirect from here leads, if that may be relayed.
    pub(super) fn redirected(&self, to: &str) -> Result<Self, NotRelayed> {
        let url = self.url.join(to).map_err(|_| NotRelayed::NoAddress)?;
        let address = Self::parse(url.as_str(), &self.allowed)?;
        match address.is_for_ffmpeg() {
            true => Err(NotRelayed::Scheme),
            false => Ok(address),
        }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Whether ffmpeg reads it: everything but plain streams by HTTP.
    pub(super) fn is_for_ffmpeg(&self) -> bool {
        let playlist = self.url.path().to_ascii_lowercase().ends_with(".m3u8");
        playlist || !matches!(self.url.scheme(), "http" | "https")
    }

    /// Where its host is, as far as that may be connected to.
    pub(super) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let host = self.url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.url.port_or_known_default().unwrap_or(80);
        let found: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
        if self.is_allowed() {
            return Ok(found);
        }
        let public: Vec<_> = found.into_iter().filter(|at| is_public(at.ip())).collect();
        match public.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::PermissionDenied, NotRelayed::Inside)),
            false => Ok(public),
        }
    }

    fn is_allowed(&self) -> bool {
        let host = match self.url.scheme() {
            ALSA => ALSA,
            _ => self.url.host_str().unwrap_or_default(),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(out)
    }
}

/// Whether it is an address that everybody on the internet reaches.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let reserved = match (a, b, c) {
        (0, ..) | (240.., ..) => true,
        // Carriers' own (RFC 6598), protocols' own (RFC 6890), measurements (RFC 2544).
        (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _) => true,
        _ => false,
    };
    !(reserved
        || ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, .., g, h] = ip.segments();
    let inner = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    if let Some(ip) = ip.to_ipv4_mapped() {
        return is_public_v4(ip);
    }
    match (a, b) {
        // What translators and tunnels lead to.
        (0x64, 0xff9b) => inner(g, h),
        (0x2002, _) => inner(b, ip.segments()[2]),
        // Teredo, documentation.
        (0x2001, 0 | 0xdb8) => false,
        // Only this block is given out to the internet.
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_inside_is_not_relayed() {
        for inside in [
            "http://127.0.0.1/",
            "http://127.1:8080/stream",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0/",
            "http://10.1.2.3/",
            "http://192.168.1.1/",
            "http://172.20.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
        ] {
            assert_eq!(Address::parse(inside, &[]).err(), Some(NotRelayed::Inside), "{inside}");
        }
        for outside in [
            "http://93.184.215.14/",
            "https://[2606:2800::1]:8443/radio",
            "http://radio.example/",
        ] {
            assert!(Address::parse(outside, &[]).is_ok(), "{outside}");
        }
        let allowed = ["127.0.0.1".to_owned(), "::1".to_owned(), "Alsa".to_owned()];
        for named in [
            "http://127.0.0.1:8000/a",
            "http://[::1]/",
            "rtsp://127.0.0.1/x",
            "alsa:hw:0,0",
        ] {
            assert!(Address::parse(named, &allowed).is_ok(), "{named}");
        }
    }

    #[test]
    fn what_ffmpeg_reads_comes_from_named_hosts_alone() {
        for (text, why) in [
            ("https://radio.example/live.m3u8", NotRelayed::NotAllowed),
            ("srt://radio.example:9000", NotRelayed::NotAllowed),
            ("rtsp://93.184.215.14/x", NotRelayed::NotAllowed),
            ("alsa:hw:0", NotRelayed::NotAllowed),
            ("file:///etc/passwd", NotRelayed::Scheme),
            ("concat:a|b", NotRelayed::Scheme),
            ("gopher://radio.example/", NotRelayed::Scheme),
            ("http://a:b@radio.example/", NotRelayed::Credentials),
            ("radio", NotRelayed::NoAddress),
            ("", NotRelayed::NoAddress),
        ] {
            assert_eq!(Address::parse(text, &[]).err(), Some(why), "{text}");
        }
    }

    #[test]
    fn a_redirect_is_judged_as_well() {
        let from = Address::parse("https://radio.example/a/b", &[]).unwrap();
        assert_eq!(from.redirected("../c").unwrap().to_string(), "https://radio.example/c");
        assert_eq!(from.redirected("http://127.0.0.1/").err(), Some(NotRelayed::Inside));
        assert_eq!(from.redirected("file:///etc/passwd").err(), Some(NotRelayed::Scheme));
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_connected_to() {
        let address = Address::parse("http://localhost/", &[]).unwrap();
        let error = address.resolve().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let address = Address::parse("http://localhost/", &["localhost".to_owned()]).unwrap();
        assert!(address.resolve().await.is_ok());
    }
}
