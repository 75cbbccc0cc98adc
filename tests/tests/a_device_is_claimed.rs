//! The whole way of a claim, from a device that has no identity to its first broadcast: it shows its code, somebody who may enters
//! all of it, and it is a receiver. Whoever owns the broker can neither approve a device, nor ask in another's name, nor answer in
//! the server's place, nor play back what it answered.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use loa_protocol::agreement::PrivateKey;
use loa_protocol::claim::{Answer, Configuration, Request};
use loa_protocol::enrolment::Enrolment;
use loa_protocol::topic::{ClaimWord, Topic};
use loa_protocol::{ClaimId, MAX_MESSAGE, ReceiverId, SigningKey};
use loa_tests::{Api, Message, Outside, PATIENCE, Plan, Settings, Simulation, Village, speech};
use serde_json::{Value, json};

/// What every device is flashed with.
fn configuration(village: &Village) -> Result<Vec<u8>> {
    let file = village.folder().join("claim");
    let path = file.to_str().context("a path")?;
    village.server.beside(&["receiver", "claim-config", "--out", path])?;
    Ok(std::fs::read(file)?)
}

/// A device as it comes from the shelf, switched on, and the code that it shows. All are chosen by the same seed: their keys must not be.
fn device(name: &str, configuration: &[u8], folder: &Path) -> Result<(Simulation, String)> {
    let mut device = Simulation::flashed(&[(name, configuration)], &folder.join(name), &["--seed", "7"])?;
    let code = device.wait_for_line(|line| {
        let code = line
            .split_once("code=")
            .filter(|_| line.contains("asks to be enrolled"))?
            .1;
        Some(code.split_whitespace().next()?.to_owned())
    })?;
    Ok((device, code))
}

fn approve(who: &Api, code: &str, area: &str) -> Result<(u16, Value)> {
    let wanted = json!({ "name": "Cụm loa mới", "area_id": area, "volume": 100 });
    let reply = who.call("POST", &format!("/api/v1/claims/{code}/approve"), Some(&wanted))?;
    Ok((reply.status, reply.body))
}

fn wait_asking(village: &Village, count: usize) -> Result<Value> {
    village
        .events
        .wait(&format!("{count} devices to ask"), PATIENCE, |name, value| {
            (name == "claims" && value.as_array()?.len() == count).then(|| value.clone())
        })
}

fn fixed() -> Result<Settings> {
    Ok(Settings::fixed()?.patient().with(&["--public-host", "127.0.0.1"]))
}

