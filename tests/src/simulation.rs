//! `loa simulate` as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{Enrolled, Process, Recording, loa_binary};

/// What a simulation writes when it ends, in its folder.
const REPORT: &str = "report.json";
/// Where the devices' flashes are, in its folder.
const ENROLMENTS: &str = "enrolments";

/// Running simulated receivers.
#[derive(Debug)]
pub struct Simulation {
    process: Process,
    folder: PathBuf,
}

impl Simulation {
    /// Starts the simulated receivers `enrolled`; what they play is kept below `folder`. `arguments` orders faults.
    pub fn start(enrolled: &[Enrolled], folder: &Path, arguments: &[&str]) -> Result<Self> {
        let flashes: Vec<_> = enrolled.iter().map(|one| (&*one.id, &*one.enrolment)).collect();
        Self::flashed(&flashes, folder, arguments)
    }

    /// Starts devices with these in their flash, each under a name: enrolments or claim configurations.
    pub fn flashed(flashes: &[(&str, &[u8])], folder: &Path, arguments: &[&str]) -> Result<Self> {
        let enrolments = folder.join(ENROLMENTS);
        std::fs::create_dir_all(&enrolments)?;
        for (name, flash) in flashes {
            std::fs::write(enrolments.join(format!("{name}.enrolment")), flash)?;
        }
        Self::again(folder, arguments)
    }

    /// Starts devices that ran in `folder` before, with what they had stored themselves since.
    pub fn again(folder: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(loa_binary());
        command.args(["simulate", "--enrolments"]).arg(folder.join(ENROLMENTS));
        command
            .arg("--wav")
            .arg(folder)
            .arg("--report")
            .arg(folder.join(REPORT))
            .args(arguments);
        Ok(Self {
            process: Process::start("loa simulate", &mut command)?,
            folder: folder.to_owned(),
        })
    }

    /// Ends them in order, so that recordings and report are whole, and gives the report.
    pub fn finish(&mut self) -> Result<Value> {
        self.process.terminate(Duration::from_secs(30))?;
        let report = self.folder.join(REPORT);
        let text = std::fs::read_to_string(&report).with_context(|| format!("{}", report.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Waits until its log says what `wanted` makes something of.
    pub fn wait_for_line<T>(&mut self, wanted: impl FnMut(&str) -> Option<T>) -> Result<T> {
        self.process.wait_for_line(crate::PATIENCE, wanted)
    }

    /// What is in the flash of the device `name` now.
    pub fn flash(&self, name: &str) -> Result<Vec<u8>> {
        let file = self.folder.join(ENROLMENTS).join(format!("{name}.enrolment"));
        std::fs::read(&file).with_context(|| format!("{}", file.display()))
    }

    /// Kills them as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// What `receiver` played: whole only after [`Simulation::finish`].
    pub fn recording(&self, receiver: &str) -> Result<Recording> {
        Recording::wav(&self.folder.join(format!("{}.wav", receiver.replace('-', ""))))
    }

    /// What `receiver` played and when: whole only after [`Simulation::finish`].
    pub fn heard(&self, receiver: &str) -> Result<Heard> {
        let index = self.folder.join(format!("{}.jsonl", receiver.replace('-', "")));
        let text = std::fs::read_to_string(&index).with_context(|| format!("{}", index.display()))?;
        let stretches = text.lines().map(serde_json::from_str).collect::<Result<Vec<_>, _>>()?;
        let samples = self.recording(receiver)?.0;
        Ok(Heard { samples, stretches })
    }
}

/// What a receiver played, and when.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The samples, in order.
    pub samples: Vec<i16>,
    stretches: Vec<Value>,
}

impl Heard {
    /// When sample `n` sounded, in microseconds since 1970.
    pub fn at(&self, n: usize) -> Option<u64> {
        self.stretches.iter().find_map(|stretch| {
            let of = |key: &str| stretch[key].as_u64();
            let within = (n as u64)
                .checked_sub(of("first")?)
                .filter(|within| *within < of("samples").unwrap_or(0))?;
            Some(of("at")? + within * 1_000_000 / 48_000)
        })
    }

    /// What sounded from one instant to another (microseconds since 1970), silence included.
    pub fn between(&self, from: u64, to: u64) -> Vec<i16> {
        let mut heard = vec![0; (to.saturating_sub(from) * 48 / 1000) as usize];
        for stretch in &self.stretches {
            let of = |key: &str| stretch[key].as_u64().unwrap_or_default();
            let samples = self
                .samples
                .iter()
                .skip(of("first") as usize)
                .take(of("samples") as usize);
            for (n, sample) in samples.enumerate() {
                let at = of("at") + n as u64 * 1_000_000 / 48_000;
                if let Some(place) = at
                    .checked_sub(from)
                    .and_then(|since| heard.get_mut((since * 48 / 1000) as usize))
                {
                    *place = *sample;
                }
            }
        }
        heard
    }
}
