//! `loa serve` as a process of its own, on free ports and a temporary data folder.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;

use crate::{Api, Process, loa_binary};

/// How a server is started, beyond free ports.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where HTTP listens; port 0 takes a free one.
    pub listen: String,
    /// More arguments of `loa serve`.
    pub arguments: Vec<String>,
    /// What is logged, as `LOA_LOG` says it.
    pub log: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let free = [
            "--media-listen",
            "0.0.0.0:0",
            "--mqtt-listen",
            "127.0.0.1:0",
            "--mqtt-tls-listen",
            "127.0.0.1:0",
        ];
        Self {
            listen: "127.0.0.1:0".to_owned(),
            arguments: free.map(str::to_owned).to_vec(),
            log: None,
        }
    }
}

impl Settings {
    /// On ports that were free a moment ago, for a server that is to come back where it was.
    pub fn fixed() -> Result<Self> {
        let media = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut settings = Self {
            arguments: Vec::new(),
            ..Self::default()
        };
        for (key, address) in [
            ("--media-listen", format!("0.0.0.0:{media}")),
            ("--mqtt-listen", format!("127.0.0.1:{}", crate::scratch_port()?)),
            ("--mqtt-tls-listen", format!("127.0.0.1:{}", crate::scratch_port()?)),
        ] {
            settings = settings.with(&[key, &address]);
        }
        Ok(settings)
    }

    /// The server's certificate is also good for `host`.
    #[must_use]
    pub fn host(self, host: &str) -> Self {
        self.with(&["--public-name", host])
    }

    /// The value that was given for an argument.
    pub fn value(&self, key: &str) -> Option<&str> {
        let at = self.arguments.iter().rposition(|argument| argument == key)?;
        self.arguments.get(at + 1).map(String::as_str)
    }

    /// A second from a packet's sending to its sounding: where sound without loss is what is tested, a busy machine gets time to
    /// deliver it.
    #[must_use]
    pub fn patient(self) -> Self {
        self.with(&["--media-latency-ms", "1000"])
    }

    /// More arguments of `loa serve`.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|one| (*one).to_owned()));
        self
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    process: Process,
    data: PathBuf,
    settings: Settings,
    base: String,
    password: String,
}

/// What the first administrator is called.
const ADMINISTRATOR: &str = "quan.tri";

impl Server {
    /// Starts a server on `data` and waits until it serves; makes the first administrator.
    pub fn start(data: &Path, settings: Settings) -> Result<(Self, Api)> {
        let (process, setup) = Self::fresh(data, &settings)?;
        let (base, _) = setup.split_once("/setup#").context("no setup link")?;
        let base = base.to_owned();
        let server = Self {
            process,
            data: data.to_owned(),
            settings,
            base,
            password: password()?,
        };
        let api = Api::set_up(&setup, ADMINISTRATOR, &server.password)?;
        Ok((server, api))
    }

    /// Starts a server on an empty data folder and gives its process and the one-time link that it prints.
    pub fn fresh(data: &Path, settings: &Settings) -> Result<(Process, String)> {
        let mut process = spawn(data, settings, &settings.listen)?;
        let setup = process.wait_for_line(Duration::from_secs(60), |line| {
            let at = line.find("http://")?;
            line[at..].contains("/setup#").then(|| line[at..].trim().to_owned())
        })?;
        Ok((process, setup))
    }

    /// Where the console and the API are.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// User name and password of the administrator that was made: the password is another each time.
    pub fn administrator(&self) -> (&str, &str) {
        (ADMINISTRATOR, &self.password)
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Runs `loa` with these arguments beside the server, under its settings; gives what it says, or fails with that.
    pub fn beside(&self, arguments: &[&str]) -> Result<String> {
        self.beside_with(arguments, "")
    }

    /// Makes a user with one role, in an area or everywhere, and signs in.
    pub fn user(&self, name: &str, role: &str, area: Option<&str>) -> Result<Api> {
        let password = password()?;
        let mut arguments = vec!["user", "add", name, "--name", name, "--role", role];
        arguments.extend(area.iter().flat_map(|area| ["--area", area]));
        self.beside_with(&arguments, &format!("{password}\n"))?;
        let mut api = Api::anonymous(&self.base);
        api.sign_in(name, &password)?;
        Ok(api)
    }

    fn beside_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = Command::new(loa_binary());
        command
            .args(arguments)
            .arg("--data")
            .arg(&self.data)
            .args(&self.settings.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        child
            .stdin
            .take()
            .context("it was piped")?
            .write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "loa {arguments:?}: {said}{complaint}");
        Ok(said)
    }

    /// Kills the server as a power cut would: SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same data and the same ports (which it keeps in the data folder or was given), and
    /// signs in.
    pub fn restart(&mut self) -> Result<Api> {
        let listen = self.base.trim_start_matches("http://").to_owned();
        self.process = spawn(&self.data, &self.settings, &listen)?;
        self.process
            .wait_for_line(Duration::from_secs(60), |line| line.contains(&self.base).then_some(()))?;
        let mut api = Api::anonymous(&self.base);
        api.sign_in(ADMINISTRATOR, &self.password)?;
        Ok(api)
    }
}

fn spawn(data: &Path, settings: &Settings, listen: &str) -> Result<Process> {
    let mut command = Command::new(loa_binary());
    command
        .args(["serve", "--http-listen", listen, "--data"])
        .arg(data)
        .args(&settings.arguments);
    if let Some(log) = &settings.log {
        command.env("LOA_LOG", log);
    }
    Process::start("loa serve", &mut command)
}

fn password() -> Result<String> {
    let mut bytes = [0; 12];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
