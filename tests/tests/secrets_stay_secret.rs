//! Whatever is secret stays so: a server, receivers and people go through all in which secrets are made, shown and used, with the
//! log telling all it can; then every log line, every answer, live event, command's output, the database and the backups are searched
//! for every secret that there was: as it is, in hexadecimal, in base64 of either alphabet and wherever it stands in it, and as
//! Rust prints bytes. Where one is told by design, once and to whom it belongs, stands in [`TOLD`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use loa_protocol::claim::Code;
use loa_protocol::enrolment::Enrolment;
use loa_protocol::key::Secret as Key;
use loa_protocol::{BroadcastId, StreamId};
use loa_tests::{Api, PATIENCE, Process, Server, Settings, loa_binary, repository, speech};
use serde_json::{Value, json};

/// What begins a session tells its token in a cookie, and what must come along with it.
const BEGIN: &[&str] = &["setUp", "signIn", "useLink", "addTotp", "showCode"];

/// Where secrets are told by design. Each is looked for there, too: a search that finds nothing anywhere would show nothing.
const TOLD: &[(&str, &[&str])] = &[
    ("session", BEGIN),
    ("browser's token", BEGIN),
    (
        "CSRF token",
        &["setUp", "signIn", "useLink", "addTotp", "showCode", "whoAmI"],
    ),
    ("setup link", &["the line with the link that a new server prints"]),
    ("invitation", &["inviteUser"]),
    ("reset", &["linkUser"]),
    ("TOTP secret", &["totpOptions"]),
    ("recovery code", &["addTotp", "newRecoveryCodes"]),
    ("API token", &["makeToken"]),
    ("API token's digits", &["makeToken"]),
    // For its flash; a claimed one makes it with the server, and a rotated one too: those never travel.
    ("enrolled receiver's secret", &["enrolReceiver"]),
    // The device shows it, to be read from it; and it goes by that name at the broker, whose owner can approve nobody by it.
    ("claim code", &["the simulated receivers' log", "the server's log"]),
];

/// What was secret, and what was said, where.
#[derive(Default)]
struct Ledger {
    secrets: Vec<(String, Vec<u8>)>,
    said: Vec<(String, Vec<u8>)>,
}

impl Ledger {
    fn secret(&mut self, what: &str, bytes: impl Into<Vec<u8>>) {
        self.secrets.push((what.to_owned(), bytes.into()));
    }

    /// A secret that is written in hexadecimal: that text, and what it means.
    fn digits(&mut self, what: &str, digits: &str) {
        self.secret(what, digits);
        let pairs = digits.as_bytes().chunks_exact(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or_default(), 16);
        if let Ok(bytes) = pairs.map(byte).collect::<Result<Vec<_>, _>>() {
            self.secret(what, bytes);
        }
    }

    /// All that follows from what a receiver was enrolled with.
    fn receiver(&mut self, what: &str, key: &Key, stream: Option<StreamId>) {
        self.secret(what, key.0);
        let password = key.mqtt_password();
        self.digits("MQTT password", &String::from_utf8_lossy(&password));
        self.secret("hello key", key.hello_key());
        self.secret("report key", key.report_key());
        if let Some(stream) = stream {
            self.secret("SRTP key", key.srtp(stream).key);
        }
    }

    fn said(&mut self, place: &str, bytes: impl Into<Vec<u8>>) {
        self.said.push((place.to_owned(), bytes.into()));
    }

    /// A command's output, whatever comes of it.
    fn run(&mut self, command: &mut Command) -> Result<bool> {
        let output = command.env("LOA_LOG", "debug").env("RUST_BACKTRACE", "full").output()?;
        let place = format!("{:?}", command.get_args().take(2).collect::<Vec<_>>());
        self.said(&place, [output.stdout, output.stderr].concat());
        Ok(output.status.success())
    }

