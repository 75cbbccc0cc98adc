//! A whole small system: a server with one village, simulated receivers and, if wanted, the firmware in QEMU.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Api, Board, Enrolled, Events, Process, Recording, Server, Settings, Simulation, loa_binary};

/// How a village is set up.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// How the server is started.
    pub settings: Settings,
    /// Simulated receivers.
    pub simulated: usize,
    /// Arguments of `loa simulate`: faults to order.
    pub faults: Vec<String>,
    /// Whether the firmware in QEMU is one of the receivers.
    pub board: bool,
    /// The broker is a Mosquitto on this port instead of the embedded one, under the rules that `loa mosquitto` writes.
    pub mosquitto: Option<u16>,
}

/// What the server is called at an outside broker, and its password there.
const AT_MOSQUITTO: &str = "loa-server:m%E1%BA%ADt-kh%E1%BA%A9u";

/// A running village; everything in it ends when it is dropped.
#[derive(Debug)]
pub struct Village {
    /// The board, if planned.
    pub board: Option<Board>,
    /// The simulated receivers.
    pub simulation: Simulation,
    /// The server.
    pub server: Server,
    /// Its administrator, signed in.
    pub api: Api,
    /// The outside broker, if planned.
    pub mosquitto: Option<Process>,
    /// What the server tells.
    pub events: Events,
    /// The one area.
    pub area: String,
    /// The simulated receivers' enrolments.
    pub simulated: Vec<Enrolled>,
    /// The board's.
    pub enrolled_board: Option<Enrolled>,
    scratch: TempDir,
}

/// For things that take seconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

impl Village {
    /// Starts everything and waits until all receivers are online.
    pub fn start(plan: Plan) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let mut settings = plan.settings.host(Board::HOST);
        if let Some(port) = plan.mosquitto {
            settings = settings.with(&["--mqtt-url", &format!("mqtt://{AT_MOSQUITTO}@127.0.0.1:{port}")]);
        }
        let (server, api) = Server::start(&scratch.path().join("data"), settings)?;
        let area = api.area("Thôn 1", "village", None)?;
        let simulated = (0..plan.simulated)
            .map(|number| api.enrol(&format!("Cụm loa {number}"), &area, "127.0.0.1"))
            .collect::<Result<Vec<_>>>()?;
        let enrolled_board = plan
            .board
            .then(|| api.enrol("Cụm loa thật", &area, Board::HOST))
            .transpose()?;
        // At 100 % a receiver leaves samples as they are, so that they can be compared.
        for enrolled in simulated.iter().chain(&enrolled_board) {
            let volume = serde_json::json!({ "volume": 100 });
            api.call("PATCH", &format!("/api/v1/receivers/{}", enrolled.id), Some(&volume))?
                .ok()?;
        }
        let events = api.events()?;
        // Only now are there receivers whose passwords it can be told.
        let mosquitto = plan
            .mosquitto
            .map(|port| start_mosquitto(scratch.path(), port))
            .transpose()?;
        let faults: Vec<&str> = plan.faults.iter().map(String::as_str).collect();
        let simulation = Simulation::start(&simulated, &scratch.path().join("simulated"), &faults)?;
        let board = match &enrolled_board {
            Some(enrolled) => Some(Board::boot(enrolled, &scratch.path().join("board"))?),
            None => None,
        };
        events.wait_online(plan.simulated + usize::from(plan.board), PATIENCE)?;
        Ok(Self {
            board,
            simulation,
            server,
            api,
            events,
            area,
            simulated,
            enrolled_board,
            mosquitto,
            scratch,
        })
    }

    /// A folder that goes with the village.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Where the server keeps its data.
    pub fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// Uploads and approves `file`, puts it on the air in the village at once, and gives the broadcast.
    pub fn air(&self, file: &Path) -> Result<Value> {
        let bulletin = self.api.approved(file, "Thông báo")?;
        self.api.broadcast(&bulletin, &[&self.area], None)
    }

    /// The same, waited for to its end; gives the ended broadcast.
    pub fn air_to_the_end(&self, file: &Path) -> Result<Value> {
        let broadcast = self.air(file)?;
        self.wait_done(&broadcast)
    }

    /// Waits until a broadcast is done.
    pub fn wait_done(&self, broadcast: &Value) -> Result<Value> {
        let id = broadcast["id"].as_str().context("no broadcast id")?;
        self.events
            .wait_broadcast(id, &["done", "failed", "stopped"], PATIENCE * 2)
    }

    /// The audio of a bulletin as it is stored, written to `file`.
    pub fn stored(&self, bulletin: &str, file: &Path) -> Result<()> {
        self.api.download(&format!("/api/v1/bulletins/{bulletin}/audio"), file)
    }
}

/// Starts a Mosquitto under the rules that the server on `folder` gives out.
pub fn start_mosquitto(folder: &Path, port: u16) -> Result<Process> {
    let rules = folder.join("mosquitto");
    let mut export = Command::new(loa_binary());
    export
        .args(["mosquitto", "--out"])
        .arg(&rules)
        .arg("--data")
        .arg(folder.join("data"));
    crate::speech::run(export.args(["--mqtt-url", &format!("mqtt://{AT_MOSQUITTO}@127.0.0.1:{port}")]))?;
    let config = folder.join("mosquitto.conf");
    let mut text =
        format!("listener {port} 127.0.0.1\nallow_anonymous false\nuse_username_as_clientid true\nuser root\n");
    text += &format!("acl_file {0}/acl\npassword_file {0}/passwd\n", rules.display());
    std::fs::write(&config, text)?;
    let mut process = Process::start("mosquitto", Command::new("mosquitto").arg("-v").arg("-c").arg(&config))?;
    process.wait_for_line(PATIENCE, |line| line.contains("running").then_some(()))?;
    Ok(process)
}

/// Decodes an Ogg Opus file with Debian's libopus (floating point), through ffmpeg: 48 kHz, mono.
pub fn decode_by_float_libopus(file: &Path) -> Result<Recording> {
    let raw = file.with_extension("float.pcm");
    crate::speech::run(
        Command::new("ffmpeg")
            .args(["-nostdin", "-y", "-loglevel", "error", "-c:a", "libopus", "-i"])
            .arg(file)
            .args(["-ac", "1", "-ar", "48000", "-f", "s16le"])
            .arg(&raw),
    )?;
    Recording::raw(&raw)
}
