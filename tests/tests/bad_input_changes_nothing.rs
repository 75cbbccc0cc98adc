//! Bad input gets a clear error or a counted rejection, and nothing has changed after it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loa_protocol::topic::{Topic, Uplink};
use loa_tests::{Enrolled, Plan, Settings, Village, speech};
use serde_json::json;

#[test]
fn files_that_are_no_sound_are_refused() -> Result<()> {
    let limit = 8 << 20;
    let settings =
        Settings::default().with(&["--upload-max-bytes", &limit.to_string(), "--upload-max-duration", "600"]);
    let mut village = Village::start(Plan {
        settings,
        ..Plan::default()
    })?;
    let mp3 = speech::announcement(village.folder())?;
    let bytes = std::fs::read(&mp3)?;
    let before = files(&village.data())?;
    let server = village.server.process().id();
    let memory = peak_kib(server)?;

    let mut text = "Đây là một văn bản, không phải âm thanh.\n".repeat(1000).into_bytes();
    text.truncate(30_000);
    let silence = an_hour_of_silence(village.folder())?;
    ensure!(silence.len() < 1_000_000, "{} bytes", silence.len());
    let too_much = vec![0u8; limit + 1];
    let cases: [(&str, &[u8], &str, u16); 5] = [
        ("cut.mp3", cut_short(&bytes), "truncated", 422),
        ("text.mp3", &text, "not_audio", 422),
        ("empty.mp3", &[], "empty", 422),
        ("silence.flac", &silence, "too_long", 422),
        ("large.wav", &too_much, "too_large", 413),
    ];
    for (name, bytes, code, status) in cases {
        let reply = village.api.upload_bytes(bytes, name, "Thử", "normal")?;
        println!("{name}: HTTP {} {}", reply.status, reply.body);
        ensure!(
            reply.code().contains(code) && reply.status == status,
            "{name}: HTTP {} {}",
            reply.status,
            reply.body
        );
        ensure!(
            reply.body["message"].as_str().is_some_and(|message| message.len() > 10),
            "{name}: {}",
            reply.body
        );
    }
    ensure!(
        village
            .api
            .get("/api/v1/bulletins")?
            .as_array()
            .is_some_and(Vec::is_empty),
        "a bulletin was made of nothing"
    );
    let after = files(&village.data())?;
    ensure!(before == after, "files were left: {before:?} {after:?}");
    let grown = peak_kib(server)?.saturating_sub(memory);
    println!("the server's peak memory grew by {grown} KiB");
    ensure!(grown < 64 << 10, "{grown} KiB");
    Ok(())
}

/// An MP3 whose header promises more than is there. LAME writes that header; a third is cut off.
fn cut_short(mp3: &[u8]) -> &[u8] {
    &mp3[..mp3.len() / 3 * 2]
}

fn an_hour_of_silence(folder: &Path) -> Result<Vec<u8>> {
    let file = folder.join("silence.flac");
    let source = [
        "-f",
        "lavfi",
        "-i",
        "anullsrc=r=8000:cl=mono",
        "-t",
        "3600",
        "-c:a",
        "flac",
    ];
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-y", "-loglevel", "error"])
        .args(source)
        .arg(&file);
    speech::run(&mut ffmpeg)?;
    Ok(std::fs::read(file)?)
}

/// All files below `folder` but the database's own.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.retain(|path| !path.to_string_lossy().contains(".sqlite") && !path.to_string_lossy().contains(".db"));
    found.sort();
    Ok(found)
}

fn peak_kib(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

#[test]
fn messages_that_cannot_be_read_are_counted() -> Result<()> {
    let village = Village::start(Plan {
        simulated: 1,
        ..Plan::default()
    })?;
    let stranger = village.api.enrol("Người lạ", &village.area, "127.0.0.1")?;
    for kind in [Uplink::Telemetry, Uplink::Receipt] {
        publish(
            &stranger,
            village.folder(),
            &Topic::Up(stranger.decoded()?.receiver, kind).text(),
            "rác",
        )?;
    }
    // Refused messages are counted where an administrator looks; the receiver that did nothing wrong is untouched.
    let counted = wait_metric(&village, "loa_reports_refused_total", "malformed", 2)?;
    println!("{counted} malformed messages were counted");
    let receivers = village.api.get("/api/v1/receivers")?;
    let honest = receivers
        .as_array()
        .context("a list")?
        .iter()
        .find(|one| one["id"] == *village.simulated[0].id);
    ensure!(honest.is_some_and(|one| one["online"] == true), "{receivers}");
    Ok(())
}

/// Reads `/metrics` until the counter has reached `least`: there is no event for a refusal.
fn wait_metric(village: &Village, name: &str, label: &str, least: u64) -> Result<u64> {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let text = village.api.get("/metrics")?;
        let value = text.as_str().context("text")?.lines().find_map(|line| {
            let fits = line.starts_with(name) && line.contains(label);
            fits.then(|| line.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
        });
        match value {
            Some(value) if value as u64 >= least => return Ok(value as u64),
            _ if std::time::Instant::now() > deadline => anyhow::bail!("{name} {label} did not reach {least}: {text}"),
            _ => std::thread::yield_now(),
        }
    }
}

/// Publishes over TLS as `who`.
fn publish(who: &Enrolled, folder: &Path, topic: &str, payload: &str) -> Result<()> {
    let enrolment = who.decoded()?;
    let name = String::from_utf8(enrolment.receiver.hex().to_vec())?;
    let password = String::from_utf8(enrolment.secret.mqtt_password().to_vec())?;
    let pem = who.authority(folder)?;
    let mut command = Command::new("mosquitto_pub");
    command.args([
        "-q", "1", "-i", &name, "-u", &name, "-P", &password, "-t", topic, "-m", payload,
    ]);
    command
        .args([
            "-h",
            &enrolment.mqtt_host,
            "-p",
            &enrolment.mqtt_port.to_string(),
            "--cafile",
        ])
        .arg(pem);
    speech::run(&mut command)
}

#[test]
fn requests_that_make_no_sense_are_explained() -> Result<()> {
    let village = Village::start(Plan::default())?;
    let nowhere = "00000000-0000-7000-8000-000000000000";
    let cases = [
        (
            "/api/v1/broadcasts",
            json!({ "bulletin_id": nowhere, "target": { "areas": [village.area], "receivers": [] } }),
        ),
        (
            "/api/v1/broadcasts",
            json!({ "bulletin_id": "x", "target": { "areas": [], "receivers": [] } }),
        ),
        ("/api/v1/broadcasts", json!({ "target": 7 })),
        (
            "/api/v1/areas",
            json!({ "name": "", "kind": "village", "parent_id": null }),
        ),
        ("/api/v1/receivers", json!({ "name": "Cụm loa", "area_id": nowhere })),
    ];
    for (path, body) in cases {
        let reply = village.api.call("POST", path, Some(&body))?;
        println!("{path} {body}: HTTP {} {}", reply.status, reply.body);
        ensure!(
            (400..500).contains(&reply.status),
            "{path} {body}: HTTP {} {}",
            reply.status,
            reply.body
        );
        ensure!(
            !reply.code().is_empty() && reply.body["message"].is_string(),
            "{path} {body}: {}",
            reply.body
        );
    }
    ensure!(
        village
            .api
            .get("/api/v1/broadcasts")?
            .as_array()
            .is_some_and(Vec::is_empty),
        "a broadcast was made"
    );
    Ok(())
}
