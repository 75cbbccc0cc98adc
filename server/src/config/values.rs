//! Values as they are written in settings. Here: reading each kind, and saying what would be right. Not here: which key is
//! of which kind.

use std::net::SocketAddr;
use std::str::FromStr;

use serde_json::Value;

use super::{Audience, MqttUrl};
use crate::speech::Language;

pub(super) fn parse<T: FromStr>(text: &str, right: &str) -> Result<T, String> {
    text.parse().map_err(|_| right.to_owned())
}

pub(super) fn some<'a>(text: &'a str, right: &str) -> Result<&'a str, String> {
    if text.is_empty() {
        Err(right.to_owned())
    } else {
        Ok(text)
    }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".into()),
    }
}

pub(super) fn within(text: &str, least: u64, most: u64, unit: &str) -> Result<u64, String> {
    let right = || match most {
        u64::MAX => format!("a whole number of {unit}, at least {least}"),
        _ => format!("a whole number of {unit} from {least} to {most}"),
    };
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(right)
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    Ok(within(text, 1, 65_535, "port")? as u16)
}

/// A host name or an address; otherwise what would be right.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= loa_protocol::enrolment::MAX_HOST
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b':'));
    if fits {
        Ok(text.into())
    } else {
        Err("a host name or an address, without port".into())
    }
}

pub(super) fn mqtt_url(text: &str) -> Option<MqttUrl> {
    let (tls, rest) = match text.split_once("://")? {
        ("mqtt", rest) => (false, rest),
        ("mqtts", rest) => (true, rest),
        _ => return None,
    };
    let (credentials, place) = rest
        .trim_end_matches('/')
        .rsplit_once('@')
        .unwrap_or(("", rest.trim_end_matches('/')));
    let (username, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, port.parse().ok().filter(|port| *port > 0)?),
        _ => (place, if tls { 8883 } else { 1883 }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(MqttUrl {
        tls,
        host: self::host(host).ok()?,
        port,
        username: unescape(username)?,
        password: unescape(password)?,
    })
}

/// Percent-encoding (RFC 3986 §2.1) undone.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |c: Option<u8>| (c? as char).to_digit(16);
                (digit(rest.next())? << 4 | digit(rest.next())?) as u8
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A URL of HTTPS.
pub(super) fn https_url(text: &str) -> Result<String, String> {
    let fits = text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()) && text.is_ascii();
    fits.then(|| text.to_owned())
        .ok_or_else(|| "a URL that begins with https://".into())
}

/// Who a provider of sign-in says that it is: a URL without question mark and fragment.
pub(super) fn issuer(text: &str) -> Result<String, String> {
    let known = ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme));
    let bare = |url: url::Url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    match known && text.parse().is_ok_and(bare) {
        true => Ok(text.into()),
        false => Err("the provider's issuer, a URL that begins with https://".into()),
    }
}

/// Words without blanks, separated by commas.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let one = |word: &str| {
        let word = word.trim();
        let fits = !word.is_empty() && word.bytes().all(|c| c.is_ascii_graphic());
        fits.then(|| word.to_owned())
    };
    text.split(',')
        .map(one)
        .collect::<Option<_>>()
        .ok_or_else(|| "values without blanks, separated by commas".into())
}

/// Host names, separated by commas: no addresses, no wildcards.
pub(super) fn domains(text: &str) -> Result<Vec<String>, String> {
    let right = "host names separated by commas, such as loa.example";
    let one = |name: &str| {
        let name = host(name.trim()).ok()?.to_ascii_lowercase();
        let is_address = name.parse::<std::net::IpAddr>().is_ok() || name.contains(':');
        (!is_address).then_some(name)
    };
    text.split(',')
        .map(one)
        .collect::<Option<_>>()
        .ok_or_else(|| right.into())
}

/// E-mail addresses, separated by commas.
pub(super) fn addresses(text: &str) -> Result<Vec<String>, String> {
    let one = |it: &str| {
        let it = it.trim();
        let (name, place) = it.split_once('@')?;
        let fits = !name.is_empty() && !place.is_empty() && it.bytes().all(|c| c.is_ascii_graphic());
        fits.then(|| it.to_owned())
    };
    let right = "e-mail addresses separated by commas, such as it@commune.example";
    text.split(',')
        .map(one)
        .collect::<Option<_>>()
        .ok_or_else(|| right.into())
}

/// Who may ask.
pub(super) fn audience(text: &str) -> Result<Audience, String> {
    match text {
        "loopback" => Ok(Audience::Loopback),
        "all" => Ok(Audience::All),
        _ => Err("loopback or all".into()),
    }
}

/// A URL of HTTP or HTTPS.
pub(super) fn http_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).ok();
    let fits = url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    fits.then(|| text.to_owned())
        .ok_or_else(|| "a URL that begins with http:// or https://".into())
}

/// Tags of languages, separated by commas.
pub(super) fn languages(text: &str) -> Result<Vec<Language>, String> {
    let all: Option<_> = text.split(',').map(|tag| Language::parse(tag.trim())).collect();
    all.ok_or_else(|| "tags of languages separated by commas, such as vi,en".into())
}

/// JSON that holds what a service is sent.
pub(super) fn template(text: &str) -> Result<Value, String> {
    let right = r#"JSON with {text} in a string, such as {"text": "{text}", "lang": "{language}"}"#;
    let value = serde_json::from_str(text).ok();
    value.filter(|_| text.contains("{text}")).ok_or_else(|| right.into())
}

/// An address and a port, or nowhere.
pub(super) fn listen_or_off(text: &str, example: &str) -> Result<Option<SocketAddr>, String> {
    match text {
        "off" => Ok(None),
        _ => Ok(Some(parse(
            text,
            &format!("an address and a port, such as {example}, or off"),
        )?)),
    }
}

/// A loudness that programmes can have.
pub(super) fn loudness(text: &str) -> Result<i8, String> {
    let right = || "a whole number of LUFS from -30 to -10, or off".to_owned();
    text.parse()
        .ok()
        .filter(|lufs| (-30..=-10).contains(lufs))
        .ok_or_else(right)
}

/// A limit; 0: none.
pub(super) fn limit(text: &str, unit: &str) -> Result<u32, String> {
    Ok(within(text, 0, 1_000_000, unit)? as u32)
}
