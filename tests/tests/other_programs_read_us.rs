//! What we write, somebody else's programs read: MQTT by mosquitto_sub (3.1.1 and 5, plain and TLS), programmes by opusinfo. (SRTP by GStreamer's
//! libsrtp: beside the sender, `server/src/transmit`.)

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loa_protocol::command::{self, Order};
use loa_protocol::topic::{Downlink, Topic};
use loa_tests::{Enrolled, Plan, Process, Settings, Village, speech};

#[test]
fn mosquitto_sub_reads_our_commands() -> Result<()> {
    let settings = Settings::fixed()?;
    // The plain listener is only for this machine, and no enrolment names it.
    let plain = settings
        .value("--mqtt-listen")
        .context("fixed settings name it")?
        .to_owned();
    let (_, plain) = plain.rsplit_once(':').context("an address has a port")?;
    let village = Village::start(Plan {
        settings,
        ..Plan::default()
    })?;
    let file = speech::announcement(village.folder())?;
    let bulletin = village.api.approved(&file, "Thông báo")?;
    for (version, tls) in [("311", false), ("5", false), ("5", true)] {
        let reader = village
            .api
            .enrol(&format!("Người nghe {version} {tls}"), &village.area, "127.0.0.1")?;
        let mut listening = mosquitto_sub(&reader, version, plain, tls, village.folder())?;
        listening.wait_for_line(Duration::from_secs(20), |line| line.contains("SUBACK").then_some(()))?;
        let broadcast = village.api.broadcast(&bulletin, &[&village.area], None)?;
        let key = reader.decoded()?.server_key;
        let play = listening.wait_for_line(Duration::from_secs(20), |line| {
            let bytes: Option<Vec<u8>> = line
                .strip_prefix("LOA ")?
                .as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect();
            match command::Command::open(&key, &bytes?).ok()?.order {
                Order::Play(play) => Some(play),
                _ => None,
            }
        })?;
        ensure!(broadcast["id"] == play.broadcast.to_string(), "{broadcast} {play:?}");
        let id = broadcast["id"].as_str().context("id")?;
        village
            .api
            .call("POST", &format!("/api/v1/broadcasts/{id}/stop"), None)?
            .ok()?;
    }
    Ok(())
}

/// mosquitto_sub as the receiver `reader`; prints each command as `LOA` and hexadecimal digits.
fn mosquitto_sub(reader: &Enrolled, version: &str, plain: &str, tls: bool, folder: &Path) -> Result<Process> {
    let enrolment = reader.decoded()?;
    let name = String::from_utf8(enrolment.receiver.hex().to_vec())?;
    let password = String::from_utf8(enrolment.secret.mqtt_password().to_vec())?;
    let topic = Topic::Down(enrolment.receiver, Downlink::Command).text();
    // Lines as they come: into a pipe they would wait for a full buffer.
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "mosquitto_sub"]);
    command.args([
        "-d", "-V", version, "-q", "1", "-i", &name, "-u", &name, "-P", &password, "-t", &topic,
    ]);
    command.args([
        "-F",
        "LOA %x",
        "-h",
        &enrolment.mqtt_host,
        "-p",
        &enrolment.mqtt_port.to_string(),
    ]);
    if tls {
        command.arg("--cafile").arg(reader.authority(folder)?);
    } else {
        command.args(["-p", plain]);
    }
    Process::start("mosquitto_sub", &mut command)
}

#[test]
fn opusinfo_finds_nothing_wrong_with_a_programme() -> Result<()> {
    let village = Village::start(Plan::default())?;
    let file = speech::announcement(village.folder())?;
    let bulletin = village.api.approved(&file, "Thông báo")?;
    let stored = village.folder().join("stored.opus");
    village.stored(&bulletin, &stored)?;
    let output = Command::new("opusinfo").arg(&stored).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && !text.contains("WARNING") && !text.contains("ERROR"),
        "{text}"
    );
    ensure!(
        text.contains("Channels: 1")
            && text.contains("Packet duration:   60.0ms (max),   60.0ms (avg),   60.0ms (min)"),
        "{text}"
    );
    Ok(())
}