#[test]
fn who_has_the_whole_code_and_the_right_makes_it_a_receiver() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: 1,
        settings: fixed()?,
        ..Plan::default()
    })?;
    let elsewhere = village.api.area("Thôn 2", "village", None)?;
    let officer = village.server.user("can.bo", "officer", Some(&village.area))?;
    let stranger = village.server.user("ky.thuat.thon.2", "technician", Some(&elsewhere))?;
    let technician = village.server.user("ky.thuat", "technician", Some(&village.area))?;
    let flash = configuration(&village)?;
    let configured = Configuration::decode(&flash).map_err(|error| anyhow!("{error}"))?;
    let configured = configured.context("a configuration")?;
    ensure!(configured.mqtt_ca.is_some(), "it would ask in the open");
    ensure!(configured.device.is_none(), "all devices would be one");

    let (mut device_a, code) = device("a", &flash, village.folder())?;
    let (_device_b, other_code) = device("b", &flash, village.folder())?;
    ensure!(code != other_code, "two devices have one key");
    let asking = wait_asking(&village, 2)?;
    let listed = asking
        .as_array()
        .context("a list")?
        .iter()
        .find(|it| code.starts_with(it["code"].as_str().unwrap_or("-")));
    let listed = listed.context("it is listed")?;
    ensure!(listed["code"].as_str().is_some_and(|hint| hint.len() == 4), "{listed}");

    // Not by less than the whole code, nor by another's.
    let mut wrong = code.clone();
    let last = wrong.pop().context("a code")?;
    wrong.push(if last == '0' { '1' } else { '0' });
    let id = listed["id"].as_str().context("id")?;
    for partial in [&code[..4], &code[..14], &code[5..], id, wrong.as_str(), "%20", "..%2F"] {
        let (status, body) = approve(&village.api, partial, &village.area)?;
        ensure!(status == 404, "{partial}: HTTP {status} {body}");
    }
    // Not by who may not, nor into an area that is not theirs.
    for (who, area, wanted) in [
        (Api::anonymous(village.server.base()), &village.area, 401),
        (officer, &village.area, 403),
        (stranger, &village.area, 422),
    ] {
        let (status, body) = approve(&who, &code, area)?;
        ensure!(status == wanted, "HTTP {status} {body}");
    }
    let receivers = village.api.get("/api/v1/receivers")?;
    ensure!(receivers.as_array().is_some_and(|all| all.len() == 1), "{receivers}");
    let flash_now = device_a.flash("a")?;
    ensure!(flash_now.starts_with(b"LOA0"), "it has become something");

    // As people type it.
    let (status, receiver) = approve(
        &technician,
        &code.to_lowercase().replace('-', " ").replace(' ', "%20"),
        &village.area,
    )?;
    ensure!(status == 201, "HTTP {status} {receiver}");
    let id = receiver["id"].as_str().context("id")?.to_owned();
    ensure!(
        approve(&technician, &code, &village.area)?.0 == 404,
        "a code is good once"
    );
    village.events.wait_receiver(&id, "online", |it| it["online"] == true)?;
    // The other one is sent away.
    let refusal = technician.call("DELETE", &format!("/api/v1/claims/{other_code}"), None)?;
    ensure!(refusal.status == 204, "{refusal:?}");
    ensure!(village.api.get("/api/v1/claims")? == json!([]), "somebody asks still");

    let done = village.air_to_the_end(&speech::announcement(village.folder())?)?;
    let receipts = village.api.receipts(done["id"].as_str().context("id")?)?;
    let played = |it: &Value| it["outcome"] == "played" && it["lost"] == 0;
    ensure!(receipts.len() == 2 && receipts.iter().all(played), "{receipts:?}");
    device_a.finish()?;
    let enrolment = Enrolment::decode(&device_a.flash("a")?).map_err(|error| anyhow!("{error}"))?;
    let enrolment = enrolment.context("an enrolment")?;
    ensure!(Some(enrolment.receiver) == ReceiverId::parse(&id), "it is another");
    village.simulation.finish()?;
    let neighbour = village.simulation.recording(&village.simulated[0].id)?;
    let difference = device_a.recording(&id)?.difference(&neighbour);
    ensure!(difference.is_none(), "{difference:?}");
    let entries = village.api.record("receiver.enrol")?;
    let entry = entries
        .iter()
        .find(|it| it["subject"] == id)
        .context("the record says so")?;
    ensure!(entry["who"] == "ky.thuat", "{entry}");
    Ok(())
}

