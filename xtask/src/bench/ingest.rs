//! What it costs to make a programme of a file, beside ffmpeg doing the same: both measure loudness (EBU R 128), level it to -16 LUFS under
//! -1 dBTP, and encode mono Opus at 32 kbit/s, complexity 10, in packets of 60 ms.
//!
//! Method: `server/examples/ingest.rs` against `ffmpeg -af loudnorm` in two passes (measure; then level linearly by what was measured, and
//! encode), on the same files in the same run, one after the other, some turns each; medians. Processor time is user and kernel space: ours as the
//! kernel accounts the one thread, ffmpeg's as it says itself (`-benchmark`), both passes. ffmpeg mixes to mono before it measures,
//! to have no more to do than we. Ours also takes a fingerprint, draws an outline, decodes what it encoded and waits for the disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use loa_tests::{repository, speech};
use serde_json::{Value, json};

use crate::install::{self, Need};

/// Seconds of sound in each file.
const LENGTH: &str = "600";
const TURNS: usize = 3;
/// The processor time of ffmpeg that ours is to stay under.
const GOAL: f64 = 0.5;

/// The files: name, and how ffmpeg makes each of looped speech.
const FILES: &[(&str, &[&str])] = &[
    (
        "speech.mp3",
        &["-ar", "44100", "-ac", "2", "-c:a", "libmp3lame", "-b:a", "128k"],
    ),
    (
        "speech.m4a",
        &["-ar", "48000", "-ac", "2", "-c:a", "aac", "-b:a", "128k"],
    ),
    ("faint.wav", &["-af", "volume=-20dB", "-ar", "44100", "-ac", "2"]),
];

pub(super) fn run(as_json: bool) -> Result<()> {
    install::ensure_installed(Need::Test, false)?;
    let program = build()?;
    let scratch = tempfile::tempdir()?;
    let spoken = scratch.path().join("spoken.wav");
    speech::speak(speech::ANNOUNCEMENT, &spoken)?;
    let mut rows = Vec::new();
    for (name, options) in FILES {
        let file = scratch.path().join(name);
        let mut make = ffmpeg();
        make.args(["-stream_loop", "-1", "-i"]).arg(&spoken);
        speech::run(make.args(["-t", LENGTH]).args(*options).arg(&file))?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut said = Value::Null;
        for _ in 0..TURNS {
            let numbers = our_turn(&program, &file)?;
            let hour = 3600.0 / numbers[1];
            said = json!({ "before": numbers[2], "after": numbers[3] });
            ours.push(numbers[0] * hour);
            theirs.push(their_turn(&file)? * hour);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        rows.push(json!({
            "file": name, "ours": ours, "ffmpeg": theirs, "ratio": ours / theirs,
            "our LUFS": said, "ffmpeg LUFS": loudness(&file.with_extension("theirs.opus"))?,
        }));
    }
    let worst = rows.iter().filter_map(|row| row["ratio"].as_f64()).fold(0.0, f64::max);
    let result = json!({
        "unit": "seconds of processor time for an hour of sound", "turns": TURNS, "seconds of sound": LENGTH,
        "files": rows, "worst ratio": worst, "goal": GOAL, "met": worst <= GOAL,
    });
    match as_json {
        true => println!("{}", serde_json::to_string_pretty(&result)?),
        false => print(&result),
    }
    Ok(())
}

fn print(result: &Value) {
    println!("{} (medians of {TURNS})\n", result["unit"].as_str().unwrap_or_default());
    println!(
        "{:<12} {:>8} {:>8} {:>8}   LUFS, ours and ffmpeg's",
        "file", "ours", "ffmpeg", "ratio"
    );
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    for row in result["files"].as_array().into_iter().flatten() {
        println!(
            "{:<12} {:>8.1} {:>8.1} {:>8.3}   {:.1} became {:.1} and {:.1}",
            row["file"].as_str().unwrap_or_default(),
            number(&row["ours"]),
            number(&row["ffmpeg"]),
            number(&row["ratio"]),
            number(&row["our LUFS"]["before"]),
            number(&row["our LUFS"]["after"]),
            number(&row["ffmpeg LUFS"]),
        );
    }
    let met = if result["met"] == true { "met" } else { "not met" };
    println!(
        "\nworst ratio {:.3}; the goal of {GOAL} is {met}",
        number(&result["worst ratio"])
    );
}

/// The example, with all that has to do with samples as quick as in a release.
fn build() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "-p", "loa", "--example", "ingest"]);
    cargo.args(["--config", "profile.dev.package.loa.opt-level=3"]);
    install::run(cargo.current_dir(repository()))?;
    Ok(loa_tests::loa_binary().with_file_name("examples").join("ingest"))
}

