//! What SRTP costs a receiver and packet, beside sending the same packet as it is: time and instructions.
//!
//! Method: `server/examples/transmit.rs` sends one packet of 148 bytes (sealed, or copied with as many bytes more) from one socket to
//! addresses of loopback that one socket takes and nobody reads. Time is the thread's processor time as the kernel accounts it (user and
//! kernel space; on loopback that includes the receiving side), the two in turns in one process, medians. Instructions are those of user
//! space, counted by callgrind (this machine's counters may not be read): two lengths of run, their difference over the packets between
//! them, so that start-up falls out. callgrind's processor has AES-NI and AVX2; the server's code is built with opt-level 3.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use loa_tests::repository;
use serde_json::{Value, json};

use crate::install::{self, Need};

/// Receivers, each with a key and an address of its own.
const RECEIVERS: u64 = 1000;
/// Packets to each in one turn, and turns.
const ROUNDS: u64 = 100;
const TURNS: usize = 9;
/// Packets to each under callgrind: the shorter and the longer run.
const COUNTED: (u64, u64) = (2, 12);

pub(super) fn run(as_json: bool) -> Result<()> {
    install::ensure_installed(Need::Test, false)?;
    let program = build()?;
    let (mut raw, mut sealed) = (Vec::new(), Vec::new());
    let output = call(&mut example(&program, "both", ROUNDS, TURNS))?;
    for line in output.lines() {
        let mut words = line.split(' ');
        let list = match words.next() {
            Some("Raw") => &mut raw,
            _ => &mut sealed,
        };
        list.push(
            words
                .next()
                .and_then(|number| number.parse::<f64>().ok())
                .context(output.clone())?,
        );
    }
    ensure!(raw.len() == TURNS && sealed.len() == TURNS, "{output}");
    let ratios: Vec<f64> = raw.iter().zip(&sealed).map(|(raw, sealed)| sealed / raw).collect();
    let scratch = tempfile::tempdir()?;
    let instructions = |work| instructions(&program, work, scratch.path());
    let (raw_instructions, sealed_instructions) = (instructions("raw")?, instructions("sealed")?);
    let result = json!({
        "receivers": RECEIVERS,
        "packets a turn": RECEIVERS * ROUNDS,
        "turns": TURNS,
        "raw": { "ns": median(&raw), "instructions": raw_instructions },
        "sealed": { "ns": median(&sealed), "instructions": sealed_instructions },
        "srtp": { "ns": median(&sealed) - median(&raw), "instructions": sealed_instructions - raw_instructions },
        "sealed over raw, ns": { "median": median(&ratios), "least": least(&ratios), "most": -least(&ratios.iter().map(|r| -r).collect::<Vec<_>>()) },
        "sealed over raw, instructions": sealed_instructions / raw_instructions,
        "time": "processor time of the sending thread, user and kernel space (schedstat)",
        "instructions": "user space, callgrind, difference of two runs",
    });
    match as_json {
        true => println!("{}", serde_json::to_string_pretty(&result)?),
        false => print(&result),
    }
    Ok(())
}

fn print(result: &Value) {
    println!(
        "{} receivers, a key each; {} turns of {} packets, raw and sealed alternating\n",
        result["receivers"], result["turns"], result["packets a turn"]
    );
    println!(
        "{:<28} {:>14} {:>22}",
        "a packet", "ns of processor", "instructions (user)"
    );
    for (key, name) in [
        ("raw", "copied and sent"),
        ("sealed", "copied, sealed, sent"),
        ("srtp", "SRTP alone"),
    ] {
        let number = |of: &str| result[key][of].as_f64().unwrap_or(f64::NAN);
        println!("{name:<28} {:>14.0} {:>22.0}", number("ns"), number("instructions"));
    }
    let ratio = &result["sealed over raw, ns"];
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    println!(
        "{:<28} {:>14.3} {:>22.2}\n\nratio of time in each turn: {:.3} to {:.3}",
        "sealed over raw",
        number(&ratio["median"]),
        number(&result["sealed over raw, instructions"]),
        number(&ratio["least"]),
        number(&ratio["most"]),
    );
    println!("time: {}; instructions: {}", result["time"], result["instructions"]);
}

/// The example, the server's own code as quick as in a release, everything else as tests have it.
fn build() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "-p", "loa", "--example", "transmit", "--features", "measuring"]);
    cargo.args(["--config", "profile.dev.package.loa.opt-level=3"]);
    install::run(cargo.current_dir(repository()))?;
    Ok(loa_tests::loa_binary().with_file_name("examples").join("transmit"))
}

fn example(program: &Path, work: &str, rounds: u64, repeats: usize) -> Command {
    let mut command = Command::new(program);
    command.args([
        work.to_owned(),
        RECEIVERS.to_string(),
        rounds.to_string(),
        repeats.to_string(),
    ]);
    command
}

/// User-space instructions a packet.
fn instructions(program: &Path, work: &str, scratch: &Path) -> Result<f64> {
    let count = |rounds: u64| -> Result<u64> {
        let out = scratch.join("callgrind");
        let inner = example(program, work, rounds, 1);
        let mut valgrind = Command::new("valgrind");
        valgrind
            .args(["--tool=callgrind", "--quiet"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(inner.get_program())
            .args(inner.get_args());
        call(&mut valgrind)?;
        let text = std::fs::read_to_string(&out)?;
        let total = text
            .lines()
            .find_map(|line| line.strip_prefix("summary: ").or(line.strip_prefix("totals: ")));
        total
            .and_then(|number| number.trim().parse().ok())
            .context("callgrind gave no total")
    };
    let (short, long) = COUNTED;
    Ok((count(long)? - count(short)?) as f64 / ((long - short) * RECEIVERS) as f64)
}

fn call(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}
