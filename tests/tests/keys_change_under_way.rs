//! Every key of the system is replaced while receivers are on, and one is away: all of them play what comes next, also the one that
//! missed two changes, and after the overlap the old keys are good for nothing.

use std::cell::RefCell;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, ensure};
use loa_protocol::command::{self, Order, Recipient};
use loa_protocol::enrolment::Enrolment;
use loa_protocol::hello::{Answer, Hello};
use loa_protocol::topic::{Downlink, Topic};
use loa_protocol::{MAX_MESSAGE, ReceiverId, SigningKey, UnixMicros};
use loa_tests::{Enrolled, Outside, PATIENCE, Plan, Settings, Simulation, Village, speech};
use serde_json::Value;

/// Looks at every change whether `done`.
fn until(village: &Village, what: &str, done: impl Fn() -> Result<bool>) -> Result<()> {
    if done()? {
        return Ok(());
    }
    let failed = RefCell::new(None);
    village.events.wait(what, PATIENCE, |_, _| match done() {
        Ok(done) => done.then_some(()),
        Err(error) => {
            *failed.borrow_mut() = Some(error);
            Some(())
        }
    })?;
    failed.into_inner().map_or(Ok(()), Err)
}

/// Waits until these receivers trust the signing key `number`, and have the secret that was ordered.
fn until_followed(village: &Village, who: &[&Enrolled], number: u32) -> Result<()> {
    until(village, "receivers to follow", || {
        let mut all = who.iter().map(|it| village.api.receiver(&it.id));
        all.try_fold(true, |so_far, it| {
            let it = it?;
            Ok(so_far && it["key_number"] == number && it["rotating"] == false && it["online"] == true)
        })
    })
}

fn enrolment(flash: &[u8]) -> Result<Enrolment> {
    Enrolment::decode(flash)
        .map_err(|error| anyhow!("{error}"))?
        .context("an enrolment")
}

fn all_played(village: &Village, file: &Path, count: usize) -> Result<()> {
    let done = village.air_to_the_end(file)?;
    let receipts = village.api.receipts(done["id"].as_str().context("id")?)?;
    let played = |it: &Value| it["outcome"] == "played" && it["lost"] == 0;
    ensure!(receipts.len() == count && receipts.iter().all(played), "{receipts:?}");
    Ok(())
}