fn our_turn(program: &Path, file: &Path) -> Result<[f64; 4]> {
    let output = call(Command::new(program).arg(file).arg(file.with_extension("ours.opus")))?.0;
    let numbers: Vec<f64> = output.split_whitespace().filter_map(|it| it.parse().ok()).collect();
    numbers.try_into().ok().context(output)
}

/// Processor time of both passes, in seconds.
fn their_turn(file: &Path) -> Result<f64> {
    const LEVEL: &str = "aformat=channel_layouts=mono,loudnorm=I=-16:TP=-1:LRA=11";
    let mut measure = ffmpeg();
    measure.args(["-benchmark", "-i"]).arg(file);
    measure.args(["-af", &format!("{LEVEL}:print_format=json"), "-f", "null", "-"]);
    let measured = call(&mut measure)?.1;
    let (start, end) = (measured.rfind('{'), measured.rfind('}'));
    let text = start.zip(end).and_then(|(start, end)| measured.get(start..=end));
    let found: Value = serde_json::from_str(text.with_context(|| measured.clone())?)?;
    let value = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let filter = format!(
        "{LEVEL}:linear=true:measured_I={}:measured_TP={}:measured_LRA={}:measured_thresh={}:offset={},aresample=48000",
        value("input_i"),
        value("input_tp"),
        value("input_lra"),
        value("input_thresh"),
        value("target_offset"),
    );
    let mut level = ffmpeg();
    level.args(["-benchmark", "-i"]).arg(file).args(["-af", &filter]);
    level.args([
        "-c:a",
        "libopus",
        "-b:a",
        "32k",
        "-compression_level",
        "10",
        "-frame_duration",
        "60",
    ]);
    let levelled = call(level.arg(file.with_extension("theirs.opus")))?.1;
    Ok(benchmark(&measured)? + benchmark(&levelled)?)
}

/// What ffmpeg says that it took: user and system time, in seconds.
fn benchmark(text: &str) -> Result<f64> {
    let line = text.lines().find(|line| line.starts_with("bench: utime="));
    let line = line.with_context(|| text.to_owned())?;
    let times = line.split_whitespace().filter_map(|word| word.split_once('='));
    let seconds = times.filter(|(key, _)| *key != "rtime");
    seconds
        .map(|(_, time)| Ok(time.trim_end_matches('s').parse::<f64>()?))
        .sum()
}

/// As ffmpeg's meter has it, in LUFS.
fn loudness(file: &Path) -> Result<f64> {
    let mut measure = ffmpeg();
    measure.arg("-i").arg(file).args(["-af", "ebur128", "-f", "null", "-"]);
    let text = call(&mut measure)?.1;
    let last = text.lines().rev().find_map(|line| line.trim().strip_prefix("I:"));
    let number = last.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.context(text)
}

fn ffmpeg() -> Command {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-hide_banner", "-nostats", "-y"]);
    ffmpeg
}

/// What it prints, to both.
fn call(command: &mut Command) -> Result<(String, String)> {
    let output = command
        .output()
        .with_context(|| format!("{command:?} cannot be started"))?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?}: {errors}");
    Ok((String::from_utf8(output.stdout)?, errors))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
