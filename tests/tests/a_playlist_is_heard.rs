//! Files in a playlist are heard one after the other, with the programmed silence between them, and end when they should: by
//! hand, and by turns where a schedule makes them.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use loa_tests::{PATIENCE, Plan, Recording, Village};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Samples of a receiver's frame, at 48 kHz: 20 ms.
const FRAME: usize = 960;
const GAP_MS: usize = 1250;

/// A tone from the first sample to the last.
fn tone(village: &Village, hertz: f64, samples: usize) -> Result<PathBuf> {
    let file = village.folder().join(format!("{hertz}.wav"));
    let step = hertz * std::f64::consts::TAU / 48_000.0;
    let wave = (0..samples).map(|n| ((n as f64 * step).sin() * 12_000.0) as i16);
    Recording(wave.collect()).write_wav(&file)?;
    Ok(file)
}

/// Where something sounds: from sample to sample.
fn stretches(samples: &[i16]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (n, _) in samples.iter().enumerate().filter(|it| it.1.unsigned_abs() > 1500) {
        match found.last_mut() {
            Some(last) if n - last.1 < 4800 => last.1 = n,
            _ => found.push((n, n)),
        }
    }
    found
}

/// The playlist, once it is composed.
fn composed(village: &Village, body: &Value) -> Result<Value> {
    let id = village.api.post("/api/v1/playlists", body)?["id"].clone();
    let look = || {
        let all = village.api.get("/api/v1/playlists").ok()?;
        let mut all = all.as_array()?.iter();
        all.find(|it| it["id"] == id && it["state"] == "ready").cloned()
    };
    match look() {
        Some(it) => Ok(it),
        None => village.events.wait("the playlist's sound", PATIENCE, |name, _| {
            (name == "playlists").then(look).flatten()
        }),
    }
}

fn micros(value: &Value) -> Result<u64> {
    let at = OffsetDateTime::parse(value.as_str().context("an instant")?, &Rfc3339)?;
    Ok(u64::try_from(at.unix_timestamp_nanos() / 1000)?)
}

#[test]
fn a_playlist_is_heard_with_its_gaps_and_ends_in_time() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: 1,
        ..Plan::default()
    })?;
    // Lengths that no frame and no packet is a multiple of.
    let lengths = [96_123, 72_001];
    let one = village.api.approved(&tone(&village, 500.0, lengths[0])?, "Bài một")?;
    let two = village.api.approved(&tone(&village, 700.0, lengths[1])?, "Bài hai")?;
    let body = json!({ "title": "Ca nhạc", "bulletin_ids": [one, two], "gap_ms": GAP_MS });
    let both = composed(&village, &body)?;
    let samples = lengths[0] + lengths[1] + GAP_MS * 48;
    ensure!(both["turns"][0]["samples"] == samples, "{both}");
    let id = both["id"].as_str().context("id")?;
    let broadcast = village.api.broadcast(id, &[&village.area], None)?;
    let done = village.wait_done(&broadcast)?;
    for receipt in village.api.receipts(done["id"].as_str().context("id")?)? {
        ensure!(
            receipt["outcome"] == "played" && receipt["played_ms"] == receipt["planned_ms"],
            "{receipt}"
        );
    }

    // By turns, two times: what is foreseen is what comes.
    let body = json!({ "title": "Xoay vòng", "bulletin_ids": [one, two], "take": 1 });
    let turns = composed(&village, &body)?;
    let hanoi = time::UtcOffset::from_hms(7, 0, 0)?;
    let start = (OffsetDateTime::now_utc() + time::Duration::seconds(5)).to_offset(hanoi);
    let start = start.format(&Rfc3339)?[..19].to_owned();
    let schedule = json!({
        "title": "Xoay vòng", "bulletin_id": turns["id"], "start": start, "rule": "FREQ=DAILY;COUNT=2",
        "target": { "areas": [village.area], "receivers": [] },
    });
    let kept = village.api.post("/api/v1/schedules", &schedule)?;
    let receiver = village.simulated[0].id.clone();
    let plan = village.api.get(&format!("/api/v1/receivers/{receiver}/plan?days=3"))?;
    let pieces = plan.as_array().context("a list")?;
    ensure!(pieces.len() >= 2, "{plan}");
    for (piece, length) in pieces[pieces.len() - 2..].iter().zip(lengths) {
        let lasts = micros(&piece["to"])? - micros(&piece["from"])?;
        ensure!(lasts.abs_diff(length as u64 * 1000 / 48) <= 1000, "{plan}");
    }
    let turn = village
        .events
        .wait("the schedule's broadcast", PATIENCE, |name, value| {
            let is_it = name == "broadcast" && value["schedule_id"] == kept["id"] && value["state"] == "done";
            is_it.then(|| value.clone())
        })?;
    ensure!(
        turn["bulletin_id"] == turns["turns"][0]["bulletin_id"],
        "{turn} {turns}"
    );

    village.simulation.finish()?;
    let heard = village.simulation.heard(&receiver)?;
    let sounds = stretches(&heard.samples[..samples]);
    println!("{sounds:?} of {} samples", heard.samples.len());
    let &[(begin, end), (again, last)] = &sounds[..] else {
        anyhow::bail!("{sounds:?}");
    };
    ensure!(
        (again - end).abs_diff(GAP_MS * 48) <= FRAME,
        "the gap is {} samples",
        again - end
    );
    ensure!(begin <= FRAME && end.abs_diff(lengths[0]) <= FRAME, "{sounds:?}");
    ensure!(last.abs_diff(samples) <= FRAME, "{sounds:?}");
    let planned = micros(&done["start"])? + samples as u64 * 1000 / 48;
    let ended = heard.at(last).context("the end")?;
    ensure!(
        ended.abs_diff(planned) <= 20_000,
        "it ended at {ended} and not {planned}"
    );
    Ok(())
}