    /// Every secret in every place: none is where it is not told by design, and each is where it is.
    fn judge(&self) -> Result<()> {
        let (mut needles, mut whose) = (Vec::new(), Vec::new());
        for (n, (what, bytes)) in self.secrets.iter().enumerate() {
            ensure!(bytes.len() >= 8, "{what} is too short to be looked for");
            for form in forms(bytes) {
                needles.push(form);
                whose.push(n);
            }
        }
        let search = AhoCorasick::new(&needles)?;
        let (mut found, mut leaks) = (Vec::new(), Vec::new());
        for (place, said) in &self.said {
            for hit in search.find_overlapping_iter(said) {
                let what = &self.secrets[whose[hit.pattern().as_usize()]].0;
                let told = TOLD
                    .iter()
                    .find(|it| it.0 == what)
                    .is_some_and(|it| it.1.contains(&place.as_str()));
                match told {
                    true => found.push((what.as_str(), place.as_str())),
                    false => {
                        let around = hit.start().saturating_sub(120)..(hit.end() + 40).min(said.len());
                        leaks.push(format!("{what} in {place}: {}", said[around].escape_ascii()));
                    }
                }
            }
        }
        leaks.dedup();
        ensure!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
        for (what, places) in TOLD {
            for place in *places {
                ensure!(
                    found.contains(&(what, place)),
                    "no {what} was found in {place}, where it is told"
                );
            }
        }
        Ok(())
    }
}

/// How a secret could be written.
fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let join = |between: &str| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(between);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        bytes.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        join(", ").into_bytes(),
        join(",").into_bytes(),
        bytes.escape_ascii().to_string().into_bytes(),
    ];
    for before in 0..3 {
        // Of base64 over something longer, the characters that these bytes alone make.
        let padded = [&[0; 2][..before], bytes].concat();
        let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for text in [BASE64_STANDARD.encode(&padded), BASE64_URL_SAFE.encode(&padded)] {
            forms.push(text.as_bytes()[from..to].to_vec());
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Somebody's browser, or a program: all that it is answered is written down.
#[derive(Default)]
struct Client {
    base: String,
    cookies: BTreeMap<String, String>,
    csrf: String,
    token: Option<String>,
}

impl Client {
    fn ask(&mut self, ledger: &mut Ledger, operation: &str, method: &str, path: &str, body: Value) -> Result<Value> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .header("x-loa-csrf", &self.csrf);
        match &self.token {
            Some(token) => request = request.header("authorization", format!("Bearer {token}")),
            None => {
                let cookies: Vec<_> = self
                    .cookies
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                request = request.header("cookie", cookies.join("; "));
            }
        }
        let mut answer = match body {
            Value::Null => agent.run(request.body(())?)?,
            body => agent.run(request.body(body.to_string())?)?,
        };
        let text = answer.body_mut().read_to_vec()?;
        ledger.said(
            operation,
            [format!("{:?}", answer.headers()).into_bytes(), text.clone()].concat(),
        );
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = cookie.split_once('=').context("no cookie")?;
            let what = if name.contains("session") {
                "session"
            } else {
                "browser's token"
            };
            ledger.digits(what, value);
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let body: Value = serde_json::from_slice(&text).unwrap_or_default();
        for session in [&body, &body["session"]] {
            if let Some(csrf) = session["csrf"].as_str() {
                ledger.digits("CSRF token", csrf);
                self.csrf = csrf.to_owned();
            }
        }
        Ok(body)
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("no {key} in {value}"))
}

/// What stands after the `#` of a link.
fn fragment<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    Ok(text(value, key)?.split_once('#').context("no fragment")?.1)
}

/// The private keys in the folder: 32 bytes each, or in a PEM file the 32 of a P-256 key (RFC 5915).
fn private_keys(folder: &Path, ledger: &mut Ledger) -> Result<usize> {
    let mut found = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let bytes = std::fs::read(&path)?;
        let pem = String::from_utf8_lossy(&bytes);
        let key = match pem.split_once("PRIVATE KEY-----") {
            Some((_, rest)) => {
                let body: String = rest
                    .split("-----")
                    .next()
                    .unwrap_or_default()
                    .split_whitespace()
                    .collect();
                let der = BASE64_STANDARD.decode(body)?;
                let at = der
                    .windows(5)
                    .position(|it| it == [2, 1, 1, 4, 32])
                    .context("no P-256 key")?;
                der[at + 5..at + 37].to_vec()
            }
            None if bytes.len() == 32 => bytes,
            None => continue,
        };
        ledger.secret(&path.file_name().unwrap_or_default().display().to_string(), key);
        found += 1;
    }
    Ok(found)
}

