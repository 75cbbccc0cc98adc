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
}
