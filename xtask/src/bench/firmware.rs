//! What the receiver costs: bytes of both images, and instructions while it plays, beside libopus' own on the same packets.
//!
//! Method: the image for QEMU, built with its feature `measure`, plays a real broadcast of a real server under `-icount
//! shift=0`: QEMU then counts instructions, not time, and the board writes them to `measure.json` (firmware/boards/qemu/src/measure.rs). They are
//! instructions of an Arm Cortex-M33, not cycles: QEMU knows no pipeline and no flash. "Half of a chip" assumes one cycle an
//! instruction and says so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Board, Server, Settings, repository, speech};
use serde_json::{Value, json};

use crate::firmware::{IMAGES, TARGET, image, parts, sizes};
use crate::install::{self, Need};

/// The chip that one buys: an RP2350's core at its usual clock.
const CLOCK: f64 = 150e6;

/// What is played: a name, bits per second, milliseconds in a packet, and how ffmpeg makes it from nothing.
const MODES: &[(&str, u32, u32, Source)] = &[
    ("speech 32 kbit/s 60 ms", 32_000, 60, Source::Speech),
    ("speech 24 kbit/s 20 ms", 24_000, 20, Source::Speech),
    ("music 32 kbit/s 60 ms", 32_000, 60, Source::Music),
    ("music 64 kbit/s 20 ms", 64_000, 20, Source::Music),
];

#[derive(Clone, Copy)]
enum Source {
    Speech,
    /// Chords with noise: as hard to encode as a jingle.
    Music,
}

pub(super) fn run(as_json: bool) -> Result<()> {
    install::ensure_installed(Need::Demo, false)?;
    install::build_server()?;
    for name in IMAGES {
        crate::firmware::build(name)?;
    }
    let measuring = build_measuring()?;
    let mut images = Vec::new();
    for name in IMAGES {
        let sizes = sizes(&image(name))?;
        images.push(json!({
            "image": name, "parts": parts(&image(name))?, "flash": sizes.flash(), "text": sizes.text, "rodata": sizes.rodata, "data": sizes.data, "bss": sizes.bss,
        }));
    }
    let mut modes = Vec::new();
    for (name, bitrate, packet_ms, source) in MODES {
        eprintln!("measuring: {name}");
        modes.push(summary(name, &measure(&measuring, *bitrate, *packet_ms, *source)?)?);
    }
    let result = json!({ "images": images, "modes": modes });
    match as_json {
        true => println!("{}", serde_json::to_string_pretty(&result)?),
        false => print(&result),
    }
    Ok(())
}

/// The measuring image, beside the one that is shipped.
fn build_measuring() -> Result<PathBuf> {
    let boards = repository().join("firmware/boards");
    let target = boards.join("target/measure");
    let mut cargo = Command::new("cargo");
    cargo
        .args([
            "build",
            "--release",
            "-p",
            IMAGES[0],
            "--features",
            "measure",
            "--target-dir",
        ])
        .arg(&target);
    install::run(cargo.current_dir(boards))?;
    Ok(target.join(TARGET).join("release").join(IMAGES[0]))
}

/// Plays `source` to the measuring board and gives what it wrote.
fn measure(measuring: &Path, bitrate: u32, packet_ms: u32, source: Source) -> Result<Value> {
    let scratch = tempfile::tempdir()?;
    let (bitrate, packet_ms) = (bitrate.to_string(), packet_ms.to_string());
    let settings =
        Settings::default()
            .host(Board::HOST)
            .with(&["--media-bitrate", &bitrate, "--media-packet-ms", &packet_ms]);
    let (_server, api) = Server::start(&scratch.path().join("data"), settings)?;
    let area = api.area("Thôn 1", "village", None)?;
    let enrolled = api.enrol("Cụm loa", &area, Board::HOST)?;
    let events = api.events()?;
    let folder = scratch.path().join("board");
    let mut board = Board::boot_image(measuring, &enrolled, &folder, &["-icount", "shift=0"])?;
    events.wait_online(1, Duration::from_secs(120))?;
    let bulletin = api.approved(&sound(source, scratch.path())?, "Đo")?;
    api.broadcast(&bulletin, &[&area], None)?;
    board.wait_for_line(Duration::from_secs(180), |line| {
        line.contains("measure.json written").then_some(())
    })?;
    let text = std::fs::read_to_string(folder.join("measure.json"))?;
    serde_json::from_str(&text).with_context(|| text)
}

