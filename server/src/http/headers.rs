//! What every answer carries, and what plain HTTP may still do once there is HTTPS. Here: the headers that tell a browser
//! what the console never does; the way from http:// to https://; the authority's certificate, for who has to install it.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::App;
use super::error::Problem;
use super::listen::Door;
use crate::https::Source;

/// Where the authority's certificate is.
pub(super) const AUTHORITY: &str = "/.well-known/loa-authority.crt";

/// On every answer, unless it says otherwise itself.
const STRICT: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // The console's own pages bring theirs; nothing else is a page.
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        // Only what every browser knows by name: of others they complain.
        "microphone=(self), camera=(self), serial=(self), usb=(self), autoplay=(self), fullscreen=(self), \
         publickey-credentials-get=(self), publickey-credentials-create=(self), geolocation=(self), payment=(), midi=(), \
         accelerometer=(), gyroscope=(), magnetometer=(), display-capture=()",
    ),
];
/// A year (RFC 6797), for this name alone.
const HSTS: &str = "max-age=31536000";

/// Puts the headers on.
pub(super) async fn strict(State(app): State<App>, request: Request, next: Next) -> Response {
    let tls = request.extensions().get() == Some(&Door::Tls);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in STRICT {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let source = app.parts.https.as_ref().map(|https| https.keeper.source());
    // Where browsers do not believe the certificate by themselves, this would shut people out for good.
    if tls && matches!(source, Some(Source::Given | Source::Public)) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    response
}

/// Shows who comes by plain HTTP from elsewhere the way to HTTPS, once there is one.
pub(super) async fn door(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(https) = &app.parts.https else {
        return next.run(request).await;
    };
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let from_here = peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    let path = request.uri().path();
    // These have rules of their own, or are for who cannot use HTTPS yet.
    let open = ["/metrics", "/healthz", AUTHORITY].contains(&path);
    if request.extensions().get() == Some(&Door::Tls) || from_here || open {
        return next.run(request).await;
    }
    app.counters.plain.add();
    let looks = [Method::GET, Method::HEAD].contains(request.method()) && !path.starts_with("/api/");
    let to = looks.then(|| elsewhere(app.parts.config.public_url.as_deref(), https.port, &request));
    match to.flatten() {
        Some(to) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response(),
        None => {
            let vi = format!("Chỉ phục vụ qua HTTPS (cổng {}).", https.port);
            let en = format!("Served by HTTPS only (port {}).", https.port);
            Problem::new(StatusCode::FORBIDDEN, "https_required", vi, en).into_response()
        }
    }
}

/// The same by HTTPS.
fn elsewhere(public_url: Option<&str>, port: u16, request: &Request) -> Option<HeaderValue> {
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let base = match public_url.filter(|url| url.starts_with("https://")) {
        Some(url) => url.to_owned(),
        None => {
            let host = host(request.headers(), request.uri())?;
            match port {
                443 => format!("https://{host}"),
                _ => format!("https://{host}:{port}"),
            }
        }
    };
    HeaderValue::try_from(base + path).ok()
}

/// The host that was asked, without its port.
fn host(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let said = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority: axum::http::uri::Authority = said.or(uri.host())?.parse().ok()?;
    let host = authority.host();
    let fits = |c: u8| c.is_ascii_alphanumeric() || b".-:[]".contains(&c);
    (!host.is_empty() && host.bytes().all(fits)).then(|| host.to_owned())
}

/// The certificate of the authority that signed the server's own, for who has to install it.
pub(super) async fn authority(State(app): State<App>) -> Response {
    let der = app.parts.https.as_ref().and_then(|https| https.authority.clone());
    match der {
        Some(der) => {
            let kind = (header::CONTENT_TYPE, "application/x-x509-ca-cert");
            let name = (
                header::CONTENT_DISPOSITION,
                "attachment; filename=\"loa-authority.crt\"",
            );
            ([kind, name], der).into_response()
        }
        None => Problem::missing("address").into_response(),
    }
}
