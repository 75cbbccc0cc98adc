//! Somebody speaks through the WebSocket that browsers use: a click in is a click out of the receiver's loudspeaker, 600 ms later at most.
//! The studio is theirs alone meanwhile, what they said is kept, and the receiver's account is whole.

mod clicks;

use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Api, PATIENCE, Plan, Village};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{ClientRequestBuilder, Message, WebSocket};

/// Samples in a message: 20 ms.
const FRAME: usize = 960;
/// A click every so many frames.
const EVERY: usize = 37;
/// Clicks.
const CLICKS: usize = 12;

#[test]
fn a_click_is_heard_within_600_ms_and_all_of_it_is_kept() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: 2,
        ..Plan::default()
    })?;
    let broadcast = village.api.speak(&village.area, "normal")?;
    let id = broadcast["id"].as_str().context("id")?.to_owned();
    ensure!(broadcast["source"]["kind"] == "microphone", "{broadcast}");

    // Somebody else, or the same one again, is told who speaks.
    let taken = village.api.speak(&village.area, "normal").unwrap_err();
    ensure!(format!("{taken:#}").contains("studio_taken"), "{taken:#}");
    ensure!(format!("{taken:#}").contains("Quản trị"), "{taken:#}");
    // Another site's page may not listen in, or speak, with our cookies.
    let foreign = open(&village.api, &id, "https://example.org");
    ensure!(foreign.is_err(), "another site opened it");

    let bulletins = village.api.events()?;
    let mut socket = open(&village.api, &id, village.api.base())?;
    wait_on_air(&mut socket)?;
    let made = speak(&mut socket)?;
    socket.send(Message::text("end"))?;
    let over = read_states(&mut socket);
    ensure!(over.last().is_some_and(|it| it.contains("over")), "{over:?}");
    let done = village.wait_done(&broadcast)?;
    ensure!(done["state"] == "done", "{done}");

    let recorded = bulletins.wait("the recording", PATIENCE, |name, it| {
        (name == "bulletin" && it["id"] == done["bulletin_id"]).then(|| it.clone())
    })?;
    ensure!(
        recorded["state"] == "draft" && recorded["format"] == "opus",
        "{recorded}"
    );
    let lasted = recorded["duration_ms"].as_u64().context("duration")?;
    let spoken = (CLICKS * EVERY * 20) as u64;
    ensure!(
        (spoken..spoken + 4000).contains(&lasted),
        "{lasted} ms recorded of {spoken}"
    );
    let file = village.folder().join("recorded.opus");
    village.stored(recorded["id"].as_str().context("id")?, &file)?;
    let recording = loa_tests::decode_by_float_libopus(&file)?;
    ensure!(
        clicks::onsets(&recording.0).len() == CLICKS,
        "{} clicks recorded",
        clicks::onsets(&recording.0).len()
    );

    let receipts = village.api.receipts(&id)?;
    for receipt in &receipts {
        ensure!(
            receipt["lost"] == 0 && receipt["played_ms"] == receipt["planned_ms"],
            "{receipt}"
        );
    }
    clicks::judge(&mut village, &receipts, &made)?;
    // The studio is free again.
    let again = village.api.speak(&village.area, "normal")?;
    let stop = format!("/api/v1/broadcasts/{}/stop", again["id"].as_str().context("id")?);
    village.api.call("POST", &stop, None)?.ok()?;
    Ok(())
}

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

fn open(api: &Api, id: &str, origin: &str) -> Result<Socket> {
    let uri = format!("{}/api/v1/live/{id}/sound", api.base().replacen("http", "ws", 1));
    let request = ClientRequestBuilder::new(uri.parse()?)
        .with_header("cookie", format!("loa_session={}", api.session().0))
        .with_header("origin", origin);
    let (socket, _) = tungstenite::connect(request)?;
    Ok(socket)
}

fn wait_on_air(socket: &mut Socket) -> Result<()> {
    loop {
        if socket.read()?.to_text()?.contains("on_air") {
            return Ok(());
        }
    }
}

/// What the server says until it closes.
fn read_states(socket: &mut Socket) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(message) = socket.read() {
        if let Message::Text(text) = message {
            all.push(text.to_string());
        }
    }
    all
}

/// Sends frames as a microphone brings them: each when its last sample was captured. Gives when the clicks were made.
fn speak(socket: &mut Socket) -> Result<Vec<u64>> {
    let (begun, wall) = (Instant::now(), micros(SystemTime::now())?);
    let mut clicks = Vec::new();
    for n in 0..CLICKS * EVERY {
        let mut frame = [0i16; FRAME];
        if n % EVERY == EVERY / 2 {
            // 5 ms of 2 kHz, in the middle of the frame.
            for (k, sample) in frame[FRAME / 2..].iter_mut().take(240).enumerate() {
                *sample = ((k as f64 / 48_000.0 * 2000.0 * std::f64::consts::TAU).sin() * 25_000.0) as i16;
            }
            clicks.push(wall + (n * FRAME + FRAME / 2) as u64 * 1_000_000 / 48_000);
        }
        let captured = Duration::from_millis(20) * (n as u32 + 1);
        // What a microphone does: it gives a frame when that has passed.
        std::thread::sleep(captured.saturating_sub(begun.elapsed()));
        let bytes: Vec<u8> = frame.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        socket.send(Message::binary(bytes))?;
    }
    Ok(clicks)
}

fn micros(at: SystemTime) -> Result<u64> {
    Ok(u64::try_from(at.duration_since(SystemTime::UNIX_EPOCH)?.as_micros())?)
}
