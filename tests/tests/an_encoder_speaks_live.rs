//! ffmpeg as it is brings live sound by Icecast's source protocol, as BUTT and OBS do: MP3 and Ogg Opus are heard from a receiver's
//! loudspeaker and kept; who has no token, or no right there, is told so.

use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loa_tests::{PATIENCE, Plan, Settings, Village, scratch_port, time_in, tone_share};
use serde_json::json;

/// Seconds of sound.
const SECONDS: u64 = 8;

#[test]
fn what_an_encoder_brings_is_heard_and_kept() -> Result<()> {
    let port = scratch_port()?;
    let mut village = Village::start(Plan {
        simulated: 1,
        settings: Settings::default().with(&["--encoder-listen", &format!("127.0.0.1:{port}")]),
        ..Plan::default()
    })?;
    let expires = time_in(Duration::from_secs(3600))?;
    let token = |rights: &[&str]| -> Result<String> {
        let name = format!("Bộ mã hóa {}", rights.len());
        let body = json!({ "name": name, "rights": rights, "expires_at": expires });
        let made = village.api.post("/api/v1/tokens", &body)?;
        Ok(made["token"].as_str().context("token")?.to_owned())
    };
    let mount = |token: &str| format!("icecast://loa:{token}@127.0.0.1:{port}/{}", village.area);

    let refused = encode(&["-c:a", "libmp3lame", "-f", "mp3"], 1000, &mount("loa_wrong"))?;
    ensure!(!refused.status.success(), "a wrong token was taken");
    let refused = encode(&["-c:a", "libmp3lame", "-f", "mp3"], 1000, &mount(&token(&["see"])?))?;
    ensure!(!refused.status.success(), "a token that may not broadcast was taken");

    let token = token(&["see", "broadcast"])?;
    let (mut spans, mut wrong) = (Vec::new(), Vec::new());
    for (kind, hertz) in [
        (
            &[
                "-c:a",
                "libmp3lame",
                "-b:a",
                "64k",
                "-content_type",
                "audio/mpeg",
                "-f",
                "mp3",
            ][..],
            1000,
        ),
        (
            &[
                "-c:a",
                "libopus",
                "-b:a",
                "48k",
                "-content_type",
                "application/ogg",
                "-f",
                "ogg",
            ][..],
            700,
        ),
    ] {
        let events = village.api.events()?;
        let sent = encode(kind, hertz, &mount(&token))?;
        ensure!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        let done = events.wait("the encoder's broadcast to end", PATIENCE, |name, it| {
            let ended = it["state"] == "done" && it["title"] == format!("Xã {hertz}");
            (name == "broadcast" && ended).then(|| it.clone())
        })?;
        let recorded = village.api.events()?.wait("the recording", PATIENCE, |name, it| {
            (name == "bulletin" && it["id"] == done["bulletin_id"]).then(|| it.clone())
        })?;
        let lasted = recorded["duration_ms"].as_u64().context("duration")?;
        ensure!(
            (SECONDS * 900..SECONDS * 1000 + 6000).contains(&lasted),
            "{lasted} ms recorded"
        );
        spans.push(hertz);
    }
    village.simulation.finish()?;
    let heard = village.simulation.recording(&village.simulated[0].id)?;
    for hertz in spans {
        let windows = heard.0.chunks_exact(4800);
        let of_it = windows
            .filter(|window| tone_share(window, f64::from(hertz)) > 0.8)
            .count() as u64
            * 100;
        println!("{hertz} Hz: {of_it} ms of {} heard", SECONDS * 1000);
        if of_it < SECONDS * 900 {
            wrong.push(format!("{hertz} Hz: only {of_it} ms heard"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// Lets ffmpeg encode a tone as fast as it sounds, to its end.
fn encode(kind: &[&str], hertz: u32, to: &str) -> Result<Output> {
    let source = format!("sine=frequency={hertz}:duration={SECONDS}:sample_rate=48000");
    let output = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-hide_banner",
            "-loglevel",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            &source,
        ])
        .args(kind)
        .args(["-ice_name", &format!("Xã {hertz}")])
        .arg(to)
        .output();
    output.context("ffmpeg")
}