fn files(folder: &Path, leave: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true if path.ends_with(leave) => {}
            true => found.extend(files(&path, leave)?),
            false => found.push(path),
        }
    }
    Ok(found)
}

fn code(secret: &str) -> Result<String> {
    let secret = totp_rs::Secret::try_from_base32(secret)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let totp = totp_rs::Builder::new().with_secret(secret).build()?;
    Ok(totp.generate(now.as_secs()).to_string())
}

fn loa(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(loa_binary());
    command.args(arguments).arg("--data").arg(data);
    command
}

/// What stands behind `key` in `line` up to a space.
fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split_once(key)?.1.split_whitespace().next()
}

#[test]
fn secrets_stay_secret() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let mut ledger = Ledger::default();
    let settings = Settings {
        log: Some("debug".to_owned()),
        ..Settings::fixed()?
    };
    let settings = settings.host("127.0.0.1").with(&["--public-host", "127.0.0.1"]);
    let (mut server, setup) = Server::fresh(&data, &settings)?;
    let (base, setup) = setup.split_once("/setup#").context("no setup link")?;
    ledger.digits("setup link", setup);

    // People: passwords, right and wrong, links, second factors, tokens.
    let mut admin = Client {
        base: base.to_owned(),
        ..Client::default()
    };
    let password = |ledger: &mut Ledger, password: &'static str| {
        ledger.secret("password", password);
        password
    };
    let first = password(&mut ledger, "mot-con-vit-xoe-ra-7-cai-canh");
    let body = json!({ "token": setup, "username": "lan", "display_name": "Lan", "password": first });
    admin.ask(&mut ledger, "setUp", "POST", "/api/v1/setup", body)?;
    let wrong = password(&mut ledger, "hai con thằn lằn con đùa nhau 9");
    for (name, password) in [("lan", wrong), (wrong, "x"), ("lan", first)] {
        let body = json!({ "username": name, "password": password });
        admin.ask(&mut ledger, "signIn", "POST", "/api/v1/session", body)?;
    }
    admin.ask(&mut ledger, "whoAmI", "GET", "/api/v1/session", Value::Null)?;
    let grants = json!([{ "role": "approver" }, { "role": "officer" }, { "role": "technician" }]);
    let body = json!({ "username": "mai", "display_name": "Mai", "grants": grants });
    let invited = admin.ask(&mut ledger, "inviteUser", "POST", "/api/v1/users", body)?;
    ledger.digits("invitation", fragment(&invited, "link")?);
    let mut mai = Client {
        base: base.to_owned(),
        ..Client::default()
    };
    let second = password(&mut ledger, "ba thuong con vi con giong me 3");
    let token = json!({ "token": fragment(&invited, "link")? });
    mai.ask(&mut ledger, "lookAtLink", "POST", "/api/v1/link/look", token.clone())?;
    let mut body = token;
    body["password"] = json!(second);
    mai.ask(&mut ledger, "useLink", "POST", "/api/v1/link", body)?;
    let path = format!("/api/v1/users/{}/link", text(&invited["user"], "id")?);
    let reset = admin.ask(&mut ledger, "linkUser", "POST", &path, json!({ "factors": false }))?;
    ledger.digits("reset", fragment(&reset, "link")?);

    let options = mai.ask(
        &mut ledger,
        "totpOptions",
        "POST",
        "/api/v1/account/totp/options",
        json!({}),
    )?;
    let secret = text(&options, "secret")?.to_owned();
    ledger.secret("TOTP secret", secret.clone());
    let bytes = totp_rs::Secret::try_from_base32(&secret)?;
    ledger.secret("TOTP secret's bytes", AsRef::<[u8]>::as_ref(&bytes));
    for code in ["000000".to_owned(), code(&secret)?] {
        let body = json!({ "name": "Điện thoại", "code": code });
        let added = mai.ask(&mut ledger, "addTotp", "POST", "/api/v1/account/totp", body)?;
        recovery_codes(&mut ledger, &added)?;
    }
    let codes = mai.ask(
        &mut ledger,
        "newRecoveryCodes",
        "POST",
        "/api/v1/account/recovery-codes",
        json!({}),
    )?;
    let codes = recovery_codes(&mut ledger, &codes)?;
    let body = json!({ "username": "mai", "password": second });
    mai.ask(&mut ledger, "signIn", "POST", "/api/v1/session", body)?;
    for code in ["AAAA-BBBB-CCCC-DDDD", &codes[0]] {
        mai.ask(
            &mut ledger,
            "showCode",
            "POST",
            "/api/v1/session/totp",
            json!({ "code": code }),
        )?;
    }
    let later = Command::new("date").args(["-u", "-d", "30 days", "+%FT%TZ"]).output()?;
    let later = String::from_utf8(later.stdout)?;
    let body = json!({ "name": "Máy", "rights": ["see", "receivers"], "expires_at": later.trim() });
    let made = mai.ask(&mut ledger, "makeToken", "POST", "/api/v1/tokens", body)?;
    let token = text(&made, "token")?.to_owned();
    ledger.secret("API token", token.clone());
    ledger.digits("API token's digits", token.trim_start_matches("loa_"));
    let mut program = Client {
        base: base.to_owned(),
        token: Some(token.clone()),
        ..Client::default()
    };
    program.ask(&mut ledger, "listReceivers", "GET", "/api/v1/receivers", Value::Null)?;
    let events = Api::program(base, &token).events()?;

    // Receivers: enrolled, claimed, given another secret, on the air.
    let body = json!({ "name": "Xã", "kind": "commune" });
    let area = admin.ask(&mut ledger, "addArea", "POST", "/api/v1/areas", body)?;
    let area = text(&area, "id")?;
    let flash = folder.path().join("flash");
    std::fs::create_dir(&flash)?;
    let body = json!({ "name": "Cụm 1", "area_id": area });
    let enrolled = admin.ask(&mut ledger, "enrolReceiver", "POST", "/api/v1/receivers", body)?;
    let enrolled_id = text(&enrolled["receiver"], "id")?;
    let enrolment = BASE64_STANDARD.decode(text(&enrolled, "enrolment")?)?;
    std::fs::write(flash.join("1"), &enrolment)?;
    let configuration = flash.join("2").display().to_string();
    // A device is told the ports that the server was given.
    let tls = settings.value("--mqtt-tls-listen").context("a port for TLS")?;
    let claiming = [
        "receiver",
        "claim-config",
        "--out",
        &configuration,
        "--host",
        "127.0.0.1",
    ];
    let made = ledger.run(loa(&claiming, &data).args(["--mqtt-tls-listen", tls]));
    ensure!(made?, "no claim configuration");
    let mut simulate = Command::new(loa_binary());
    simulate
        .args(["simulate", "--no-decode", "--enrolments"])
        .arg(&flash)
        .env("LOA_LOG", "debug");
    let mut simulated = Process::start("loa simulate", &mut simulate)?;
    let shown = simulated.wait_for_line(PATIENCE, |line| field(line, "code=").map(str::to_owned))?;
    ledger.secret("claim code", shown.clone());
    ledger.secret("claim code", Code::parse(&shown).context("no code")?.0);
    events.wait("the device to ask", PATIENCE, |name, value| {
        (name == "claims" && value.as_array().is_some_and(|all| !all.is_empty())).then_some(())
    })?;
    let body = json!({ "name": "Cụm 2", "area_id": area });
    let claimed = admin.ask(
        &mut ledger,
        "approveClaim",
        "POST",
        &format!("/api/v1/claims/{shown}/approve"),
        body,
    )?;
    text(&claimed, "id")?;
    events.wait_online(2, PATIENCE)?;
    let path = format!("/api/v1/receivers/{enrolled_id}/rotate");
    admin.ask(&mut ledger, "rotateReceiver", "POST", &path, json!({}))?;
    events.wait("its new secret", PATIENCE, |name, value| {
        (name == "receiver" && value["id"] == enrolled_id && value["rotating"] == false).then_some(())
    })?;
    let signed_in = mai
        .cookies
        .iter()
        .find(|it| it.0.contains("session"))
        .context("no session")?;
    let mp3 = speech::announcement(folder.path())?;
    let (kind, form) = Api::form(
        &[("title", "Tin"), ("class", "normal")],
        &std::fs::read(mp3)?,
        "tin.mp3",
    );
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut upload = agent
        .post(format!("{base}/api/v1/bulletins"))
        .header("cookie", format!("{}={}", signed_in.0, signed_in.1))
        .header("x-loa-csrf", &mai.csrf)
        .header("content-type", kind)
        .send(&form)?;
    let uploaded = upload.body_mut().read_to_vec()?;
    ledger.said("uploadBulletin", uploaded.clone());
    let uploaded: Value = serde_json::from_slice(&uploaded)?;
    let bulletin = text(&uploaded, "id")?;
    let path = format!("/api/v1/bulletins/{bulletin}/approve");
    mai.ask(&mut ledger, "approveBulletin", "POST", &path, json!({}))?;
    let body = json!({ "bulletin_id": bulletin, "target": { "areas": [area], "receivers": [] } });
    let broadcast = mai.ask(&mut ledger, "broadcast", "POST", "/api/v1/broadcasts", body)?;
    let broadcast = text(&broadcast, "id")?;
    let played = events.wait_broadcast(broadcast, &["done", "failed"], PATIENCE)?;
    ensure!(played["state"] == "done", "{played}");
    let stream = BroadcastId::parse(broadcast).map(|id| StreamId(id.0));
    let read = |bytes: &[u8]| Enrolment::decode(bytes).ok().flatten().context("no enrolment");
    ledger.receiver("enrolled receiver's secret", &read(&enrolment)?.secret, stream);
    for (what, file) in [("rotated receiver's secret", "1"), ("claimed receiver's secret", "2")] {
        let now = read(&std::fs::read(flash.join(file))?)?;
        ledger.receiver(what, &now.secret, stream);
    }
    let secrets: Vec<_> = ledger
        .secrets
        .iter()
        .filter(|it| it.0.ends_with("receiver's secret"))
        .collect();
    ensure!(
        secrets.len() == 3 && secrets[0].1 != secrets[1].1,
        "no secret was replaced"
    );

    // All that can be read is read: by lists, live, and on the command line; then another password, and the token taken back.
    let document = std::fs::read_to_string(repository().join("server/openapi.json"))?;
    let document: Value = serde_json::from_str(&document)?;
    let mut lists = 0;
    for (path, item) in document["paths"].as_object().context("paths")? {
        if item["get"].is_object() && !path.contains('{') && path != "/api/v1/events" {
            for client in [&mut admin, &mut mai, &mut program] {
                client.ask(
                    &mut ledger,
                    text(&item["get"], "operationId")?,
                    "GET",
                    path,
                    Value::Null,
                )?;
            }
            lists += 1;
        }
    }
    ensure!(lists >= 12, "{lists} lists");
    while let Ok((name, value)) = events.next(std::time::Duration::ZERO) {
        ledger.said(&format!("the event {name}"), value.to_string());
    }
    for (current, password) in [
        (wrong, first),
        (second, password(&mut ledger, "bon ong tuong dap xe di hut 8")),
    ] {
        let body = json!({ "current": current, "password": password });
        mai.ask(&mut ledger, "changePassword", "POST", "/api/v1/account/password", body)?;
    }
    let path = format!("/api/v1/tokens/{}", text(&made_id(&mut mai, &mut ledger)?, "id")?);
    mai.ask(&mut ledger, "removeToken", "DELETE", &path, Value::Null)?;
    program.ask(&mut ledger, "listReceivers", "GET", "/api/v1/receivers", Value::Null)?;

    let out = |name: &str| folder.path().join(name).display().to_string();
    let (bare, sealed) = (out("bare.tar"), out("sealed.age"));
    let phrase = password(&mut ledger, "nam anh em tren mot chiec xe tang");
    ensure!(ledger.run(&mut loa(&["backup", &bare, "--without-keys"], &data))?);
    ensure!(ledger.run(loa(&["backup", &sealed], &data).env("LOA_BACKUP_PASSPHRASE", phrase))?);
    ensure!(private_keys(&data.join("keys"), &mut ledger)? >= 4, "keys are missing");
    for arguments in [
        &["user", "list"][..],
        &["receiver", "list"],
        &["key", "list"],
        &["audit", "list"],
        &["audit", "export", "--format", "jsonl"],
        &["key", "rotate", "vault"],
        &["key", "rotate", "signing"],
    ] {
        ensure!(
            ledger.run(&mut loa(arguments, &data))?,
            "{arguments:?}: {:?}",
            ledger.said.last()
        );
    }
    // The keys that those have made.
    private_keys(&data.join("keys"), &mut ledger)?;
    server.terminate(PATIENCE)?;
    simulated.terminate(PATIENCE)?;
    failures(folder.path(), &data, &mut ledger)?;

    for line in server.everything() {
        match line.contains("/setup#") {
            true => ledger.said("the line with the link that a new server prints", line.as_bytes()),
            false => ledger.said("the server's log", line.as_bytes()),
        }
    }
    let lines = ledger.said.iter().filter(|it| it.0 == "the server's log");
    ensure!(
        lines.filter(|it| it.1.windows(6).any(|word| word == b" DEBUG")).count() > 0,
        "no debug log"
    );
    for line in simulated.everything() {
        ledger.said("the simulated receivers' log", line.as_bytes());
    }
    for path in files(&data, "keys")?.into_iter().chain([bare.into(), sealed.into()]) {
        let name = path.file_name().unwrap_or_default().display().to_string();
        ledger.said(&format!("the file {name}"), std::fs::read(&path)?);
    }
    ensure!(ledger.said.iter().any(|it| it.0 == "the file loa.db"));
    ledger.judge()
}

