//! The API as programs meet it: the real router on a port of its own, with a real store and real files. What the air is
//! told is written down instead.

mod bad_input;
mod bulletins;
mod contract;
mod enrolment;
mod factors;
mod hostile;
mod inbox;
mod limits;
mod live;
mod oidc;
mod patience;
mod people;
mod places;
mod playlists;
mod provider;
mod record;
mod resumable;
mod schedules;
mod speaking;
mod speech;
mod tokens;
mod users;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loa_protocol::{SigningKey, UnixMicros};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::listen::{Listener, Patience, Places};
use super::*;
use crate::authority::{Grant, Role};
use crate::config::Config;
use crate::data::{DataFolder, Keyring, Vault};
use crate::enrol::claims::Book;
use crate::playout::{Heeded, Notice};
use crate::store::{Actor, NewUser, Store};
use crate::{clock, enrol};

const PASSWORD: &str = "một mật khẩu dài";

struct Server {
    runtime: Runtime,
    store: Arc<Store>,
    data: DataFolder,
    address: SocketAddr,
    told: Arc<Mutex<Vec<Notice>>>,
    claims: Arc<Mutex<Book>>,
    end: watch::Sender<bool>,
    serving: Option<tokio::task::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

/// What was answered.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: ureq::http::HeaderMap,
    body: Vec<u8>,
}

/// Somebody with a browser.
#[derive(Clone)]
struct Client {
    agent: ureq::Agent,
    base: String,
    cookie: String,
    csrf: String,
    /// What makes the browser known to its users.
    known: String,
    language: &'static str,
}

/// The password's hash, as soon as those have theirs whom another test lets flood this process.
async fn hashed() -> String {
    loop {
        if let Ok(hash) = password::hash(PASSWORD.into()).await {
            return hash;
        }
        tokio::task::yield_now().await;
    }
}

impl Server {
    fn start() -> Self {
        Self::with(|_| {})
    }

    fn with(set: impl FnOnce(&mut Config)) -> Self {
        Self::patient(set, Patience::default(), pace::WINDOW)
    }