fn sound(source: Source, folder: &Path) -> Result<PathBuf> {
    let file = folder.join("sound.wav");
    match source {
        Source::Speech => speech::speak(speech::ANNOUNCEMENT, &file)?,
        Source::Music => write_music(&file)?,
    }
    Ok(file)
}

/// Ten seconds of changing chords with some noise, the same every time.
fn write_music(file: &Path) -> Result<()> {
    let (mut noise, rate) = (0x2545_F491_u32, 48_000);
    let samples = (0..10 * rate).map(|n| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let time = n as f64 / rate as f64;
        let root = 110.0 * 2f64.powf(f64::from([0, 5, 7, 3][(time * 2.0) as usize % 4]) / 12.0);
        let chord: f64 = [1.0, 1.26, 1.5, 2.0, 4.0, 8.0]
            .iter()
            .map(|partial| (std::f64::consts::TAU * root * partial * time).sin() / partial)
            .sum();
        let hiss = f64::from(noise) / f64::from(u32::MAX) - 0.5;
        ((chord * 0.15 + hiss * 0.1) * 32_767.0) as i16
    });
    loa_tests::Recording(samples.collect()).write_wav(file)
}

/// Ratios of one measurement.
fn summary(name: &str, measured: &Value) -> Result<Value> {
    let of = |path: &str| {
        measured
            .pointer(path)
            .and_then(Value::as_f64)
            .with_context(|| format!("no {path} in {measured}"))
    };
    ensure!(
        (of("/per_tick")? - 50.0).abs() < 0.5,
        "QEMU did not count instructions: {measured}"
    );
    let alone = of("/alone/instructions")?;
    let decoder = of("/decode/instructions")? + of("/conceal/instructions")?;
    let receiver = of("/datagram/instructions")? + of("/message/instructions")? + of("/timer/instructions")?;
    let seconds = of("/microseconds")? / 1e6;
    let awake = of("/awake")?;
    Ok(json!({
        "mode": name,
        "frames": of("/decode/times")?,
        "decoder per frame": decoder / (of("/decode/times")? + of("/conceal/times")?),
        "libopus alone per frame": alone / of("/alone/times")?,
        "datagram": of("/datagram/instructions")? / of("/datagram/times")?,
        "receiver over libopus": receiver / alone,
        "all per second": awake / seconds,
        "all over libopus": awake / alone - 1.0,
        "stack": of("/stack")?,
        "share of 150 MHz at one cycle an instruction": awake / seconds / CLOCK,
        "raw": measured,
    }))
}

fn print(result: &Value) {
    for image in result["images"].as_array().into_iter().flatten() {
        println!(
            "{}: flash {} B (text {}, rodata {}, data {}), static RAM {} B (data {}, bss {})",
            image["image"].as_str().unwrap_or("?"),
            image["flash"],
            image["text"],
            image["rodata"],
            image["data"],
            image["data"].as_u64().unwrap_or(0) + image["bss"].as_u64().unwrap_or(0),
            image["data"],
            image["bss"],
        );
        for part in image["parts"].as_array().into_iter().flatten() {
            println!(
                "    {:<24} flash {:>7} B, static RAM {:>7} B",
                part[0].as_str().unwrap_or("?"),
                part[1],
                part[2]
            );
        }
    }
    let stacks = result["modes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|mode| mode["stack"].as_f64());
    println!(
        "stack at its deepest, TLS included (painted, on QEMU's board): {:.0} B",
        stacks.fold(0.0, f64::max)
    );
    println!("\ninstructions of a Cortex-M33, counted by QEMU (-icount shift=0)");
    println!(
        "{:<24} {:>12} {:>14} {:>10} {:>12} {:>12} {:>10} {:>9}",
        "mode", "decode/frame", "libopus alone", "datagram", "receiver/lib", "all per s", "all/lib-1", "of 150M"
    );
    for mode in result["modes"].as_array().into_iter().flatten() {
        let number = |key: &str| mode[key].as_f64().unwrap_or(f64::NAN);
        println!(
            "{:<24} {:>12.0} {:>14.0} {:>10.0} {:>11.1}% {:>12.0} {:>9.1}% {:>8.1}%",
            mode["mode"].as_str().unwrap_or("?"),
            number("decoder per frame"),
            number("libopus alone per frame"),
            number("datagram"),
            number("receiver over libopus") * 100.0,
            number("all per second"),
            number("all over libopus") * 100.0,
            number("share of 150 MHz at one cycle an instruction") * 100.0,
        );
    }
}
