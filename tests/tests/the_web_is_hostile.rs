//! What strangers and dishonest people send to the console's server: sessions chosen for others, requests from other sites, paths that
//! lead elsewhere, text that is SQL, a header, a log line or an address to be fetched. It stays text.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Api, Server, Settings, repository, speech};
use serde_json::{Value, json};

struct Site {
    server: Server,
    api: Api,
    folder: tempfile::TempDir,
}

impl Site {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (server, api) = Server::start(&folder.path().join("data"), Settings::default().host("loa.example"))?;
        Ok(Self { server, api, folder })
    }

    /// Bytes sent as they are, on a connection of their own; what comes back.
    fn raw(&self, request: &str) -> Result<String> {
        let address = self.server.base().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        // A server that slams the door has answered enough.
        let _ = stream.read_to_end(&mut answer);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn get(&self, path: &str) -> Result<String> {
        self.raw(&format!(
            "GET {path} HTTP/1.1\r\nHost: loa.example\r\nConnection: close\r\n\r\n"
        ))
    }

    fn post(&self, path: &str, headers: &str, body: &str) -> Result<String> {
        let length = body.len();
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nHost: loa.example\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn a_session_that_a_stranger_chose_is_never_anybodys() -> Result<()> {
    let site = Site::start()?;
    let chosen = "0123456789abcdef".repeat(4);
    let (username, password) = site.server.administrator();
    let body = json!({ "username": username, "password": password }).to_string();
    let headers = format!("Cookie: loa_session={chosen}\r\nContent-Type: application/json\r\n");
    let answer = site.post("/api/v1/session", &headers, &body)?;
    ensure!(status(&answer) == "200", "{answer}");
    let given = answer
        .lines()
        .find_map(|line| line.split_once("loa_session=")?.1.split(';').next())
        .context("no session was given")?;
    ensure!(given.len() == 64 && given != chosen, "the chosen session was kept");
    for (session, expected) in [(given, "200"), (chosen.as_str(), "401")] {
        let request = format!(
            "GET /api/v1/session HTTP/1.1\r\nHost: loa.example\r\nConnection: close\r\nCookie: loa_session={session}\r\n\r\n"
        );
        ensure!(status(&site.raw(&request)?) == expected);
    }
    Ok(())
}

#[test]
fn another_site_cannot_act_in_somebodys_name() -> Result<()> {
    let site = Site::start()?;
    let (username, password) = site.server.administrator();
    let body = json!({ "username": username, "password": password }).to_string();
    let answer = site.post("/api/v1/session", "Content-Type: application/json\r\n", &body)?;
    let cookie = answer
        .lines()
        .find_map(|line| line.split_once("loa_session=")?.1.split(';').next());
    let cookie = cookie.context("no session")?;
    ensure!(
        answer.contains("SameSite=Strict") && answer.contains("HttpOnly"),
        "{answer}"
    );
    let before = site.api.get("/api/v1/areas")?;
    // What a form or a script of another site can send with the person's cookie, should a browser send it along.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json"] {
        for csrf in ["", "X-Loa-Csrf: \r\n", "X-Loa-Csrf: 0\r\n"] {
            let headers = format!(
                "Cookie: loa_session={cookie}\r\nContent-Type: {kind}\r\nOrigin: https://elsewhere.example\r\n{csrf}"
            );
            let answer = site.post("/api/v1/areas", &headers, r#"{"name":"Xã giả","kind":"commune"}"#)?;
            ensure!(status(&answer) == "403", "{kind} {csrf}: {answer}");
            ensure!(!answer.to_lowercase().contains("access-control-allow"), "{answer}");
        }
    }
    ensure!(site.api.get("/api/v1/areas")? == before);
    Ok(())
}

#[test]
fn no_path_leads_out_of_the_console() -> Result<()> {
    let site = Site::start()?;
    let data = site.folder.path().join("data");
    std::fs::write(data.join("keys").join("canary"), "the canary of the keys")?;
    let up = [
        "..",
        "%2e%2e",
        "..%2f..",
        "%2e%2e%2f",
        "..%5c..",
        "....//",
        "%252e%252e",
        "..%00",
        "..;",
    ];
    let ends = ["etc/passwd", "keys/canary", "data/keys/canary", "loa.db"];
    let begins = [
        "/",
        "/_app/",
        "/_app/immutable/",
        "/api/v1/",
        "/api/v1/bulletins/",
        "/api/",
    ];
    for begin in begins {
        for up in up {
            for end in ends {
                for depth in [1, 3, 8] {
                    let path = format!("{begin}{}{end}", format!("{up}/").repeat(depth));
                    let answer = site.get(&path)?;
                    let out = ["root:x:0", "the canary", "SQLite format"]
                        .iter()
                        .find(|text| answer.contains(**text));
                    ensure!(out.is_none(), "{path} led to {out:?}");
                    ensure!(!status(&answer).starts_with('5'), "{path}: {answer}");
                }
            }
        }
    }
    // Nor does the name of an upload.
    let file = speech::announcement(site.folder.path())?;
    let bytes = std::fs::read(&file)?;
    for name in ["../../keys/evil", "..\\\\evil", "/etc/evil", "evil\0.mp3"] {
        let reply = site.api.upload_bytes(&bytes, name, "Bản tin", "normal")?;
        ensure!(reply.status < 500, "{name:?}: {reply:?}");
    }
    ensure!(
        !names(&data)?.iter().any(|name| name.contains("evil")),
        "a file is called as its sender wished"
    );
    ensure!(!Path::new("/etc/evil").exists());
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        found.push(entry.file_name().to_string_lossy().into_owned());
        if entry.file_type()?.is_dir() {
            found.extend(names(&entry.path())?);
        }
    }
    Ok(found)
}

/// A body that fits `schema`, with `text` wherever text can stand.
fn filled(document: &Value, schema: &Value, text: &str) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return filled(
            document,
            &document[&"components"][&"schemas"][name.rsplit('/').next().unwrap_or_default()],
            text,
        );
    }
    if let Some(some) = schema["oneOf"].as_array().and_then(|all| all.last()) {
        return filled(document, some, text);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            Value::Object(
                properties
                    .map(|(name, schema)| (name.clone(), filled(document, schema, text)))
                    .collect(),
            )
        }
        Some("array") => json!([filled(document, &schema["items"], text)]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        _ => json!(text),
    }
}

