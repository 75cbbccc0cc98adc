//! The HTTP API, as a client sees it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use base64::Engine as _;
use loa_protocol::enrolment::Enrolment;
use serde_json::{Value, json};

/// Somebody signed in.
#[derive(Debug, Clone)]
pub struct Api {
    agent: ureq::Agent,
    base: String,
    cookie: String,
    csrf: String,
    /// An API token, in place of a session.
    token: String,
}

/// Status and body of an answer.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, if it is JSON.
    pub body: Value,
    /// Where what was made is, if it says so (`Location`).
    pub location: Option<String>,
}

impl Reply {
    /// The body of a successful answer.
    pub fn ok(self) -> Result<Value> {
        ensure!((200..300).contains(&self.status), "HTTP {}: {}", self.status, self.body);
        Ok(self.body)
    }

    /// The error code of an answer.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// That instant from now in RFC 3339.
pub fn time_in(from_now: Duration) -> Result<String> {
    let output = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d"])
        .arg(format!("+{} seconds", from_now.as_secs()))
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A receiver that was just enrolled.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// Its identifier, as the API writes it.
    pub id: String,
    /// What its flash is to hold.
    pub enrolment: Vec<u8>,
}

impl Enrolled {
    /// The enrolment as a value.
    pub fn decoded(&self) -> Result<Enrolment> {
        Enrolment::decode(&self.enrolment)
            .map_err(|error| anyhow!("{error}"))?
            .context("no enrolment")
    }

    /// The certificate of the authority that the broker's is signed by, as a PEM file in `folder`.
    pub fn authority(&self, folder: &Path) -> Result<PathBuf> {
        let decoded = self.decoded()?;
        let ca = decoded.mqtt_ca.as_ref().context("the enrolment has no certificate")?;
        let (der, pem) = (folder.join("authority.der"), folder.join("authority.pem"));
        std::fs::write(&der, ca)?;
        let mut openssl = std::process::Command::new("openssl");
        openssl
            .args(["x509", "-inform", "DER", "-in"])
            .arg(&der)
            .arg("-out")
            .arg(&pem);
        crate::speech::run(&mut openssl)?;
        Ok(pem)
    }
}

impl Api {
    /// Makes the first administrator by the one-time link `setup` and signs in.
    pub fn set_up(setup: &str, username: &str, password: &str) -> Result<Self> {
        let (base, token) = setup.split_once("/setup#").context("no setup link")?;
        let mut api = Self::anonymous(base);
        let body = json!({ "token": token, "username": username, "display_name": "Quản trị", "password": password });
        api.call("POST", "/api/v1/setup", Some(&body))?.ok()?;
        api.sign_in(username, password)?;
        Ok(api)
    }

    /// Nobody yet.
    pub fn anonymous(base: &str) -> Self {
        // A request that is answered before it is read whole ends its connection: none is used twice.
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .build()
            .into();
        Self {
            agent,
            base: base.to_owned(),
            cookie: String::new(),
            csrf: String::new(),
            token: String::new(),
        }
    }

    /// A program that shows an API token.
    pub fn program(base: &str, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..Self::anonymous(base)
        }
    }

    /// Signs in.
    pub fn sign_in(&mut self, username: &str, password: &str) -> Result<()> {
        let url = format!("{}/api/v1/session", self.base);
        let body = json!({ "username": username, "password": password });
        let answer = self.agent.post(&url).send_json(&body)?;
        self.begun(answer)
    }

    /// Invites somebody and is them: they have chosen `password` by their link.
    pub fn invite(&self, username: &str, grants: &Value, password: &str) -> Result<Self> {
        let body = json!({ "username": username, "display_name": username, "grants": grants });
        let invited = self.post("/api/v1/users", &body)?;
        let link = invited["link"].as_str().and_then(|link| link.split_once('#'));
        let body = json!({ "token": link.context("no link")?.1, "password": password });
        let mut somebody = Self::anonymous(&self.base);
        let answer = somebody
            .agent
            .post(format!("{}/api/v1/link", self.base))
            .send_json(&body)?;
        somebody.begun(answer)?;
        Ok(somebody)
    }

