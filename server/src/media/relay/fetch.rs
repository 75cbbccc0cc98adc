//! A stream by HTTP. Here: connecting to what was judged, bounded redirects, what kind it says it is, and that it goes on coming. Not
//! here: decoding.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{self, HeaderValue};
use axum::http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Address, Outlet};

/// Redirects that are followed.
const REDIRECTS: usize = 5;
/// For a connection, and for the head of an answer.
const ANSWER: Duration = Duration::from_secs(4);
/// For more of a stream.
const STALL: Duration = Duration::from_secs(4);

/// Why a stream ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// For this reason.
    Because(String),
    /// Nobody reads it.
    Unread,
}

impl<E: std::error::Error> From<E> for Ended {
    fn from(error: E) -> Self {
        // What is behind it says more than "client error (Connect)".
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = error.to_string();
            source = error.source();
        }
        Self::Because(text)
    }
}

/// Brings what `address` sends to `outlet` until it ends.
pub(super) async fn run(address: &Address, outlet: Outlet) -> Result<(), Ended> {
    // What drives the connections ends with this.
    let mut driving = JoinSet::new();
    let mut body = open(address.clone(), &mut driving).await?;
    loop {
        let frame = timeout(STALL, body.frame()).await.map_err(|_| because("stalled"))?;
        let Some(frame) = frame else { return Ok(()) };
        if let Ok(chunk) = frame?.into_data()
            && !outlet.send(chunk).await
        {
            return Err(Ended::Unread);
        }
    }
}

async fn open(mut address: Address, driving: &mut JoinSet<hyper::Result<()>>) -> Result<Incoming, Ended> {
    for _ in 0..=REDIRECTS {
        let asked = timeout(ANSWER, ask(&address, driving)).await;
        let answer = asked.map_err(|_| because("no answer in time"))??;
        let head = |name| {
            answer
                .headers()
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        match answer.status() {
            StatusCode::OK => {
                let kind = head(header::CONTENT_TYPE).unwrap_or_default();
                return match is_sound(kind) {
                    true => Ok(answer.into_body()),
                    false => Err(because(format!("it is no sound but {kind}"))),
                };
            }
            status if status.is_redirection() => {
                let to = head(header::LOCATION).ok_or_else(|| because("a redirect to nowhere"))?;
                address = address.redirected(to)?;
            }
            status => return Err(because(format!("HTTP {status}"))),
        }
    }
    Err(because("too many redirects"))
}

async fn ask(address: &Address, driving: &mut JoinSet<hyper::Result<()>>) -> Result<hyper::Response<Incoming>, Ended> {
    let url = address.url();
    let stream = TcpStream::connect(&address.resolve().await?[..]).await?;
    let host = url.host_str().unwrap_or_default();
    let name = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let mut sender = match url.scheme() {
        "https" => {
            let config = rustls::ClientConfig::builder()
                .with_platform_verifier()?
                .with_no_client_auth();
            let server = rustls::pki_types::ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
            let tls = tokio_rustls::TlsConnector::from(Arc::new(config));
            handshake(tls.connect(server, stream).await?, driving).await?
        }
        _ => handshake(stream, driving).await?,
    };
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = Request::get(path)
        .header(header::HOST, name)
        .header(header::USER_AGENT, concat!("loa/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "audio/*, application/ogg")
        .body(Empty::<bytes::Bytes>::new())?;
    Ok(sender.send_request(request).await?)
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    driving: &mut JoinSet<hyper::Result<()>>,
) -> hyper::Result<http1::SendRequest<Empty<bytes::Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    driving.spawn(connection);
    Ok(sender)
}

/// Whether a content type may be sound; what it is shows when it is decoded.
fn is_sound(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let playlist = kind.contains("mpegurl") || kind.contains("scpls");
    kind.starts_with("audio/") && !playlist
        || matches!(kind.as_str(), "" | "application/ogg" | "application/octet-stream")
}

fn because(why: impl Into<String>) -> Ended {
    Ended::Because(why.into())
}
