//! The programs that tests are: built all at once, then run. Here: those beside the code, one after the other; those across crates, which
//! start whole systems and listen to them in real time, mostly waiting, two side by side, the longest first. What failed beside another
//! is tried once more by itself, since a machine that is too busy is no fault of the code; that it was needed is said.
//!
//! All at once because what cargo builds of a dependency depends on which of our packages are built with it: built one by one, a hundred crates would
//! be built twice, and our own, too.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use loa_tests::repository;

use crate::install;

/// The one that takes longest, by far.
const FIRST: &str = "console_in_a_real_browser";
/// Those that time how quick sound is: nothing runs beside them.
const ALONE: &[&str] = &["a_voice_is_heard_within_600_ms", "a_browser_is_heard_within_600_ms"];
const LANES: usize = 2;
/// What is built: the server and the simulator are among the binaries.
const BUILD: &[&str] = &["build", "--workspace", "--lib", "--bins", "--tests"];

struct Program {
    name: String,
    path: PathBuf,
    /// The folder of its package.
    package: PathBuf,
}

impl Program {
    /// As `cargo test` would run it.
    fn command(&self) -> Command {
        let mut program = Command::new(&self.path);
        program
            .current_dir(&self.package)
            .env("CARGO_MANIFEST_DIR", &self.package);
        program
    }

    fn is_across(&self) -> bool {
        self.package == repository().join("tests")
    }

    /// Whether it passed; what it prints is shown in one piece.
    fn passes(&self) -> Result<bool> {
        let begun = Instant::now();
        let mut program = self.command();
        let output = program.arg("--test-threads=1").stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("{} cannot be started", self.path.display()))?;
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

/// Builds the server and all tests.
pub(crate) fn build() -> Result<()> {
    install::run(Command::new("cargo").args(BUILD).current_dir(repository()))
}

/// Runs the tests of each crate by itself.
pub(crate) fn beside_the_code() -> Result<()> {
    let mut failed = Vec::new();
    for program in list()?.iter().filter(|it| !it.is_across()) {
        println!("\n--- {}", program.name);
        if !program.command().status()?.success() {
            failed.push(program.name.clone());
        }
    }
    none(&failed)
}

/// Runs the tests of the whole.
pub(crate) fn across_crates() -> Result<()> {
    let across = list()?.into_iter().filter(Program::is_across);
    let (alone, mut beside): (Vec<_>, Vec<_>) = across.partition(|it| ALONE.contains(&it.name.as_str()));
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
    none(&failed)
}

fn none(failed: &[String]) -> Result<()> {
    ensure!(failed.is_empty(), "these failed: {}", failed.join(", "));
    Ok(())
}

/// All programs that were built.
fn list() -> Result<Vec<Program>> {
    let mut listing = Command::new("cargo");
    listing
        .args(BUILD)
        .arg("--message-format=json")
        .current_dir(repository());
    install::as_if_alone(&mut listing);
    let listing = listing.stderr(Stdio::inherit()).output()?;
    ensure!(
        listing.status.success(),
        "cargo could not list the tests ({})",
        listing.status
    );
    let mut programs = Vec::new();
    for line in String::from_utf8(listing.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let (path, name, manifest) = (
            text(&message["executable"]),
            text(&message["target"]["name"]),
            text(&message["manifest_path"]),
        );
        if let (Some(path), Some(name), Some(manifest)) = (path, name, manifest)
            && message["profile"]["test"] == true
        {
            let package = PathBuf::from(manifest)
                .parent()
                .context("a manifest in no folder")?
                .to_owned();
            programs.push(Program {
                name,
                path: path.into(),
                package,
            });
        }
    }
    ensure!(!programs.is_empty(), "no tests were built");
    Ok(programs)
}
