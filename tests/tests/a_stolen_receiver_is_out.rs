//! A receiver that was stolen and revoked: in the middle of a broadcast its session ends and it falls silent; whatever it tries is not
//! answered and counted. What takes its place under its name has its history.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loa_protocol::UnixMicros;
use loa_protocol::hello::{Answer, Hello};
use loa_protocol::topic::{Downlink, Topic};
use loa_tests::{Enrolled, PATIENCE, Plan, Settings, Simulation, Village, speech};
use serde_json::Value;

const LOGINS: &str = "loa_mqtt_refused_total{reason=\"login\"}";
const HELLOS: &str = "loa_hellos_total{outcome=\"revoked\"}";
/// What may sound after the revocation: what was on its way already (a second, as this server sends it), and its fading out.
const UNDER_WAY: Duration = Duration::from_millis(2500);

#[test]
fn a_stolen_receiver_is_out() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: 2,
        settings: Settings::default().patient(),
        ..Plan::default()
    })?;
    let (stolen, honest) = (village.simulated[0].clone(), village.simulated[1].clone());
    let long = village.folder().join("long.wav");
    speech::speak(&[speech::ANNOUNCEMENT, speech::ANNOUNCEMENT].join(" "), &long)?;
    let greeting = village.folder().join("greeting.wav");
    speech::speak("Xin chào bà con.", &greeting)?;
    let before = village.air_to_the_end(&greeting)?;

    let broadcast = village.air(&long)?;
    let id = broadcast["id"].as_str().context("id")?.to_owned();
    village.events.wait_playing(&id, 2)?;
    village
        .api
        .call("POST", &format!("/api/v1/receivers/{}/revoke", stolen.id), None)?
        .ok()?;
    let revoked_at = UnixMicros(std::time::UNIX_EPOCH.elapsed()?.as_micros() as u64);
    let seen = village.api.receiver(&stolen.id)?;
    ensure!(seen["online"] == false && seen["revoked_at"].is_string(), "{seen}");
    // It tries again and again, by both ways: counted.
    let refused = (
        village.api.wait_metric(LOGINS, 2, PATIENCE)?,
        village.api.wait_metric(HELLOS, 2, PATIENCE)?,
    );
    println!(
        "{} logins and {} hellos of the stolen one were refused",
        refused.0, refused.1
    );
    by_hand(&stolen, &honest)?;
    ensure!(
        log_in(&stolen, &village)?.contains("Connection Refused"),
        "the stolen one may come in"
    );
    village.api.wait_metric(HELLOS, refused.1 + 1, PATIENCE)?;
    village.api.wait_metric(LOGINS, refused.0 + 1, PATIENCE)?;

    let done = village.wait_done(&broadcast)?;
    ensure!(done["state"] == "done", "{done}");
    let outcome = |receipts: &[Value], id: &str| {
        let one = receipts.iter().find(|it| it["receiver_id"] == id);
        one.map(|it| it["outcome"].clone()).unwrap_or_default()
    };
    let receipts = village.api.receipts(&id)?;
    ensure!(outcome(&receipts, &honest.id) == "played", "{receipts:?}");
    ensure!(outcome(&receipts, &stolen.id) != "played", "{receipts:?}");
    let report = village.simulation.finish()?;
    let (thief, other) = (&report["receivers"][0], &report["receivers"][1]);
    ensure!(thief["ready"] == false && other["ready"] == true, "{report}");
    // What it gave out after that is silence, where its neighbour speaks on.
    let start = thief["broadcasts"][1]["start"].as_u64().context("start")?;
    let planned = other["broadcasts"][1]["samples"].as_u64().context("samples")? as usize;
    let silent_from = (revoked_at.0 + UNDER_WAY.as_micros() as u64 - start) as usize * 48 / 1000;
    ensure!(silent_from + 96_000 < planned, "it was revoked too late to tell");
    let tail = |who: &Enrolled, all: &Value| -> Result<Vec<i16>> {
        let recording = village.simulation.recording(&who.id)?.0;
        let first = all["broadcasts"][0]["samples"].as_u64().context("samples")? as usize;
        Ok(recording.get(first + silent_from..).unwrap_or_default().to_vec())
    };
    let loudest = |samples: &[i16]| samples.iter().map(|it| it.unsigned_abs()).max().unwrap_or_default();
    let (stolen_tail, honest_tail) = (tail(&stolen, thief)?, tail(&honest, other)?);
    println!(
        "after the revocation: loudest {} and {}",
        loudest(&stolen_tail),
        loudest(&honest_tail)
    );
    ensure!(
        loudest(&honest_tail) > 3000 && loudest(&stolen_tail) < 30,
        "the stolen one goes on sounding"
    );

    // Another takes its place; the stolen one, switched on again, is still out.
    let replaced = village.api.enrol_again(&stolen.id, "127.0.0.1")?;
    let mut thief = Simulation::start(std::slice::from_ref(&stolen), &village.folder().join("thief"), &[])?;
    let mut simulation = Simulation::start(&[replaced, honest], &village.folder().join("replaced"), &[])?;
    village.events.wait_receiver(&stolen.id, "back", |it| {
        it["online"] == true && it["revoked_at"].is_null()
    })?;
    let after = village.air_to_the_end(&greeting)?;
    for broadcast in [&before, &after] {
        let receipts = village.api.receipts(broadcast["id"].as_str().context("id")?)?;
        ensure!(
            receipts.len() == 2 && receipts.iter().all(|it| it["outcome"] == "played"),
            "{receipts:?}"
        );
    }
    let history: Vec<_> = village
        .api
        .record("receiver.re")?
        .into_iter()
        .map(|it| it["what"].clone())
        .collect();
    ensure!(history == ["receiver.replace", "receiver.revoke"], "{history:?}");
    simulation.finish()?;
    let report = thief.finish()?;
    ensure!(report["receivers"][0]["samples"] == 0, "{report}");
    Ok(())
}

/// Says hello under the stolen secret, then under the honest one, from one socket: only the second is answered.
fn by_hand(stolen: &Enrolled, honest: &Enrolled) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let honest = honest.decoded()?;
    // Without a clock, so that sound stays where it is.
    for one in [&stolen.decoded()?, &honest] {
        let hello = Hello {
            receiver: one.receiver,
            t1: UnixMicros(one.receiver.0[0].into()),
            clock_set: false,
            probe: false,
        };
        socket.send_to(&hello.seal(&one.secret.hello_key()), (&*one.media_host, one.media_port))?;
    }
    let mut datagram = [0; 100];
    let length = socket.recv(&mut datagram)?;
    Answer::open(&honest.secret.hello_key(), &datagram[..length]).map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(())
}

/// What the broker says to the stolen credentials.
fn log_in(stolen: &Enrolled, village: &Village) -> Result<String> {
    let enrolment = stolen.decoded()?;
    let name = String::from_utf8(enrolment.receiver.hex().to_vec())?;
    let password = String::from_utf8(enrolment.secret.mqtt_password().to_vec())?;
    let topic = Topic::Down(enrolment.receiver, Downlink::Command).text();
    let mut command = Command::new("mosquitto_sub");
    command
        .args([
            "-h",
            &enrolment.mqtt_host,
            "-p",
            &enrolment.mqtt_port.to_string(),
            "--cafile",
        ])
        .arg(stolen.authority(village.folder())?)
        .args(["-i", &name, "-u", &name, "-P", &password, "-t", &topic, "-E"]);
    let output = command.output().context("mosquitto_sub")?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout))
}
