//! `kill -9` of any part in the middle of a broadcast: it is back within seconds, at the position where the clock says that it should
//! be, and nothing that was accepted is lost.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use loa_tests::{
    Board, Plan, Recording, Settings, Village, decode_by_float_libopus, scratch_port, speech, start_mosquitto,
};

/// Long enough to be interrupted.
fn long(folder: &Path) -> Result<PathBuf> {
    let (wav, mp3) = (folder.join("long.wav"), folder.join("long.mp3"));
    speech::speak(&[speech::ANNOUNCEMENT, speech::ANNOUNCEMENT].join(" "), &wav)?;
    speech::to_mp3(&wav, &mp3)?;
    Ok(mp3)
}

/// Waits until `count` receivers say that they play `id`.
fn wait_playing(village: &Village, id: &str, count: u64) -> Result<()> {
    village
        .events
        .wait("receivers to play", Duration::from_secs(60), |name, value| {
            let playing = name == "broadcast" && value["id"] == id && value["receivers"]["playing"].as_u64()? >= count;
            playing.then_some(())
        })
}

#[test]
fn a_killed_server_is_on_the_air_again_within_three_seconds() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: 3,
        settings: Settings::fixed()?,
        ..Plan::default()
    })?;
    let file = long(village.folder())?;
    // A second one, accepted just before the server dies, is to play all the same.
    let bulletin = village.api.approved(&file, "Bản tin sau")?;
    let broadcast = village.air(&file)?;
    let id = broadcast["id"].as_str().context("id")?.to_owned();
    let end = broadcast["end"].as_str().context("end")?.to_owned();
    wait_playing(&village, &id, 3)?;
    let later = village.api.broadcast(&bulletin, &[&village.area], Some(&end))?;

    let killed = Instant::now();
    village.server.kill();
    village.api = village.server.restart()?;
    village.events = village.api.events()?;
    let served = killed.elapsed();
    let done = village.wait_done(&broadcast)?;
    ensure!(done["state"] == "done", "{done}");
    for receipt in village.api.receipts(&id)? {
        let of = |key: &str| receipt[key].as_u64().with_context(|| format!("{key} in {receipt}"));
        // What was not sent while the server was dead and coming back; a packet has 60 ms. Sound goes on at its place: what
        // was received and what was lost make up the whole.
        let silent = Duration::from_millis(of("lost")? * 60);
        println!("a receiver missed {silent:?}; the server answered HTTP after {served:?}");
        ensure!(silent <= Duration::from_secs(3), "{receipt}");
        ensure!(of("received")? + of("lost")? == of("expected")?, "{receipt}");
    }
    // What was accepted just before goes on the air in its turn.
    let accepted = later["id"].as_str().context("id")?;
    village
        .events
        .wait_broadcast(accepted, &["on_air"], Duration::from_secs(30))?;

    // Sound was not only there, but the right one in its place: the last second is that of the programme.
    let stored = village.folder().join("stored.opus");
    village.stored(done["bulletin_id"].as_str().context("bulletin")?, &stored)?;
    let programme = decode_by_float_libopus(&stored)?;
    let report = village.simulation.finish()?;
    for (one, enrolled) in report["receivers"]
        .as_array()
        .context("a list")?
        .iter()
        .zip(&village.simulated)
    {
        let played = one["broadcasts"][0]["receipt"]["played"].as_u64().context("played")? as usize;
        let recording = village.simulation.recording(&enrolled.id)?;
        let last = Recording(recording.0[played - 48_000..played].to_vec());
        let snr = last.snr(&Recording(programme.0[programme.0.len() - 48_000..].to_vec()));
        println!("the last second after the kill: {snr:.1} dB against the programme");
        ensure!(snr >= 60.0, "{snr} dB: {one}");
    }
    Ok(())
}

#[test]
fn a_killed_receiver_joins_again() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: 1,
        board: true,
        settings: Settings::default().patient(),
        ..Plan::default()
    })?;
    let file = long(village.folder())?;
    let broadcast = village.air(&file)?;
    let id = broadcast["id"].as_str().context("id")?.to_owned();
    wait_playing(&village, &id, 2)?;
    let enrolled = village.enrolled_board.clone().context("planned")?;
    village.board.as_mut().context("planned")?.kill();
    village.board = Some(Board::boot(&enrolled, &village.folder().join("board-again"))?);
    let done = village.wait_done(&broadcast)?;
    ensure!(done["state"] == "done", "{done}");
    village.simulation.finish()?;
    let whole = village.simulation.recording(&village.simulated[0].id)?;
    let after = village.board.as_ref().context("planned")?.recording()?;
    let (played, all) = (after.0.len(), whole.0.len());
    ensure!(
        played > 96_000 && played < all,
        "{played} of {all} samples after the reboot"
    );
    // It plays the end of the same sound, in its place. Opus takes some packets to be the same again after a start in the middle.
    let settled = played - 48_000;
    let tail = Recording(whole.0[all - played..][settled..].to_vec());
    let snr = Recording(after.0[settled..].to_vec()).snr(&tail);
    println!(
        "played {:.2} s after the reboot; {snr:.1} dB against the whole in the last second",
        after.seconds()
    );
    ensure!(snr > 20.0, "{snr} dB");
    Ok(())
}

#[test]
fn a_killed_broker_does_not_stop_the_sound() -> Result<()> {
    let port = scratch_port()?;
    let mut village = Village::start(Plan {
        simulated: 3,
        board: true,
        mosquitto: Some(port),
        settings: Settings::default().patient(),
        ..Plan::default()
    })?;
    let file = long(village.folder())?;
    let broadcast = village.air(&file)?;
    let id = broadcast["id"].as_str().context("id")?.to_owned();
    wait_playing(&village, &id, 4)?;
    village.mosquitto.as_mut().context("planned")?.kill();
    village.mosquitto = Some(start_mosquitto(village.folder(), port)?);
    let done = village.wait_done(&broadcast)?;
    ensure!(done["state"] == "done", "{done}");
    let receipts = village.api.receipts(&id)?;
    ensure!(receipts.len() == 4, "{} receipts", receipts.len());
    for receipt in receipts {
        ensure!(receipt["outcome"] == "played" && receipt["lost"] == 0, "{receipt}");
    }
    village.simulation.finish()?;
    Ok(())
}
