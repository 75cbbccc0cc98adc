//! `loa simulate` as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{Enrolled, Process, Recording, loa_binary};

/// What a simulation writes when it ends, in its folder.
const REPORT: &str = "report.json";

/// Running simulated receivers.
#[derive(Debug)]
pub struct Simulation {
    process: Process,
    folder: PathBuf,
}

impl Simulation {
    /// Starts the simulated receivers `enrolled`; what they play is kept below `folder`. `arguments` orders faults.
    pub fn start(enrolled: &[Enrolled], folder: &Path, arguments: &[&str]) -> Result<Self> {
        let enrolments = folder.join("enrolments");
        std::fs::create_dir_all(&enrolments)?;
        for one in enrolled {
            std::fs::write(enrolments.join(format!("{}.enrolment", one.id)), &one.enrolment)?;
        }
        let mut command = Command::new(loa_binary());
        command
            .args(["simulate", "--receivers", &enrolled.len().to_string(), "--enrolments"])
            .arg(&enrolments);
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