#[test]
fn keys_change_under_way() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: 2,
        settings: Settings::fixed()?.patient(),
        ..Plan::default()
    })?;
    let (one, two) = (village.simulated[0].clone(), village.simulated[1].clone());
    let away = village.api.enrol("Cụm loa mất điện", &village.area, "127.0.0.1")?;
    let place = village.folder().join("away");
    let mut simulation = Simulation::start(std::slice::from_ref(&away), &place, &[])?;
    village
        .events
        .wait_receiver(&away.id, "online", |it| it["online"] == true)?;
    simulation.kill();
    village
        .events
        .wait_receiver(&away.id, "away", |it| it["online"] == false)?;
    let file = village.folder().join("greeting.wav");
    speech::speak("Xin chào bà con.", &file)?;
    let keys = village.data().join("keys");

    for number in [2, 3] {
        village.server.beside(&["key", "rotate", "signing"])?;
        village.server.beside(&["key", "rotate", "receivers"])?;
        village.server.beside(&["key", "rotate", "vault"])?;
        until_followed(&village, &[&one, &two], number)?;
    }
    village.server.beside(&["key", "rotate", "authority"])?;
    all_played_but(&village, &file, &away)?;
    // The overlap does not end before everybody has followed: it says who has not.
    let finish = || village.server.beside(&["key", "finish", "authority"]);
    until(&village, "those who are there to trust the next authority", || {
        let error = finish()
            .err()
            .context("it was finished without the one that is away")?
            .to_string();
        ensure!(error.contains(&away.id), "{error}");
        Ok(![&one, &two].iter().any(|it| error.contains(&it.id)))
    })?;

    // It comes back with what it had, and walks to the keys of today.
    let mut back = Simulation::again(&place, &[])?;
    until_followed(&village, &[&one, &two, &away], 3)?;
    until(&village, "the authority to be finished", || Ok(finish().is_ok()))?;
    village.server.beside(&["key", "finish", "signing"])?;
    all_played(&village, &file, 3)?;

    // Switched off and on, each comes in by what is in its flash now: under the new authority, with its new secret.
    let folder = village.folder().join("simulated");
    let killed = [&one, &two, &away];
    for simulation in [&mut village.simulation, &mut back] {
        simulation.finish()?;
    }
    until(&village, "all to be away", || {
        let mut all = killed.iter().map(|it| village.api.receiver(&it.id));
        all.try_fold(true, |so_far, it| Ok(so_far && it?["online"] == false))
    })?;
    let again = Simulation::again(&folder, &[])?;
    let back = Simulation::again(&place, &[])?;
    until_followed(&village, &killed, 3)?;
    all_played(&village, &file, 3)?;

    for (old, flash) in [
        (&one, again.flash(&one.id)?),
        (&two, again.flash(&two.id)?),
        (&away, back.flash(&away.id)?),
    ] {
        let (old, new) = (old.decoded()?, enrolment(&flash)?);
        let epoch = if old.receiver == away.decoded()?.receiver { 1 } else { 2 };
        ensure!(
            (new.key_number, new.epoch) == (3, epoch),
            "number {}, epoch {}",
            new.key_number,
            new.epoch
        );
        ensure!(
            new.secret != old.secret && new.server_key != old.server_key,
            "nothing changed"
        );
        ensure!(
            new.unfinished.is_none() && new.next_ca.is_none(),
            "it is still on its way"
        );
        ensure!(new.mqtt_ca != old.mqtt_ca, "it trusts the old authority");
        nothing_holds(&old, &new, village.folder())?;
    }
    village
        .api
        .wait_metric("loa_hellos_total{outcome=\"forged\"}", 3, PATIENCE)?;
    village
        .api
        .wait_metric("loa_mqtt_refused_total{reason=\"login\"}", 3, PATIENCE)?;
    // What is gone is gone from the disk, too.
    let left = std::fs::read_dir(&keys)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let left = left.collect::<Result<Vec<_>>>()?;
    for file in ["signing.key", "signing-2.key", "vault-1.key", "vault-2.key"] {
        ensure!(!left.iter().any(|it| it == file), "{left:?}");
    }
    for file in ["signing-3.key", "vault-3.key"] {
        ensure!(left.iter().any(|it| it == file), "{left:?}");
    }
    Ok(())
}

/// The same, while one is away.
fn all_played_but(village: &Village, file: &Path, away: &Enrolled) -> Result<()> {
    let done = village.air_to_the_end(file)?;
    let receipts = village.api.receipts(done["id"].as_str().context("id")?)?;
    for it in &receipts {
        let wanted = if it["receiver_id"] == away.id { "none" } else { "played" };
        ensure!(it["outcome"] == wanted, "{receipts:?}");
    }
    ensure!(receipts.len() == 3, "{receipts:?}");
    Ok(())
}

/// By its old keys a receiver is nobody, by its new ones it is itself.
fn nothing_holds(old: &Enrolment, new: &Enrolment, folder: &Path) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    for (t1, secret) in [(1, &old.secret), (2, &new.secret)] {
        let hello = Hello {
            receiver: new.receiver,
            t1: UnixMicros(t1),
            clock_set: false,
            probe: false,
        };
        socket.send_to(&hello.seal(&secret.hello_key()), (&*new.media_host, new.media_port))?;
    }
    let mut datagram = [0; 100];
    let length = socket.recv(&mut datagram)?;
    let answer = Answer::open(&new.secret.hello_key(), &datagram[..length]).map_err(|error| anyhow!("{error}"))?;
    ensure!(answer.t1 == UnixMicros(2), "the old secret was answered");
    // The broker's new certificate is none of the old authority's.
    let said = log_in(new, old, folder)?;
    ensure!(
        said.contains("certificate verify failed") || said.contains("TLS error"),
        "{said}"
    );
    let said = log_in(old, new, folder)?;
    ensure!(said.contains("Connection Refused"), "{said}");
    Ok(())
}

