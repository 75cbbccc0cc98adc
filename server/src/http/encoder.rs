//! Encoders that bring live sound by Icecast's source protocol: ffmpeg, BUTT, OBS and their like. Here: a listener of its own, since what
//! they send has a head like HTTP's and a body without any length, which no HTTP server takes; who they are; and their sound, into the
//! studio. Not here: what becomes of it (`playout::Studio`).
//!
//! `PUT /AREA` (or `SOURCE`), with any user name and an API token as the password; the area, by its identifier, is where it sounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use loa_protocol::AreaId;
use loa_protocol::precedence::Class;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::App;
use super::error::{Answer, Problem};
use super::{bearer, live};
use crate::media::live::{Depth, Wire};
use crate::media::relay::{Outlet, decode, inflow};
use crate::store::{Source, Target};

/// Longest head, in bytes, and how long it may take.
const HEAD: usize = 8 << 10;
const PATIENCE: Duration = Duration::from_secs(10);
/// Who sends nothing for so long is gone.
const QUIET: Duration = Duration::from_secs(10);
/// Encoders at once.
const MOST: usize = 64;
/// Longest answer, in bytes.
const ANSWER: usize = 64 << 10;

/// Where encoders connect.
pub struct Encoders {
    /// The socket.
    pub socket: TcpListener,
    /// What handlers share.
    pub app: App,
}

/// What an encoder's head says.
struct Head {
    area: AreaId,
    token: String,
    title: Option<String>,
    /// It waits to be told to go on.
    expects: bool,
}

impl Encoders {
    /// Serves until shutdown.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut open = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                _ = shutdown.wait_for(|ending| *ending) => break,
                Some(_) = open.join_next(), if !open.is_empty() => continue,
                accepted = self.socket.accept(), if open.len() < MOST => accepted,
            };
            match accepted {
                Ok((stream, peer)) => _ = open.spawn(serve(self.app.clone(), stream, peer)),
                Err(error) => {
                    tracing::warn!(%error, "an encoder could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        open.shutdown().await;
    }
}

async fn serve(app: App, mut stream: TcpStream, peer: SocketAddr) {
    let mut bytes = BytesMut::new();
    let begun = match timeout(PATIENCE, begin(&app, &mut stream, &mut bytes, peer)).await {
        Ok(begun) => begun,
        Err(_) => return app.counters.slow_heads.add(),
    };
    match begun {
        Ok((wire, expects)) => {
            let go_on: &[u8] = match expects {
                true => b"HTTP/1.1 100 Continue\r\n\r\n",
                false => b"HTTP/1.0 200 OK\r\n\r\n",
            };
            if stream.write_all(go_on).await.is_ok() {
                attend(&mut stream, bytes.freeze(), wire).await;
                // Mostly they are gone by now.
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").await;
            }
        }
        Err(problem) => {
            tracing::debug!(%peer, ?problem, "an encoder was refused");
            let answer = written(problem.into_response()).await;
            // Who is refused may not listen.
            let _ = timeout(PATIENCE, stream.write_all(&answer)).await;
        }
    }
}

/// Reads the head and takes the studio; what came behind the head stays in `bytes`.
async fn begin(app: &App, stream: &mut TcpStream, bytes: &mut BytesMut, peer: SocketAddr) -> Answer<(Arc<Wire>, bool)> {
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break bytes.split_to(end + 4);
        }
        if bytes.len() > HEAD {
            return Err(Problem::bad_request("the head is too long"));
        }
        match stream.read_buf(bytes).await {
            Ok(0) | Err(_) => return Err(Problem::bad_request("cut off")),
            Ok(_) => {}
        }
    };
    let head = Head::parse(&head)?;
    let caller = bearer::caller(app, &head.token, peer.ip().to_canonical().to_string()).await?;
    let target = Target {
        areas: vec![head.area],
        receivers: Vec::new(),
    };
    let title = head.title.unwrap_or_else(|| "Phát trực tiếp".into());
    let source = Source::Microphone {
        chime: false,
        bed: Vec::new(),
    };
    let broadcast = live::begin(app, &caller, title, Class::Normal, target, source).await?;
    Ok((app.parts.studio.wire(broadcast.id), head.expects))
}

/// Brings what comes to the studio until it ends.
async fn attend(stream: &mut TcpStream, first: Bytes, wire: Arc<Wire>) {
    let plug = wire.plug(Depth::ENCODER);
    let (outlet, inflow) = inflow();
    let to = wire.clone();
    let decoding = tokio::task::spawn_blocking(move || decode(inflow, |pcm| to.offer(plug, pcm)));
    let ended = pass_on(stream, first, outlet).await;
    match decoding.await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::warn!(why, "what an encoder sends cannot be decoded"),
        Err(error) => tracing::error!(%error, "decoding was broken off"),
    }
    match ended {
        true => wire.finish(),
        false => wire.unplug(plug, "the line was lost"),
    }
}