    fn begun(&mut self, mut answer: ureq::http::Response<ureq::Body>) -> Result<()> {
        let cookie = answer
            .headers()
            .get("set-cookie")
            .and_then(|cookie| cookie.to_str().ok())
            .unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let session: Value = answer.body_mut().read_json()?;
        ensure!(answer.status().is_success(), "signing in: {session}");
        self.csrf = session["csrf"].as_str().context("no csrf token")?.to_owned();
        self.cookie = cookie;
        Ok(())
    }

    /// Where the server is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The session's token, and what must come along with it to change anything.
    pub fn session(&self) -> (&str, &str) {
        let token = self.cookie.split_once('=').map_or("", |(_, token)| token);
        (token, &self.csrf)
    }

    /// One request; `body` is sent as JSON.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Reply> {
        let bytes = body.map(serde_json::to_vec).transpose()?;
        self.raw(method, path, bytes.as_deref().map(|bytes| ("application/json", bytes)))
    }

    /// One request with any body: its type and bytes.
    pub fn raw(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> Result<Reply> {
        self.with_headers(method, path, &[], body)
    }

    /// Any request, with headers of its own.
    pub fn with_headers(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, &[u8])>,
    ) -> Result<Reply> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("x-loa-csrf", &self.csrf);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if let Some((kind, _)) = body {
            request = request.header("content-type", kind);
        }
        let bytes = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let mut answer = match method {
            "GET" | "DELETE" if bytes.is_empty() => self.agent.run(request.body(())?)?,
            _ => self.agent.run(request.body(bytes)?)?,
        };
        let location = answer.headers().get("location").and_then(|it| it.to_str().ok());
        let location = location.map(str::to_owned);
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        Ok(Reply {
            status: answer.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
            location,
        })
    }

    /// GET, and the body of the successful answer.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.call("GET", path, None)?
            .ok()
            .with_context(|| format!("GET {path}"))
    }

    /// POST, and the body of the successful answer.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call("POST", path, Some(body))?
            .ok()
            .with_context(|| format!("POST {path}"))
    }

    /// Makes an area.
    pub fn area(&self, name: &str, kind: &str, parent: Option<&str>) -> Result<String> {
        let area = self.post(
            "/api/v1/areas",
            &json!({ "name": name, "kind": kind, "parent_id": parent }),
        )?;
        Ok(area["id"].as_str().context("no area id")?.to_owned())
    }

    /// Enrols a receiver in an area; it will look for the server at `host`.
    pub fn enrol(&self, name: &str, area: &str, host: &str) -> Result<Enrolled> {
        let body = json!({ "name": name, "area_id": area, "host": host });
        let answer = self.post("/api/v1/receivers", &body)?;
        let id = answer["receiver"]["id"].as_str().context("no receiver id")?.to_owned();
        let enrolment = answer["enrolment"].as_str().context("no enrolment")?;
        Ok(Enrolled {
            id,
            enrolment: base64::prelude::BASE64_STANDARD.decode(enrolment)?,
        })
    }

    /// Uploads `file` as a bulletin, whatever comes of it.
    pub fn upload(&self, file: &Path, title: &str, class: &str) -> Result<Reply> {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .context("a file needs a name")?;
        self.upload_bytes(&std::fs::read(file)?, name, title, class)
    }

    /// Uploads bytes as a bulletin (RFC 7578), whatever comes of it.
    pub fn upload_bytes(&self, bytes: &[u8], name: &str, title: &str, class: &str) -> Result<Reply> {
        let (kind, body) = Self::form(&[("title", title), ("class", class)], bytes, name);
        self.raw("POST", "/api/v1/bulletins", Some((&kind, &body)))
    }

    /// A form with a file in it (RFC 7578): its type and bytes.
    pub fn form(fields: &[(&str, &str)], bytes: &[u8], name: &str) -> (String, Vec<u8>) {
        const BOUNDARY: &str = "loa-2f9c1b7ad0";
        let mut body = Vec::new();
        for (field, value) in fields {
            body.extend(
                format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").bytes(),
            );
        }
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        body.extend(head.bytes());
        body.extend(bytes);
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
        (format!("multipart/form-data; boundary={BOUNDARY}"), body)
    }

    /// Uploads `file`, approves it, and gives the bulletin's identifier.
    pub fn approved(&self, file: &Path, title: &str) -> Result<String> {
        let bulletin = self.upload(file, title, "normal")?.ok()?;
        let id = bulletin["id"].as_str().context("no bulletin id")?.to_owned();
        self.call("POST", &format!("/api/v1/bulletins/{id}/approve"), None)?
            .ok()?;
        Ok(id)
    }

    /// Puts a bulletin on the air in `areas`, at once or at `start` (RFC 3339), and gives the broadcast.
    pub fn broadcast(&self, bulletin: &str, areas: &[&str], start: Option<&str>) -> Result<Value> {
        let mut body = json!({ "bulletin_id": bulletin, "target": { "areas": areas, "receivers": [] } });
        if let Some(start) = start {
            body["start"] = json!(start);
        }
        self.post("/api/v1/broadcasts", &body)
    }

    /// Takes the studio of `area` and gives the broadcast.
    pub fn speak(&self, area: &str, class: &str) -> Result<Value> {
        let body = json!({
            "title": "Phát trực tiếp",
            "class": class,
            "target": { "areas": [area], "receivers": [] },
            "chime": false,
        });
        self.post("/api/v1/live", &body)
    }

    /// GET into a file.
    pub fn download(&self, path: &str, file: &Path) -> Result<()> {
        self.stream(path, &mut std::fs::File::create(file)?)
    }

    /// GET, each part of it as it comes.
    pub fn stream(&self, path: &str, sink: &mut impl std::io::Write) -> Result<()> {
        let mut answer = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .call()?;
        ensure!(answer.status().is_success(), "GET {path}: HTTP {}", answer.status());
        std::io::copy(&mut answer.body_mut().as_reader(), sink)?;
        Ok(())
    }

    /// The receivers' accounts of a broadcast.
    pub fn receipts(&self, broadcast: &str) -> Result<Vec<Value>> {
        let list = self.get(&format!("/api/v1/broadcasts/{broadcast}/receipts"))?;
        Ok(list.as_array().context("receipts are a list")?.clone())
    }

    /// Reads `/metrics` until `sample` (its name and labels, as they stand there) has reached `least`, and gives it: there is no event
    /// for what is refused.
    pub fn wait_metric(&self, sample: &str, least: u64, patience: Duration) -> Result<u64> {
        let deadline = Instant::now() + patience;
        loop {
            let text = self.get("/metrics")?;
            let mut lines = text.as_str().context("metrics are text")?.lines();
            let value = lines.find_map(|line| line.strip_prefix(sample)?.trim().parse::<u64>().ok());
            match value {
                Some(value) if value >= least => return Ok(value),
                _ if Instant::now() > deadline => bail!("{sample} is {value:?} and not {least}: {text}"),
                _ => std::thread::yield_now(),
            }
        }
    }

    /// The entries of the record whose kind begins with `what`, the newest first.
    pub fn record(&self, what: &str) -> Result<Vec<Value>> {
        let entries = self.get(&format!("/api/v1/record?what={what}"))?;
        Ok(entries.as_array().context("the record is a list")?.clone())
    }

    /// What is known of a receiver.
    pub fn receiver(&self, id: &str) -> Result<Value> {
        let all = self.get("/api/v1/receivers")?;
        let mut all = all.as_array().context("receivers are a list")?.iter();
        Ok(all.find(|one| one["id"] == id).context("no such receiver")?.clone())
    }

    /// Enrols a receiver again, in other hardware; it will look for the server at `host`.
    pub fn enrol_again(&self, id: &str, host: &str) -> Result<Enrolled> {
        let answer = self.post(&format!("/api/v1/receivers/{id}/enrolment"), &json!({ "host": host }))?;
        let enrolment = answer["enrolment"].as_str().context("no enrolment")?;
        Ok(Enrolled {
            id: id.to_owned(),
            enrolment: base64::prelude::BASE64_STANDARD.decode(enrolment)?,
        })
    }

    /// What the server tells from now on; the first event is the whole state.
    pub fn events(&self) -> Result<Events> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent
            .get(format!("{}/api/v1/events", self.base))
            .header("cookie", &self.cookie);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let mut answer = request.call()?;
        ensure!(answer.status().is_success(), "events: HTTP {}", answer.status());
        let (sender, events) = mpsc::channel();
        // Ends with the connection, or at the next event once nobody listens.
        std::thread::spawn(move || {
            let body = answer.body_mut().with_config().limit(u64::MAX).reader().take(u64::MAX);
            let mut name = String::new();
            for line in BufReader::new(body).lines().map_while(Result::ok) {
                if let Some(event) = line.strip_prefix("event:") {
                    name = event.trim().to_owned();
                } else if let Some(data) = line.strip_prefix("data:") {
                    let value = serde_json::from_str(data).unwrap_or(Value::Null);
                    if sender.send((name.clone(), value)).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Events(events))
    }
}

/// What the server tells unasked.
#[derive(Debug)]
pub struct Events(Receiver<(String, Value)>);

impl Events {
    /// Waits for the next event: its name and its value.
    pub fn next(&self, patience: Duration) -> Result<(String, Value)> {
        self.0.recv_timeout(patience).context("waiting for an event")
    }

    /// Waits until `wanted` makes something of an event (its name and value). Of a snapshot, each thing in it counts as an event.
    pub fn wait<T>(
        &self,
        what: &str,
        patience: Duration,
        mut wanted: impl FnMut(&str, &Value) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        loop {
            let (name, value) = match self.0.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => event,
                Err(why) => bail!("waiting for {what}: {why}"),
            };
            if name != "snapshot" {
                if let Some(found) = wanted(&name, &value) {
                    return Ok(found);
                }
                continue;
            }
            for (list, name) in [
                ("receivers", "receiver"),
                ("broadcasts", "broadcast"),
                ("bulletins", "bulletin"),
            ] {
                for one in value[list].as_array().into_iter().flatten() {
                    if let Some(found) = wanted(name, one) {
                        return Ok(found);
                    }
                }
            }
            // Who asks is told as a list, in a snapshot too.
            if let Some(found) = wanted("claims", &value["claims"]) {
                return Ok(found);
            }
        }
    }

    /// Waits until what is known of the receiver `id` is `wanted`, and gives it.
    pub fn wait_receiver(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.wait(
            &format!("receiver {id} to be {what}"),
            crate::PATIENCE,
            |name, value| (name == "receiver" && value["id"] == id && wanted(value)).then(|| value.clone()),
        )
    }

    /// Waits until `count` receivers say that they play the broadcast `id`.
    pub fn wait_playing(&self, id: &str, count: u64) -> Result<()> {
        self.wait(&format!("{count} receivers to play"), crate::PATIENCE, |name, value| {
            let playing = name == "broadcast" && value["id"] == id && value["receivers"]["playing"].as_u64()? >= count;
            playing.then_some(())
        })
    }

    /// Waits until `count` receivers are online.
    pub fn wait_online(&self, count: usize, patience: Duration) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let mut online = std::collections::BTreeSet::new();
        self.wait(&format!("{count} receivers to come online"), patience, |name, value| {
            if name == "receiver" {
                let id = value["id"].as_str()?.to_owned();
                match value["online"].as_bool()? {
                    true => online.insert(id),
                    false => online.remove(&id),
                };
            }
            (online.len() >= count).then_some(())
        })
    }

    /// Waits until a broadcast is in one of `states`, and gives it.
    pub fn wait_broadcast(&self, id: &str, states: &[&str], patience: Duration) -> Result<Value> {
        self.wait(&format!("broadcast {id} to be {states:?}"), patience, |name, value| {
            let is = name == "broadcast" && value["id"] == id && states.iter().any(|state| value["state"] == *state);
            is.then(|| value.clone())
        })
    }
}
