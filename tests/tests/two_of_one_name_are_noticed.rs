//! Whoever copies a receiver's flash has two devices under one name. That is noticed within seconds and told from a receiver that
//! reboots and whose NAT moves; until somebody has seen to it the real one goes on sounding, and nobody else hears or says anything
//! else. Enrolled again, the real one is alone.

use anyhow::{Context as _, Result, ensure};
use loa_tests::{PATIENCE, Plan, Settings, Simulation, Village, speech};
use serde_json::{Value, json};

/// A life that looks most like two: reboots, and a NAT that moves in between and thereafter.
const RESTLESS: &str =
    "--rebind-at 2 --reboot-at 3 --rebind-at 5 --rebind-at 6 --reboot-at 7 --rebind-at 9 --reboot-at 10 --rebind-at 12";

fn is_alarmed(receiver: &Value) -> bool {
    receiver["warnings"] == json!(["clone"])
}

#[test]
fn two_of_one_name_are_noticed() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: 2,
        settings: Settings::default().patient(),
        ..Plan::default()
    })?;
    let (copied, neighbour) = (village.simulated[0].clone(), village.simulated[1].clone());
    let other = village.api.enrol("Cụm loa hay mất điện", &village.area, "127.0.0.1")?;
    let mut restless = Simulation::start(
        std::slice::from_ref(&other),
        &village.folder().join("restless"),
        &RESTLESS.split(' ').collect::<Vec<_>>(),
    )?;
    village
        .events
        .wait_receiver(&other.id, "online", |it| it["online"] == true)?;
    ensure!(village.api.record("receiver.cloned")?.is_empty(), "nobody is two yet");

    let copy = std::slice::from_ref(&copied);
    let mut thief = Simulation::start(copy, &village.folder().join("thief"), &[])?;
    village.events.wait_receiver(&copied.id, "noticed", is_alarmed)?;
    let alarms = village.api.record("receiver.cloned")?;
    ensure!(
        alarms
            .iter()
            .all(|it| it["subject"] == copied.id && it["origin"] == "server"),
        "{alarms:?}"
    );
    let told = village.api.wait_metric("loa_clone_alarms_total", 1, PATIENCE)?;
    let takeovers = village.api.wait_metric("loa_mqtt_takeovers_total", 1, PATIENCE)?;
    println!(
        "noticed by {}: {told} alarms, {takeovers} sessions taken over",
        alarms[0]["detail"]
    );

    // Meanwhile: the real one sounds as its neighbour does, though the copy takes its session again and again.
    let file = speech::announcement(village.folder())?;
    let first = village.air_to_the_end(&file)?;
    ensure!(first["state"] == "done", "{first}");
    let report = village.simulation.finish()?;
    let recordings = [&copied, &neighbour].map(|one| village.simulation.recording(&one.id));
    let [real, whole] = recordings;
    let (real, whole) = (real?, whole?);
    ensure!(whole.seconds() > 5.0, "{report}");
    println!("beside its copy: {:?}", real.difference(&whole));
    ensure!(real == whole, "the copy took sound away from the real one: {report}");

    // The technician enrols it again: the copy is out, and the alarm is over.
    let enrolled = village.api.enrol_again(&copied.id, "127.0.0.1")?;
    let refused = "loa_mqtt_refused_total{reason=\"login\"}";
    let before = village.api.wait_metric(refused, 0, PATIENCE)?;
    let both = [enrolled, neighbour];
    let mut simulation = Simulation::start(&both, &village.folder().join("again"), &[])?;
    village.events.wait_receiver(&copied.id, "alone", |it| {
        it["online"] == true && it["warnings"] == json!([])
    })?;
    village.api.wait_metric(refused, before + 2, PATIENCE)?;
    village
        .api
        .wait_metric("loa_hellos_total{outcome=\"forged\"}", 1, PATIENCE)?;
    let second = village.air_to_the_end(&file)?;
    let receipts = village.api.receipts(second["id"].as_str().context("id")?)?;
    ensure!(
        receipts.len() == 3 && receipts.iter().all(|it| it["outcome"] == "played" && it["lost"] == 0),
        "{receipts:?}"
    );
    let report = simulation.finish()?;
    ensure!(
        report["receivers"].as_array().is_some_and(|all| all.len() == 2),
        "{report}"
    );
    let stolen = thief.finish()?;
    let heard = stolen["receivers"][0]["broadcasts"].as_array().context("broadcasts")?;
    ensure!(heard.iter().all(|it| it["broadcast"] != second["id"]), "{stolen}");
    ensure!(stolen["receivers"][0]["ready"] == false, "{stolen}");

    // The one that was restless all the while is one.
    let lived = restless.finish()?;
    let one = &lived["receivers"][0];
    // How often it had come to move by now is the machine's pace.
    let of = |key: &str| one[key].as_u64().unwrap_or(0);
    ensure!(of("boots") >= 2 && of("moves") >= 2, "it did not live: {lived}");
    let seen = village.api.receiver(&other.id)?;
    ensure!(seen["warnings"] == json!([]), "{seen}");
    let alarms = village.api.record("receiver.cloned")?;
    ensure!(alarms.iter().all(|it| it["subject"] == copied.id), "{alarms:?}");
    Ok(())
}