fn recovery_codes(ledger: &mut Ledger, answer: &Value) -> Result<Vec<String>> {
    let codes = answer["recovery_codes"].as_array().into_iter().flatten();
    let codes: Vec<_> = codes.filter_map(|code| code.as_str().map(str::to_owned)).collect();
    for code in &codes {
        ledger.secret("recovery code", code.as_bytes());
    }
    Ok(codes)
}

fn made_id(mai: &mut Client, ledger: &mut Ledger) -> Result<Value> {
    let tokens = mai.ask(ledger, "listTokens", "GET", "/api/v1/tokens", Value::Null)?;
    Ok(tokens[0].clone())
}

/// Servers that cannot start, and say why: with keys that are damaged or another's, with addresses that have a password in them.
fn failures(folder: &Path, data: &Path, ledger: &mut Ledger) -> Result<()> {
    let copy = folder.join("copy");
    type Damage = fn(&mut Vec<u8>);
    let damage: [(&str, Damage); 4] = [
        ("keys/signing-2.key", |bytes| bytes.truncate(31)),
        ("keys/record.key", |bytes| bytes.push(0)),
        ("keys/vault-2.key", |bytes| bytes[0] ^= 1),
        ("keys/vault-2.key", Vec::clear),
    ];
    for (file, how) in damage {
        speech::run(Command::new("cp").arg("-a").arg(data).arg(&copy))?;
        let path = copy.join(file);
        let mut bytes = std::fs::read(&path).with_context(|| file.to_owned())?;
        how(&mut bytes);
        std::fs::write(&path, bytes)?;
        fails(&[], &copy, ledger).with_context(|| file.to_owned())?;
        std::fs::remove_dir_all(&copy)?;
    }
    let secret = "sau-cay-cau-7-bac-nhip";
    ledger.secret("password", secret);
    for (key, url) in [
        ("--database-url", format!("postgres://loa:{secret}@127.0.0.1:x/loa")),
        ("--database-url", format!("mysql://loa:{secret}@127.0.0.1/loa")),
        ("--mqtt-url", format!("mqtt://loa:{secret}@127.0.0.1:x")),
        ("--mqtt-url", format!("http://loa:{secret}@127.0.0.1")),
    ] {
        fails(&[key, &url], &copy, ledger).with_context(|| url.clone())?;
    }
    Ok(())
}

fn fails(more: &[&str], data: &Path, ledger: &mut Ledger) -> Result<()> {
    let mut serve = loa(&["serve", "--http-listen", "127.0.0.1:0"], data);
    serve
        .args(Settings::default().arguments)
        .args(more)
        .env("LOA_LOG", "debug");
    let mut serve = Process::start("loa serve", &mut serve)?;
    ensure!(!serve.wait(PATIENCE)?.success(), "it serves");
    let said = serve.everything().join("\n");
    ensure!(!said.is_empty(), "it says nothing");
    ledger.said("what a server says that cannot start", said);
    Ok(())
}