    fn patient(set: impl FnOnce(&mut Config), patience: Patience, window: Duration) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            data: folder.path().to_owned(),
            public_host: Some("loa.example".into()),
            upload_max_bytes: 2_000_000,
            // What needs one says so.
            auth_emergency_second_factor: false,
            ..Config::default()
        };
        set(&mut config);
        let data = DataFolder::open(&config.data).unwrap();
        let url = data.database_url().unwrap();
        let store = Arc::new(
            runtime
                .block_on(Store::open(&url, &data.programmes(), Vault::open(&data).unwrap()))
                .unwrap(),
        );
        let (end, shutdown) = watch::channel(false);
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        let places = Places::new(config.limits_connections, config.limits_address_connections);
        let claims = Arc::new(Mutex::new(Book::default()));
        let oidc = crate::oidc::Provider::open(&config, Duration::from_secs(3)).unwrap();
        let app = App::new(Parts {
            store: store.clone(),
            data: data.clone(),
            config: Arc::new(config),
            clock: clock::now,
            tell: Box::new(move |notice| {
                tell.lock().unwrap().push(notice);
                Heeded::default()
            }),
            known: enrol::Known {
                keys: Arc::new(Keyring::of_key(SigningKey::from_bytes(&[7; 32]))),
                mqtt_port: 8883,
                media_port: 5004,
                trusted: Arc::default(),
            },
            claims: claims.clone(),
            studio: crate::playout::Studio::silent(data.originals()),
            measure: Box::new(|text| text.counter("of_others", "What others count.", &[("", 7)])),
            https: None,
            oidc,
            shutdown: shutdown.clone(),
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = runtime.spawn(async move {
            let listener = Listener {
                socket: listener,
                tls: None,
                router: by_pace(app.clone(), pace::Window(window)),
                places,
                patience,
            };
            tokio::join!(listener.run(app.clone(), shutdown), app.run());
        });
        Self {
            runtime,
            store,
            data,
            address,
            told,
            claims,
            end,
            serving: Some(serving),
            _folder: folder,
        }
    }

    fn anybody(&self) -> Client {
        // Nothing here takes long; what hangs is to fail.
        let patience = Some(std::time::Duration::from_secs(60));
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A request that is answered before it is read whole ends its connection: none is used twice.
            .max_idle_connections(0)
            .timeout_global(patience);
        let agent = config.build().into();
        let base = format!("http://{}", self.address);
        Client {
            agent,
            base,
            cookie: String::new(),
            csrf: String::new(),
            known: String::new(),
            language: "vi",
        }
    }

    /// Somebody who is signed in.
    fn somebody(&self, username: &str, grants: &[Grant]) -> Client {
        let actor = Actor {
            who: "-".into(),
            origin: "test".into(),
        };
        let new = NewUser {
            username: username.into(),
            display_name: username.into(),
            grants: grants.to_vec(),
            password: self.runtime.block_on(hashed()),
        };
        self.runtime
            .block_on(self.store.add_user(&actor, clock::now(), new))
            .unwrap();
        let mut client = self.anybody();
        let reply = client.sign_in(username, PASSWORD);
        assert_eq!(reply.status, 200, "{reply:?}");
        client
    }

    fn admin(&self) -> Client {
        self.somebody("lan", &Grant::FIRST)
    }

    fn told(&self) -> Vec<Notice> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// How many files there are of uploads and bulletins.
    fn files(&self) -> [usize; 3] {
        let count = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
        [
            count(&self.data.uploads()),
            count(&self.data.originals()),
            count(&self.data.programmes()),
        ]
    }

    fn lines(&self) -> Vec<crate::store::record::Line> {
        self.runtime.block_on(self.store.lines(1000)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.send_replace(true);
        let serving = self.serving.take().unwrap();
        let ended = self.runtime.block_on(serving);
        self.runtime.block_on(self.store.close());
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

impl Client {
    fn sign_in(&mut self, username: &str, password: &str) -> Reply {
        let reply = self.post("/api/v1/session", json!({ "username": username, "password": password }));
        self.take_session(&reply);
        reply
    }

    fn take_session(&mut self, reply: &Reply) {
        for cookie in reply.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            match pair.split('=').next().unwrap_or_default() {
                name if name.contains("loa_known_") => self.known = pair,
                name if name.contains("loa_oidc") => {}
                _ => self.cookie = pair,
            }
        }
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        for session in [&body, &body["session"]] {
            if let Some(csrf) = session["csrf"].as_str() {
                self.csrf = csrf.to_owned();
            }
        }
    }

    /// Sends a change of something; what is answered may begin another session.
    fn tell(&mut self, path: &str, body: Value) -> Reply {
        let reply = self.post(path, body);
        self.take_session(&reply);
        reply
    }

    fn patch(&self, path: &str, body: Value) -> Reply {
        let kind = [("content-type", "application/json")];
        self.send("PATCH", path, &kind, body.to_string().as_bytes())
    }

    fn put(&self, path: &str, body: Value) -> Reply {
        let kind = [("content-type", "application/json")];
        self.send("PUT", path, &kind, body.to_string().as_bytes())
    }

    fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], b"")
    }

    fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    fn post(&self, path: &str, body: Value) -> Reply {
        self.send(
            "POST",
            path,
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        )
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("accept-language", self.language);
        let cookies = [&*self.cookie, &*self.known];
        let cookies = cookies.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>();
        for (name, value) in [("cookie", &*cookies.join("; ")), ("x-loa-csrf", &*self.csrf)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = match body {
            b"" if method != "POST" => self.agent.run(request.body(()).unwrap()),
            body => self.agent.run(request.body(body).unwrap()),
        }
        .unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut answer.body_mut().as_reader(), &mut bytes).unwrap();
        Reply {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: bytes,
        }
    }

    fn upload(&self, title: &str, class: &str, file: &[u8]) -> Reply {
        let mut form = Form::default();
        form.field("title", title).field("class", class).file(file);
        self.send_form(&form)
    }

    fn send_form(&self, form: &Form) -> Reply {
        let kind = format!("multipart/form-data; boundary={}", Form::BOUNDARY);
        self.send(
            "POST",
            "/api/v1/bulletins",
            &[("content-type", &kind)],
            &form.finished(),
        )
    }

    /// An approved bulletin's identifier.
    fn approved(&self) -> String {
        let reply = self.upload("Bản tin sáng", "normal", &tone(0.5));
        assert_eq!(reply.status, 201, "{reply:?}");
        let id = reply.id();
        assert_eq!(
            self.post(&format!("/api/v1/bulletins/{id}/approve"), Value::Null)
                .status,
            200
        );
        id
    }

    fn area(&self, name: &str) -> String {
        let reply = self.post("/api/v1/areas", json!({ "name": name, "kind": "commune" }));
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.id()
    }

    fn receiver(&self, name: &str, area: &str) -> String {
        let reply = self.post("/api/v1/receivers", json!({ "name": name, "area_id": area }));
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["receiver"]["id"].as_str().unwrap().to_owned()
    }
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn id(&self) -> String {
        self.json()["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{self:?}"))
            .to_owned()
    }

    /// Status and code of an error, and the names of its fields.
    fn error(&self) -> (u16, String, Vec<String>) {
        let body = self.json();
        assert!(!body["message"].as_str().unwrap().is_empty());
        let fields = body["fields"]
            .as_object()
            .map(|fields| fields.keys().cloned().collect());
        (
            self.status,
            body["code"].as_str().unwrap().to_owned(),
            fields.unwrap_or_default(),
        )
    }
}

/// A form with files (RFC 7578).
#[derive(Default)]
struct Form(Vec<u8>);

impl Form {
    const BOUNDARY: &str = "----5f1f3c0d9a";

    fn field(&mut self, name: &str, value: &str) -> &mut Self {
        let head = format!(
            "--{}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n",
            Self::BOUNDARY
        );
        self.0.extend([head.as_bytes(), value.as_bytes(), b"\r\n"].concat());
        self
    }

    fn file(&mut self, bytes: &[u8]) -> &mut Self {
        let boundary = Self::BOUNDARY;
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"tệp.mp3\"\r\n\
             content-type: audio/mpeg\r\n\r\n"
        );
        self.0.extend([head.as_bytes(), bytes, b"\r\n"].concat());
        self
    }

    fn finished(&self) -> Vec<u8> {
        [&*self.0, format!("--{}--\r\n", Self::BOUNDARY).as_bytes()].concat()
    }
}

/// A WAV file of so many seconds: 440 Hz, 16 kHz, mono.
fn tone(seconds: f64) -> Vec<u8> {
    let samples = (16_000.0 * seconds) as u32;
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + 2 * samples).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(16_000u32.to_le_bytes());
    wav.extend(32_000u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((2 * samples).to_le_bytes());
    for n in 0..samples {
        let phase = f64::from(n) * 440.0 / 16_000.0 * std::f64::consts::TAU;
        wav.extend(((phase.sin() * 12_000.0) as i16).to_le_bytes());
    }
    wav
}

fn now() -> UnixMicros {
    clock::now()
}