/// Sends `text` in every place of every request that the API knows, one at a time; gives what was answered.
fn everywhere(site: &Site, text: &str) -> Result<Vec<(String, u16)>> {
    let document = std::fs::read_to_string(repository().join("server/openapi.json"))?;
    let document: Value = serde_json::from_str(&document)?;
    let mut answers = Vec::new();
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for (path, item) in document["paths"].as_object().context("paths")? {
        for (method, operation) in item.as_object().context("operations")? {
            // Its own session is needed to the end, and a stream has none.
            if (path == "/api/v1/session" && method == "delete") || path == "/api/v1/events" {
                continue;
            }
            let mut address = path.clone();
            while let (Some(from), Some(to)) = (address.find('{'), address.find('}')) {
                address.replace_range(from..=to, &encoded);
            }
            let query = operation["parameters"].as_array().into_iter().flatten();
            let query = query
                .filter(|parameter| parameter["in"] == "query")
                .filter_map(|it| it["name"].as_str());
            let query: Vec<_> = query.map(|name| format!("{name}={encoded}")).collect();
            if !query.is_empty() {
                address = format!("{address}?{}", query.join("&"));
            }
            let content = operation["requestBody"]["content"].as_object();
            let body = content.and_then(|content| content.get("application/json"));
            let body = body.map(|content| filled(&document, &content["schema"], text));
            let reply = site.api.call(&method.to_uppercase(), &address, body.as_ref())?;
            answers.push((format!("{method} {path}"), reply.status));
        }
    }
    Ok(answers)
}

