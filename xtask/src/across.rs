//! The tests across crates. Each is a program that starts whole systems and listens to them in real time, mostly waiting: here two
//! run side by side, the longest first. What failed beside another is tried once more by itself, since a machine that is too busy is no fault of
//! the code; that it was needed is said.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use loa_tests::repository;

use crate::install;

/// The one that takes longest, by far.
const FIRST: &str = "console_in_a_real_browser";
/// Those that time how quick sound is: nothing runs beside them.
const ALONE: &[&str] = &["a_voice_is_heard_within_600_ms"];
const LANES: usize = 2;

struct Program {
    name: String,
    path: PathBuf,
}

impl Program {
    /// Runs it; what it prints is shown in one piece.
    fn run(&self) -> Result<Output> {
        let mut program = Command::new(&self.path);
        // As `cargo test` runs it.
        let folder = repository().join("tests");
        program.arg("--test-threads=1").current_dir(&folder);
        program.env("CARGO_MANIFEST_DIR", &folder);
        program
            .output()
            .with_context(|| format!("{} cannot be started", self.path.display()))
    }

    /// Whether it passed.
    fn passes(&self) -> Result<bool> {
        let begun = Instant::now();
        let output = self.run()?;
        let verdict = if output.status.success() { "passed" } else { "FAILED" };
        let said = [output.stdout, output.stderr].concat();
        println!(
            "\n--- {} {verdict} ({} s)\n{}",
            self.name,
            begun.elapsed().as_secs(),
            String::from_utf8_lossy(&said)
        );
        Ok(output.status.success())
    }
}

pub(crate) fn run() -> Result<()> {
    let (alone, mut beside): (Vec<_>, Vec<_>) = build()?.into_iter().partition(|it| ALONE.contains(&it.name.as_str()));
    // The last is taken first.
    beside.sort_by(|a, b| (a.name == FIRST).cmp(&(b.name == FIRST)).then(b.name.cmp(&a.name)));
    let (queue, again) = (Mutex::new(beside), Mutex::new(alone));
    let lane = || -> Result<()> {
        loop {
            let next = queue.lock().ok().and_then(|mut queue| queue.pop());
            let Some(program) = next else { return Ok(()) };
            if !program.passes()? {
                again
                    .lock()
                    .map_err(|_| anyhow::anyhow!("another lane broke off"))?
                    .push(program);
            }
        }
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes
            .into_iter()
            .try_for_each(|lane| lane.join().unwrap_or_else(|_| bail!("a lane broke off")))
    })?;
    let mut failed = Vec::new();
    for program in again.into_inner().unwrap_or_default() {
        let name = &program.name;
        if !ALONE.contains(&name.as_str()) {
            println!("\n{name} failed beside another; once more by itself");
        }
        if !program.passes()? {
            failed.push(name.clone());
        }
    }
    ensure!(failed.is_empty(), "these failed: {}", failed.join(", "));
    Ok(())
}

/// Builds them; gives all.
fn build() -> Result<Vec<Program>> {
    let build = ["test", "-p", "loa-tests", "--no-run"];
    install::run(Command::new("cargo").args(build).current_dir(repository()))?;
    let mut listing = Command::new("cargo");
    listing
        .args(build)
        .args(["--message-format=json"])
        .current_dir(repository());
    install::as_if_alone(&mut listing);
    let listing = listing.output()?;
    ensure!(listing.status.success(), "{listing:?}");
    let mut programs = Vec::new();
    for line in String::from_utf8(listing.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if let (Some(path), Some(name)) = (message["executable"].as_str(), message["target"]["name"].as_str())
            && message["profile"]["test"] == true
        {
            programs.push(Program {
                name: name.to_owned(),
                path: path.into(),
            });
        }
    }
    ensure!(!programs.is_empty(), "no tests were built");
    Ok(programs)
}