/// Until nothing comes any more; whether it was ended in order.
async fn pass_on(stream: &mut TcpStream, first: Bytes, outlet: Outlet) -> bool {
    let mut bytes = BytesMut::from(first);
    loop {
        if !bytes.is_empty() && !outlet.send(bytes.split().freeze()).await {
            return true;
        }
        bytes.reserve(4096);
        match timeout(QUIET, stream.read_buf(&mut bytes)).await {
            Ok(Ok(0)) => return true,
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return false,
        }
    }
}

impl Head {
    fn parse(head: &[u8]) -> Answer<Self> {
        // What older encoders say in place of HTTP's version.
        let text = String::from_utf8_lossy(head).replacen(" ICE/1.0\r\n", " HTTP/1.0\r\n", 1);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(text.as_bytes());
        if !parsed.is_ok_and(|it| it.is_complete()) || !matches!(request.method, Some("PUT" | "SOURCE")) {
            return Err(Problem::bad_request("neither PUT nor SOURCE"));
        }
        let header = |name: &str| {
            let found = request.headers.iter().find(|it| it.name.eq_ignore_ascii_case(name));
            found.and_then(|it| std::str::from_utf8(it.value).ok())
        };
        if header("transfer-encoding").is_some() {
            return Err(Problem::bad_request("a body in chunks; send it as it is"));
        }
        let basic = header("authorization").and_then(|value| value.split_once(' '));
        let basic = basic.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let pair = basic.and_then(|(_, pair)| base64::prelude::BASE64_STANDARD.decode(pair.trim()).ok());
        let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
        let (_, token) = pair
            .as_deref()
            .and_then(|pair| pair.split_once(':'))
            .ok_or_else(Problem::token)?;
        let mount = request.path.unwrap_or_default().trim_start_matches('/');
        Ok(Self {
            area: AreaId::parse(mount.split(['?', '.']).next().unwrap_or_default())
                .ok_or_else(|| Problem::missing("area"))?,
            token: token.to_owned(),
            title: header("ice-name")
                .filter(|name| !name.trim().is_empty())
                .map(str::to_owned),
            expects: header("expect").is_some_and(|it| it.eq_ignore_ascii_case("100-continue")),
        })
    }
}

/// An answer as it goes out.
async fn written(response: Response) -> Vec<u8> {
    let (parts, body) = response.into_parts();
    let status = parts.status;
    let mut text = format!(
        "HTTP/1.0 {} {}\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default()
    );
    if status == StatusCode::UNAUTHORIZED {
        text += &format!("{}: Basic realm=\"loa\"\r\n", header::WWW_AUTHENTICATE);
    }
    text += "content-type: application/json\r\n\r\n";
    let body = to_bytes(body, ANSWER).await.unwrap_or_default();
    [text.as_bytes(), &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: &str = "01890f5e-0000-7000-8000-000000000001";

    fn head(text: &str) -> Answer<Head> {
        Head::parse(text.replace('\n', "\r\n").as_bytes())
    }

    #[test]
    fn what_encoders_say_is_understood() {
        // As ffmpeg writes it; `source:hackme`.
        let ffmpeg = format!(
            "PUT /{AREA} HTTP/1.1\nUser-Agent: Lavf/59.27.100\nAccept: */*\nExpect: 100-continue\nConnection: close\n\
             Host: 127.0.0.1:8000\nContent-Type: audio/mpeg\nIcy-MetaData: 1\nIce-Name: X\u{e3} A\n\
             Authorization: Basic c291cmNlOmhhY2ttZQ==\n\n"
        );
        let got = head(&ffmpeg).unwrap();
        assert_eq!(
            (got.area.to_string().as_str(), got.token.as_str(), got.expects),
            (AREA, "hackme", true)
        );
        assert_eq!(got.title.as_deref(), Some("Xã A"));
        // As older ones do.
        let old = format!("SOURCE /{AREA}.mp3 ICE/1.0\nauthorization: basic c291cmNlOmhhY2ttZQ==\nice-name: \n\n");
        let got = head(&old).unwrap();
        assert_eq!((got.token.as_str(), got.expects, got.title), ("hackme", false, None));
        for wrong in [
            format!("GET /{AREA} HTTP/1.1\n\n"),
            format!("PUT /{AREA} HTTP/1.1\n\n"),
            format!("PUT /{AREA} HTTP/1.1\nAuthorization: Bearer x\n\n"),
            "PUT /live HTTP/1.1\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\n\n".into(),
            format!("PUT /{AREA} HTTP/1.1\nTransfer-Encoding: chunked\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\n\n"),
            "\n\n".into(),
        ] {
            assert!(head(&wrong).is_err(), "{wrong}");
        }
    }
}
