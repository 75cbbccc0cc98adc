//! The console's files. Here: `web-console/build`, embedded when the server was built, and the one page for every other
//! address. Without a build there is a page that says how to make one.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../web-console/build"]
struct Console;

/// Shown while there is no console.
const ABSENT: &str = "<!doctype html><html lang=\"vi\"><meta charset=\"utf-8\"><title>Loa</title>\
    <h1>Loa</h1><p>Máy chủ đang chạy, nhưng được biên dịch khi chưa có trang điều khiển. Hãy chạy \
    <code>npm ci &amp;&amp; npm run build</code> trong <code>web-console</code>, rồi biên dịch lại máy chủ.</p>\
    <p lang=\"en\">The server runs, but was built without the console. Run \
    <code>npm ci &amp;&amp; npm run build</code> in <code>web-console</code>, then build the server again.</p></html>";

/// What the page may do, as a header: what its own tag says, which holds the digests of its scripts from when it was built,
/// and what no tag can say.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let page = Console::get("index.html")?;
    let page = std::str::from_utf8(&page.data).ok()?;
    let (_, tag) = page.split_once("http-equiv=\"content-security-policy\" content=\"")?;
    let (policy, _) = tag.split_once('"')?;
    HeaderValue::try_from(format!("{policy}; frame-ancestors 'none'")).ok()
});

/// Gives the file of that address, or the page.
pub(super) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if let Some(file) = Some(path).filter(|path| !path.is_empty()).and_then(Console::get) {
        let for_ever = path.starts_with("_app/immutable/");
        return give(path, file, for_ever, &headers);
    }
    if path.starts_with("_app/") {
        // A file of another build: the page in its place would be taken for a script.
        return StatusCode::NOT_FOUND.into_response();
    }
    match Console::get("index.html") {
        Some(page) => give("index.html", page, false, &headers),
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], ABSENT).into_response(),
    }
}

fn give(path: &str, file: EmbeddedFile, for_ever: bool, headers: &HeaderMap) -> Response {
    // Compressed once, as well as can be, when the console was built; what is not (fonts are already) goes as it is.
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let takes = accepted.is_some_and(|accepted| accepted.split(',').any(|one| one.trim() == "br"));
    let small = takes.then(|| Console::get(&format!("{path}.br"))).flatten();
    let is_small = small.is_some();
    let file = small.unwrap_or(file);
    let tag: [u8; 64] = loa_protocol::id::hex(&file.metadata.sha256_hash());
    let tag = format!("\"{}\"", String::from_utf8_lossy(&tag[..32]));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if same {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(file.data.into_owned()))
    };
    let cache = if for_ever {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(path)));
    if let Some(policy) = &*POLICY {
        answer.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_small {
        answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    answer.insert(header::ETAG, HeaderValue::from_str(&tag).expect("hexadecimal digits"));
    response
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
