//! What an officer uploads is what receivers play: in order, complete to the sample, the same in the firmware (in QEMU) and in
//! the simulator, and within rounding of what libopus in floating point makes of the stored file.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Plan, Recording, Settings, Village, decode_by_float_libopus, speech};

/// File name, and how ffmpeg makes it of speech.
const FORMATS: &[(&str, &[&str])] = &[
    (
        "vbr.mp3",
        &[
            "-ar",
            "44100",
            "-ac",
            "2",
            "-c:a",
            "libmp3lame",
            "-q:a",
            "4",
            "-metadata",
            "title=Bản tin sáng",
        ],
    ),
    (
        "low.mp3",
        &["-ar", "8000", "-ac", "1", "-c:a", "libmp3lame", "-b:a", "16k"],
    ),
    (
        "aac.m4a",
        &[
            "-ar",
            "32000",
            "-ac",
            "2",
            "-c:a",
            "aac",
            "-b:a",
            "64k",
            "-metadata",
            "artist=Đài xã",
        ],
    ),
    ("flac.flac", &["-ar", "96000", "-ac", "2", "-c:a", "flac"]),
    ("wave.wav", &["-ar", "22050", "-ac", "1", "-c:a", "pcm_s16le"]),
    (
        "vorbis.ogg",
        &["-ar", "48000", "-ac", "2", "-c:a", "libvorbis", "-q:a", "3"],
    ),
    (
        "opus.opus",
        &["-ar", "48000", "-ac", "2", "-c:a", "libopus", "-b:a", "48k"],
    ),
];

#[test]
fn every_format_is_heard_sample_for_sample() -> Result<()> {
    let settings = Settings::default().patient();
    let plan = Plan {
        simulated: 2,
        board: true,
        settings,
        ..Plan::default()
    };
    let mut village = Village::start(plan)?;
    let files = make_files(village.folder())?;
    let mut wanted = Vec::new();
    for file in &files {
        let done = village
            .air_to_the_end(file)
            .with_context(|| format!("{}", file.display()))?;
        ensure!(done["state"] == "done", "{done}");
        let id = done["id"].as_str().context("id")?;
        let receipts = village.api.receipts(id)?;
        ensure!(receipts.len() == 3, "{} receipts", receipts.len());
        for receipt in receipts {
            ensure!(
                receipt["outcome"] == "played" && receipt["lost"] == 0 && receipt["concealed"] == 0,
                "{receipt}"
            );
            ensure!(receipt["played_ms"] == receipt["planned_ms"], "{receipt}");
        }
        let stored = file.with_extension("stored.opus");
        village.stored(done["bulletin_id"].as_str().context("bulletin")?, &stored)?;
        wanted.push(decode_by_float_libopus(&stored)?);
    }
    village.simulation.finish()?;
    let simulated = village.simulation.recording(&village.simulated[0].id)?;
    let other = village.simulation.recording(&village.simulated[1].id)?;
    let firmware = village.board.as_ref().context("a board was planned")?.recording()?;
    let two = simulated.difference(&other);
    ensure!(
        two.is_none(),
        "two simulated receivers played different samples: {two:?}"
    );
    let (mut one, mut two) = (&simulated.0[..], &firmware.0[..]);
    for (want, (name, _)) in wanted.iter().zip(FORMATS) {
        let length = want.0.len().min(one.len()).min(two.len());
        let difference = Recording(one[..length].to_vec()).difference(&Recording(two[..length].to_vec()));
        println!(
            "{name}: simulator and firmware: {}",
            difference.as_deref().unwrap_or("the same samples")
        );
        (one, two) = (&one[length..], &two[length..]);
    }
    let difference = simulated.difference(&firmware);
    ensure!(
        difference.is_none(),
        "the firmware plays other samples than the simulator: {difference:?}"
    );

    // One after the other, with nothing between and nothing missing.
    let total: usize = wanted.iter().map(|one| one.0.len()).sum();
    ensure!(
        total == firmware.0.len(),
        "{total} samples were stored, {} played",
        firmware.0.len()
    );
    let mut rest = &firmware.0[..];
    for (want, (name, _)) in wanted.iter().zip(FORMATS) {
        let (played, after) = rest.split_at(want.0.len());
        let snr = Recording(played.to_vec()).snr(want);
        println!(
            "{name}: {:.2} s, {snr:.1} dB against libopus in floating point",
            want.seconds()
        );
        ensure!(snr >= 60.0, "{name}: only {snr:.1} dB");
        rest = after;
    }
    Ok(())
}

fn make_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let speech = folder.join("speech.wav");
    speech::speak("Xin chào bà con, đây là bản tin của đài truyền thanh xã.", &speech)?;
    let make = |(name, options): &(&str, &[&str])| {
        let file = folder.join(name);
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg
            .args(["-nostdin", "-y", "-loglevel", "error", "-i"])
            .arg(&speech)
            .args(*options)
            .arg(&file);
        speech::run(&mut ffmpeg).map(|()| file)
    };
    FORMATS.iter().map(make).collect()
}