/// What comes of it to log in by the secret in `who`, trusting the authority in `trust`.
fn log_in(who: &Enrolment, trust: &Enrolment, folder: &Path) -> Result<String> {
    let (der, pem) = (folder.join("trust.der"), folder.join("trust.pem"));
    std::fs::write(&der, trust.mqtt_ca.as_ref().context("an authority")?)?;
    let mut openssl = Command::new("openssl");
    speech::run(
        openssl
            .args(["x509", "-inform", "DER", "-in"])
            .arg(&der)
            .arg("-out")
            .arg(&pem),
    )?;
    let name = String::from_utf8(who.receiver.hex().to_vec())?;
    let password = String::from_utf8(who.secret.mqtt_password().to_vec())?;
    let topic = Topic::Down(who.receiver, Downlink::Command).text();
    let mut command = Command::new("mosquitto_sub");
    command
        .args(["-h", &who.mqtt_host, "-p", &who.mqtt_port.to_string(), "--cafile"])
        .arg(&pem)
        .args(["-i", &name, "-u", &name, "-P", &password, "-t", &topic, "-E"]);
    let output = command.output().context("mosquitto_sub")?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout))
}

/// Whoever copied the signing key before it was replaced, and owns the broker: nobody obeys it any more.
#[test]
fn a_signing_key_that_was_replaced_signs_nothing() -> Result<()> {
    let outside = Outside::start()?;
    let mut village = Village::start(Plan {
        simulated: 1,
        settings: outside.settings(Settings::fixed()?.patient()),
        ..Plan::default()
    })?;
    let one = village.simulated[0].clone();
    let receiver = one.decoded()?.receiver;
    let topic = Topic::Down(receiver, Downlink::Command).text();
    let copied = key(&village, "signing.key")?;
    village.server.beside(&["key", "rotate", "signing"])?;
    until_followed(&village, &[&one], 2)?;
    outside.publish(&topic, &reboot(receiver, &copied)?)?;
    // It has judged that once it has played what came after.
    let file = village.folder().join("greeting.wav");
    speech::speak("Xin chào bà con.", &file)?;
    all_played(&village, &file, 1)?;
    // The same order by the key of today is obeyed: nothing else was wrong with it.
    village.events.wait_receiver(&one.id, "on", |it| it["online"] == true)?;
    outside.publish(&topic, &reboot(receiver, &key(&village, "signing-2.key")?)?)?;
    village
        .events
        .wait_receiver(&one.id, "off", |it| it["online"] == false)?;
    village
        .events
        .wait_receiver(&one.id, "on again", |it| it["online"] == true)?;
    let report = village.simulation.finish()?;
    ensure!(report["receivers"][0]["boots"] == 2, "{report}");
    Ok(())
}

fn key(village: &Village, file: &str) -> Result<SigningKey> {
    let bytes = std::fs::read(village.data().join("keys").join(file))?;
    Ok(SigningKey::from_bytes(&bytes.as_slice().try_into()?))
}

fn reboot(receiver: ReceiverId, key: &SigningKey) -> Result<Vec<u8>> {
    let now = UnixMicros(std::time::UNIX_EPOCH.elapsed()?.as_micros() as u64);
    let command = command::Command {
        to: Recipient::Receiver(receiver),
        number: now.0,
        issued: now,
        expires: now.offset(60_000_000),
        order: Order::Reboot,
    };
    let mut out = [0; MAX_MESSAGE];
    let length = command.seal(key, &mut out).map_err(|error| anyhow!("{error}"))?;
    Ok(out[..length].to_vec())
}
