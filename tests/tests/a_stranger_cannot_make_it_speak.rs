//! Whoever owns the broker can record, repeat and invent messages. Nothing that was not signed for this receiver, just now, makes it
//! speak, and every attempt is counted.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loa_protocol::command::{self, Order, Play, Recipient};
use loa_protocol::topic::{Downlink, Topic};
use loa_protocol::{MAX_MESSAGE, SigningKey};
use loa_tests::{Plan, Process, Settings, Village, scratch_port, speech};

#[test]
fn a_stranger_cannot_make_it_speak() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let port = scratch_port()?;
    let config = folder.path().join("mosquitto.conf");
    std::fs::write(&config, format!("listener {port} 127.0.0.1\nallow_anonymous true\n"))?;
    let mut broker = Process::start("mosquitto", Command::new("mosquitto").arg("-v").arg("-c").arg(&config))?;
    broker.wait_for_line(Duration::from_secs(10), |line| line.contains("running").then_some(()))?;
    let settings = Settings::default().with(&["--mqtt-url", &format!("mqtt://127.0.0.1:{port}")]);
    let mut village = Village::start(Plan {
        simulated: 1,
        settings,
        ..Plan::default()
    })?;
    let receiver = village.simulated[0].decoded()?.receiver;
    let topic = Topic::Down(receiver, Downlink::Command).text();

    // Lines as they come: into a pipe they would wait for a full buffer.
    let mut recorder = Command::new("stdbuf");
    recorder.args(["-oL", "mosquitto_sub"]);
    recorder.args([
        "-d",
        "-h",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-q",
        "1",
        "-t",
        &topic,
        "-F",
        "LOA %x",
    ]);
    let mut recorder = Process::start("mosquitto_sub", &mut recorder)?;
    recorder.wait_for_line(Duration::from_secs(10), |line| line.contains("SUBACK").then_some(()))?;

    let file = speech::announcement(village.folder())?;
    let done = village.air_to_the_end(&file)?;
    ensure!(done["state"] == "done", "{done}");

    // Replayed: everything that the server said, as it was said.
    let recorded: Vec<Vec<u8>> = recorder
        .lines()
        .iter()
        .filter_map(|line| hex(line.strip_prefix("LOA ")?))
        .collect();
    ensure!(!recorded.is_empty(), "nothing was recorded");
    let key = village.simulated[0].decoded()?.server_key;
    let is_play = |message: &&Vec<u8>| {
        command::Command::open(&key, message).is_ok_and(|command| matches!(command.order, Order::Play(_)))
    };
    let play = recorded.iter().find(is_play).context("no play command was recorded")?;
    let Order::Play(real) = command::Command::open(&key, play)
        .map_err(|error| anyhow::anyhow!("{error}"))?
        .order
    else {
        unreachable!("just found")
    };
    let mut attempts: Vec<Vec<u8>> = recorded.clone();
    // Forged: the same words, to be played now, signed by a stranger's key; and the server's own with one bit changed.
    attempts.push(forged(receiver, real)?);
    let mut bent = play.clone();
    *bent.last_mut().context("not empty")? ^= 1;
    attempts.push(bent);
    attempts.push(b"\xFF\x00 not CBOR".to_vec());
    for message in &attempts {
        publish(port, &topic, message, folder.path())?;
    }
    // The receiver has seen all of them once it has obeyed what the server said after them.
    let greeting = village.folder().join("greeting.wav");
    speech::speak("Xin chào bà con.", &greeting)?;
    let second = village.air_to_the_end(&greeting)?;
    let receipts = village.api.receipts(second["id"].as_str().context("id")?)?;
    ensure!(
        receipts.len() == 1 && receipts[0]["outcome"] == "played",
        "{receipts:?}"
    );
    let report = village.simulation.finish()?;
    let one = &report["receivers"][0];
    println!("{} attempts: {one}", attempts.len());
    let refused = one["refused_commands"].as_u64().context("refused_commands")?;
    ensure!(
        refused >= attempts.len() as u64,
        "{refused} of {} attempts were refused",
        attempts.len()
    );
    let planned = |broadcast: usize| one["broadcasts"][broadcast]["receipt"]["planned"].as_u64();
    let wanted = planned(0)
        .zip(planned(1))
        .map(|(first, second)| first + second)
        .context("two broadcasts")?;
    let played = village.simulation.recording(&village.simulated[0].id)?.0.len() as u64;
    ensure!(
        played == wanted && planned(0) == Some(real.samples),
        "{played} samples sounded, {wanted} were broadcast"
    );
    ensure!(one["broadcasts"].as_array().is_some_and(|all| all.len() == 2), "{one}");
    Ok(())
}

fn forged(receiver: loa_protocol::ReceiverId, real: Play) -> Result<Vec<u8>> {
    let now = loa_protocol::UnixMicros(std::time::UNIX_EPOCH.elapsed()?.as_micros() as u64);
    let command = command::Command {
        to: Recipient::Receiver(receiver),
        number: u64::MAX,
        issued: now,
        expires: now.offset(3_600_000_000),
        order: Order::Play(Play {
            start: now.offset(500_000),
            ..real
        }),
    };
    let mut out = [0; MAX_MESSAGE];
    let length = command
        .seal(&SigningKey::from_bytes(&[66; 32]), &mut out)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(out[..length].to_vec())
}

fn publish(port: u16, topic: &str, message: &[u8], folder: &Path) -> Result<()> {
    let file = folder.join("message");
    std::fs::write(&file, message)?;
    let mut command = Command::new("mosquitto_pub");
    command
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", topic, "-f"])
        .arg(&file);
    speech::run(&mut command)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.as_bytes().chunks(2).map(byte).collect()
}
