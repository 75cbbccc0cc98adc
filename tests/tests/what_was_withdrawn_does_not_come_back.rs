//! Commands that the server signed and that are over: a broadcast that was stopped before its end, and yesterday's. Whoever recorded
//! them plays them back, to the receiver that obeyed them and to the same one after a reboot, when it has forgotten what it obeyed.
//! They are as authentic as they were, and are refused.

use anyhow::{Context as _, Result, anyhow, ensure};
use loa_protocol::UnixMicros;
use loa_protocol::command::{Command, Order};
use loa_protocol::topic::{Downlink, Topic};
use loa_tests::{Outside, PATIENCE, Plan, Settings, Village, speech};
use serde_json::{Value, json};

fn now() -> Result<UnixMicros> {
    Ok(UnixMicros(std::time::UNIX_EPOCH.elapsed()?.as_micros() as u64))
}

#[test]
fn what_was_withdrawn_does_not_come_back() -> Result<()> {
    let outside = Outside::start()?;
    let mut village = Village::start(Plan {
        simulated: 1,
        settings: outside.settings(Settings::default().patient()),
        ..Plan::default()
    })?;
    let one = village.simulated[0].clone();
    let enrolment = one.decoded()?;
    let topic = Topic::Down(enrolment.receiver, Downlink::Command).text();
    let mut tap = outside.tap(&topic)?;
    let (long, greeting) = (village.folder().join("long.wav"), village.folder().join("greeting.wav"));
    speech::speak(&[speech::ANNOUNCEMENT; 3].join(" "), &long)?;
    speech::speak("Xin chào bà con.", &greeting)?;
    let reboot = || {
        village
            .api
            .post(&format!("/api/v1/receivers/{}/reboot", one.id), &json!({}))
    };
    let rebooted = || {
        village
            .events
            .wait_receiver(&one.id, "off", |it| it["online"] == false)?;
        village
            .events
            .wait_receiver(&one.id, "on again", |it| it["online"] == true)
    };

    // On the air, and stopped by an officer long before its end.
    let broadcast = village.air(&long)?;
    let id = broadcast["id"].as_str().context("id")?.to_owned();
    let order = tap.wait(PATIENCE, |(_, message)| {
        let command = Command::open(&enrolment.server_key, message).ok()?;
        matches!(command.order, Order::Play(_)).then(|| (message.clone(), command))
    });
    let (withdrawn, command) = order?;
    village.events.wait_playing(&id, 1)?;
    let stop = village
        .api
        .call("POST", &format!("/api/v1/broadcasts/{id}/stop"), None)?;
    stop.ok()?;
    village.events.wait_broadcast(&id, &["stopped"], PATIENCE)?;
    outside.publish(&topic, &withdrawn)?;
    reboot()?;
    rebooted()?;
    outside.publish(&topic, &withdrawn)?;
    ensure!(now()? < command.expires, "it is over anyway: nothing is shown");
    // It began earlier than this and goes before it: were it obeyed, this would not sound.
    let done = village.air_to_the_end(&greeting)?;
    whole(&village, &done)?;
    ensure!(now()? < command.expires, "it is over anyway: nothing is shown");

    // The day after: everything that was ever ordered, in its order, after another reboot.
    reboot()?;
    rebooted()?;
    let mut yesterday = vec![withdrawn];
    yesterday.extend(tap.heard().into_iter().map(|(_, message)| message));
    ensure!(yesterday.len() > 4, "{} commands were recorded", yesterday.len());
    for message in &yesterday {
        Command::open(&enrolment.server_key, message).map_err(|error| anyhow!("{error}"))?;
        outside.publish(&topic, message)?;
    }
    let done = village.air_to_the_end(&greeting)?;
    whole(&village, &done)?;
    let report = village.simulation.finish()?;
    let it = &report["receivers"][0];
    println!("{} commands of before were played back: {it}", yesterday.len());
    // Two reboots were ordered by the server, and none by who played that back.
    ensure!(it["boots"] == 3, "{it}");
    let refused = it["refused_commands"].as_u64().context("refused_commands")?;
    ensure!(refused >= yesterday.len() as u64, "{it}");
    let sounded = |at: usize| it["broadcasts"][at]["samples"].as_u64().context("samples");
    let total = sounded(0)? + sounded(1)? + sounded(2)?;
    ensure!(
        it["samples"] == total && it["broadcasts"].as_array().is_some_and(|all| all.len() == 3),
        "{it}"
    );
    Ok(())
}

fn whole(village: &Village, done: &Value) -> Result<()> {
    let receipts = village.api.receipts(done["id"].as_str().context("id")?)?;
    let played = |it: &Value| it["outcome"] == "played" && it["played_ms"] == it["planned_ms"];
    ensure!(receipts.len() == 1 && receipts.iter().all(played), "{receipts:?}");
    Ok(())
}