#[test]
fn the_owner_of_the_broker_approves_nobody_and_answers_nobody() -> Result<()> {
    let outside = Outside::start()?;
    let mut village = Village::start(Plan {
        simulated: 1,
        settings: outside.settings(fixed()?),
        ..Plan::default()
    })?;
    let mut tap = outside.tap("loa/1/claim/#")?;
    let flash = configuration(&village)?;
    let (mut honest, code) = device("a", &flash, village.folder())?;
    let (claim, _) = tap.wait(PATIENCE, spoken(ClaimWord::Request))?;

    // He asks in his own name: nobody enters a code that stands on no device, and by what is listed nobody is approved.
    let own = PrivateKey::new([66; 32]);
    let request = Request {
        device: own.public(),
        firmware: "1.0".try_into().map_err(|_| anyhow!("it fits"))?,
        board: "rp2350".try_into().map_err(|_| anyhow!("it fits"))?,
        key_number: 1,
    };
    let mut bytes = [0; MAX_MESSAGE];
    let length = request.encode(&mut bytes).map_err(|error| anyhow!("{error}"))?;
    outside.publish(
        &Topic::Claim(own.public().claim(), ClaimWord::Request).text(),
        &bytes[..length],
    )?;
    let asking = wait_asking(&village, 2)?;
    for listed in asking.as_array().context("a list")? {
        for part in [&listed["id"], &listed["code"]] {
            let (status, body) = approve(&village.api, part.as_str().context("text")?, &village.area)?;
            ensure!(status == 404, "HTTP {status} {body}");
        }
    }
    // He asks in the device's name, with his own key.
    outside.publish(&Topic::Claim(claim, ClaimWord::Request).text(), &bytes[..length])?;
    village
        .api
        .wait_metric("loa_reports_refused_total{reason=\"forged\"}", 1, PATIENCE)?;

    // He answers in the server's place.
    let answers = Topic::Claim(claim, ClaimWord::Answer).text();
    let asked = Configuration::decode(&honest.flash("a")?).map_err(|error| anyhow!("{error}"))?;
    let device_key = asked.and_then(|it| it.device).context("the device's key")?.public();
    let answer = Answer {
        device: device_key,
        server: own.public(),
        receiver: ReceiverId([66; 16]),
        areas: [].into_iter().collect(),
        media_host: "127.0.0.1".try_into().map_err(|_| anyhow!("it fits"))?,
        media_port: 5004,
        epoch: 0,
    };
    let length = answer
        .seal(&SigningKey::from_bytes(&[66; 32]), &mut bytes)
        .map_err(|error| anyhow!("{error}"))?;
    for message in [&bytes[..length], b"\xFF\x00 not CBOR"] {
        outside.publish(&answers, message)?;
        honest.wait_for_line(|line| line.contains("an answer is not its server's").then_some(()))?;
    }
    ensure!(honest.flash("a")?.starts_with(b"LOA0"), "it believed him");

    // He bends and delays the server's own, and plays it to the next device: same configuration, same seed.
    let (status, receiver) = approve(&village.api, &code, &village.area)?;
    ensure!(status == 201, "HTTP {status} {receiver}");
    let id = receiver["id"].as_str().context("id")?;
    let (_, real) = tap.wait(PATIENCE, spoken(ClaimWord::Answer))?;
    village.events.wait_receiver(id, "online", |it| it["online"] == true)?;
    let (mut next, _) = device("b", &flash, village.folder())?;
    let (next_claim, _) = tap.wait(PATIENCE, spoken(ClaimWord::Request))?;
    ensure!(next_claim != claim, "two devices have one key");
    let mut bent = real.clone();
    *bent.last_mut().context("not empty")? ^= 1;
    for message in [&real, &bent] {
        outside.publish(&Topic::Claim(next_claim, ClaimWord::Answer).text(), message)?;
        next.wait_for_line(|line| line.contains("an answer is not its server's").then_some(()))?;
    }
    ensure!(next.flash("b")?.starts_with(b"LOA0"), "it believed him");

    // What he saw of it is no use: the device sounds for its server alone.
    let done = village.air_to_the_end(&speech::announcement(village.folder())?)?;
    let receipts = village.api.receipts(done["id"].as_str().context("id")?)?;
    ensure!(
        receipts.len() == 2 && receipts.iter().all(|it| it["outcome"] == "played"),
        "{receipts:?}"
    );
    honest.finish()?;
    village.simulation.finish()?;
    Ok(())
}

/// The next message of that kind that is the server's or a device's: of which claim, and what it says.
fn spoken(word: ClaimWord) -> impl FnMut(&Message) -> Option<(ClaimId, Vec<u8>)> {
    move |(topic, payload)| match Topic::parse(topic)? {
        Topic::Claim(claim, kind) if kind == word => Some((claim, payload.clone())),
        _ => None,
    }
}
