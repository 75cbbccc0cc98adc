//! With 5 % random loss the sound stays continuous, does not drift, and the receipts count exactly what was dropped.

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Plan, Settings, Village, speech};

#[test]
fn lost_packets_are_concealed_and_counted() -> Result<()> {
    let faults = ["--loss", "0.05", "--seed", "7"].map(str::to_owned).to_vec();
    let mut village = Village::start(Plan {
        simulated: 8,
        faults,
        settings: Settings::default().patient(),
        ..Plan::default()
    })?;
    let file = speech::announcement(village.folder())?;
    let done = village.air_to_the_end(&file)?;
    let id = done["id"].as_str().context("id")?.to_owned();
    let receipts = village.api.receipts(&id)?;
    ensure!(receipts.len() == 8, "{} receipts", receipts.len());
    let report = village.simulation.finish()?;
    let mut lost = 0;
    for receipt in &receipts {
        let receiver = receipt["receiver_id"].as_str().context("receiver")?;
        let of = |key: &str| receipt[key].as_u64().with_context(|| format!("{key} in {receipt}"));
        let dropped = dropped(&report, receiver).with_context(|| format!("no {receiver} in {report}"))?;
        ensure!(
            of("lost")? == dropped,
            "{receiver} says that it lost {}, {dropped} were dropped",
            of("lost")?
        );
        ensure!(of("received")? + of("lost")? == of("expected")?, "{receipt}");
        // Concealed sound counts as played: nothing is missing, nothing is shifted.
        ensure!(
            receipt["outcome"] == "played" && of("played_ms")? == of("planned_ms")?,
            "{receipt}"
        );
        let recording = village.simulation.recording(receiver)?;
        ensure!(
            recording.0.len() as u64 * 1000 / 48_000 == of("planned_ms")?,
            "{} samples",
            recording.0.len()
        );
        ensure!((of("concealed")? > 0) == (dropped > 0), "{receipt}");
        lost += dropped;
    }
    let expected: u64 = receipts.iter().filter_map(|receipt| receipt["expected"].as_u64()).sum();
    println!("{lost} of {expected} packets dropped, all counted");
    ensure!(
        lost * 100 > expected * 2 && lost * 100 < expected * 9,
        "5 % were ordered, {lost} of {expected} dropped"
    );
    Ok(())
}

/// Media packets to `receiver` that the fault injector dropped.
fn dropped(report: &serde_json::Value, receiver: &str) -> Option<u64> {
    let all = report["receivers"].as_array()?;
    let one = all.iter().find(|one| one["receiver"] == receiver)?;
    one["broadcasts"][0]["network"]["lost"].as_u64()
}