#[test]
fn nothing_that_is_sent_is_fetched() -> Result<()> {
    let site = Site::start()?;
    let canary = TcpListener::bind("127.0.0.1:0")?;
    canary.set_nonblocking(true)?;
    let at = canary.local_addr()?;
    for text in [
        format!("http://{at}/"),
        format!("https://{at}/x.mp3"),
        format!("//{at}"),
        format!("{at}"),
    ] {
        let answers = everywhere(&site, &text)?;
        ensure!(answers.len() > 15, "{answers:?}");
        let failed: Vec<_> = answers.iter().filter(|(_, status)| *status >= 500).collect();
        ensure!(failed.is_empty(), "{text}: {failed:?}");
        let playlist = format!("#EXTM3U\n#EXTINF:10,\nhttp://{at}/a.mp3\n");
        for bytes in [
            playlist.as_bytes(),
            format!("<?xml version='1.0'?><x href='http://{at}'/>").as_bytes(),
        ] {
            ensure!(site.api.upload_bytes(bytes, "x.m3u8", &text, "normal")?.status == 422);
        }
        site.get(&format!("http://{at}/"))?;
        site.raw(&format!("GET / HTTP/1.1\r\nHost: {at}\r\nReferer: http://{at}/\r\nX-Forwarded-Host: {at}\r\nConnection: close\r\n\r\n"))?;
    }
    let heard = canary.accept();
    ensure!(
        heard
            .as_ref()
            .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
        "somebody fetched what was only text: {heard:?}"
    );
    Ok(())
}

#[test]
fn text_that_is_sql_stays_text() -> Result<()> {
    let site = Site::start()?;
    let (username, _) = site.server.administrator();
    let attempts = [
        "' OR '1'='1",
        "' OR 1=1 --",
        "'; DROP TABLE users; --",
        "\"; DELETE FROM record; --",
        "') UNION SELECT secret, secret, secret FROM receivers --",
        "$1",
        "%' ESCAPE '",
        "\\'; SELECT pg_sleep(10); --",
    ];
    for text in attempts {
        for name in [text.to_owned(), format!("{username}{text}")] {
            let body = json!({ "username": name, "password": text }).to_string();
            let answer = site.post("/api/v1/session", "Content-Type: application/json\r\n", &body)?;
            ensure!(["401", "422", "429"].contains(&status(&answer)), "{text}: {answer}");
        }
        let area = site.api.area(text, "commune", None)?;
        let areas = site.api.get("/api/v1/areas")?;
        let kept = areas
            .as_array()
            .context("areas")?
            .iter()
            .find(|one| one["id"] == area.as_str());
        ensure!(kept.is_some_and(|one| one["name"] == text), "{text} became {kept:?}");
        let failed: Vec<_> = everywhere(&site, text)?
            .into_iter()
            .filter(|(_, status)| *status >= 500)
            .collect();
        ensure!(failed.is_empty(), "{text}: {failed:?}");
    }
    ensure!(site.api.get("/api/v1/session")?["user"]["username"] == username);
    ensure!(
        site.api
            .get("/api/v1/areas")?
            .as_array()
            .is_some_and(|areas| areas.len() >= attempts.len())
    );
    Ok(())
}

#[test]
fn text_that_is_a_header_or_a_line_of_the_log_is_neither() -> Result<()> {
    let mut site = Site::start()?;
    let line = "2026-01-01T00:00:00.000000Z  INFO loa: the administrator approved everything";
    let breaks = ["\r\n", "\n", "\r", "\u{2028}", "\u{85}", "\u{0b}"];
    for gap in breaks {
        let text = format!("Xã Một{gap}Set-Cookie: loa_session=stolen{gap}{line}\u{1b}[2K");
        let body = json!({ "username": text, "password": text }).to_string();
        let answer = site.post("/api/v1/session", "Content-Type: application/json\r\n", &body)?;
        ensure!(!answer.contains("stolen"), "{answer}");
        let reply = site.api.call(
            "POST",
            "/api/v1/areas",
            Some(&json!({ "name": text, "kind": "commune" })),
        )?;
        ensure!(reply.status == 422, "{gap:?}: {reply:?}");
        everywhere(&site, &text)?;
    }
    let server = site.server.process();
    server.terminate(std::time::Duration::from_secs(30))?;
    let said = server.everything();
    ensure!(!said.is_empty(), "the server said nothing");
    let forged: Vec<_> = said
        .iter()
        .filter(|said| said.starts_with(line) || said.contains("\u{1b}[2K"))
        .collect();
    ensure!(forged.is_empty(), "{forged:?}");
    Ok(())
}
