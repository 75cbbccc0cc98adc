//! A broker in other hands: a Mosquitto whose owner reads, keeps, invents and repeats whatever he likes. Not here: one that keeps the
//! rules which the server gives out ([`crate::start_mosquitto`]).

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{PATIENCE, Process, Settings, scratch_port, speech};

/// Marks a message in what a [`Tap`] prints.
const MARK: &str = "LOA ";

/// A running broker; ends when dropped.
#[derive(Debug)]
pub struct Outside {
    process: Process,
    port: u16,
    folder: TempDir,
}

/// What passes through the broker from now on; ends when dropped.
#[derive(Debug)]
pub struct Tap(Process);

/// A message: its topic and what is in it.
pub type Message = (String, Vec<u8>);

impl Outside {
    /// Starts it and waits until it runs. Everybody may do everything there.
    pub fn start() -> Result<Self> {
        let (folder, port) = (tempfile::tempdir()?, scratch_port()?);
        let config = folder.path().join("mosquitto.conf");
        std::fs::write(&config, format!("listener {port} 127.0.0.1\nallow_anonymous true\n"))?;
        let mut process = Process::start("mosquitto", Command::new("mosquitto").arg("-v").arg("-c").arg(&config))?;
        process.wait_for_line(PATIENCE, |line| line.contains("running").then_some(()))?;
        Ok(Self { process, port, folder })
    }

    /// A server that speaks over it.
    pub fn settings(&self, settings: Settings) -> Settings {
        settings.with(&["--mqtt-url", &format!("mqtt://127.0.0.1:{}", self.port)])
    }

    /// Waits until the broker's log says what `wanted` makes something of.
    pub fn wait_for_line<T>(&mut self, patience: Duration, wanted: impl FnMut(&str) -> Option<T>) -> Result<T> {
        self.process.wait_for_line(patience, wanted)
    }

    /// Publishes; returns once the broker has it.
    pub fn publish(&self, topic: &str, payload: &[u8]) -> Result<()> {
        self.send(topic, payload, &[])
    }

    /// Publishes what everybody is told, too, who comes later.
    pub fn retain(&self, topic: &str, payload: &[u8]) -> Result<()> {
        self.send(topic, payload, &["-r"])
    }

    /// Listens to `filter`.
    pub fn tap(&self, filter: &str) -> Result<Tap> {
        // Lines as they come: into a pipe they would wait for a full buffer.
        let mut listen = Command::new("stdbuf");
        listen.args([
            "-oL",
            "mosquitto_sub",
            "-d",
            "-q",
            "1",
            "-F",
            &format!("{MARK}%t %x"),
            "-t",
            filter,
        ]);
        let mut process = Process::start("mosquitto_sub", listen.args(self.place()))?;
        process.wait_for_line(PATIENCE, |line| line.contains("SUBACK").then_some(()))?;
        Ok(Tap(process))
    }

    fn send(&self, topic: &str, payload: &[u8], more: &[&str]) -> Result<()> {
        let file = self.folder.path().join("message");
        std::fs::write(&file, payload)?;
        let mut publish = Command::new("mosquitto_pub");
        publish
            .args(self.place())
            .args(["-q", "1", "-t", topic, "-f"])
            .arg(&file);
        speech::run(publish.args(more))
    }

    fn place(&self) -> [String; 4] {
        ["-h", "127.0.0.1", "-p", &self.port.to_string()].map(str::to_owned)
    }
}

impl Tap {
    /// What has passed and was not waited for.
    pub fn heard(&self) -> Vec<Message> {
        self.0.lines().iter().filter_map(|line| message(line)).collect()
    }

    /// Waits until something passes that `wanted` makes something of.
    pub fn wait<T>(&mut self, patience: Duration, mut wanted: impl FnMut(&Message) -> Option<T>) -> Result<T> {
        self.0.wait_for_line(patience, |line| wanted(&message(line)?))
    }
}

fn message(line: &str) -> Option<Message> {
    let (topic, payload) = line.strip_prefix(MARK)?.split_once(' ')?;
    Some((topic.to_owned(), bytes(payload).ok()?))
}

/// What hexadecimal digits mean.
fn bytes(digits: &str) -> Result<Vec<u8>> {
    let byte = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    let bytes: Result<_> = digits.as_bytes().chunks(2).map(byte).collect();
    bytes.with_context(|| format!("{digits} is not hexadecimal"))
}
