//! Another station's stream is refused, 404, stalled, of the wrong type, an endless redirect, silent, noise: each time the fallback is
//! heard from a receiver's loudspeaker within 5 s, and the station again when it is good again. What lies in the server's own network is
//! not relayed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Heard, Plan, Settings, Village, speech, tone_share};
use serde_json::{Value, json};

/// What a station does wrong, and a word of what the record says of it.
const FAULTS: [(Fault, &str); 7] = [
    (Fault::Refused, "refused"),
    (Fault::NotFound, "404"),
    (Fault::Stalled, "stalled"),
    (Fault::WrongType, "text/html"),
    (Fault::Redirects, "redirects"),
    (Fault::Silent, "silent"),
    (Fault::Noise, "noise"),
];

/// Hertz of the station's tone, and of the fallback's.
const STATION: f64 = 1000.0;
const FALLBACK: f64 = 400.0;
/// The fallback is heard after this time at the latest.
const WITHIN: Duration = Duration::from_secs(5);
/// And the station again.
const BACK: Duration = Duration::from_secs(12);
/// How long each phase is.
const PHASE: [Duration; 3] = [Duration::from_secs(6), Duration::from_secs(10), Duration::from_secs(14)];
/// Bytes of MP3 a second, and how often some are sent.
const RATE: usize = 8000;
const TICK: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Refused,
    NotFound,
    Stalled,
    WrongType,
    Redirects,
    Silent,
    Noise,
}

#[test]
fn every_fault_of_a_relay_is_bridged_within_5_s() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: FAULTS.len(),
        settings: Settings::default().with(&["--relay-allow", "127.0.0.1"]),
        ..Plan::default()
    })?;
    let sounds = Arc::new(Sounds::make(village.folder())?);
    let fallback = village
        .api
        .approved(&tone(village.folder(), "fallback.wav", FALLBACK)?, "Dự phòng")?;

    let mut runs = Vec::new();
    for ((fault, word), receiver) in FAULTS.into_iter().zip(&village.simulated) {
        let station = Station::open(sounds.clone())?;
        let url = format!("http://127.0.0.1:{}/radio.mp3", station.port);
        let broadcast = relay(&village, &url, &receiver.id, &fallback)?.ok()?;
        runs.push((fault, word, receiver.id.clone(), station, broadcast));
    }
    wait(PHASE[0]);
    let broken = now()?;
    for (fault, _, _, station, _) in &mut runs {
        station.fail(Some(*fault))?;
    }
    wait(PHASE[1]);
    let mended = now()?;
    for (_, _, _, station, _) in &mut runs {
        station.fail(None)?;
    }
    wait(PHASE[2]);
    let ended = now()?;
    let record = village.api.get("/api/v1/record?limit=1000")?;
    for (_, _, _, _, broadcast) in &runs {
        let stop = format!("/api/v1/broadcasts/{}/stop", broadcast["id"].as_str().context("id")?);
        village.api.call("POST", &stop, None)?.ok()?;
    }
    village.simulation.finish()?;

    let mut wrong = Vec::new();
    for (fault, word, receiver, station, broadcast) in runs {
        drop(station);
        let heard = village.simulation.heard(&receiver)?;
        if let Err(why) = judge(&heard, [broken, mended, ended]).and_then(|said| {
            println!("{fault:?}: {said}");
            in_record(&record, &broadcast, word)
        }) {
            wrong.push(format!("{fault:?}: {why:#}"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn what_lies_inside_is_not_relayed() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: 1,
        ..Plan::default()
    })?;
    let sounds = Arc::new(Sounds::make(village.folder())?);
    let station = Station::open(sounds)?;
    let fallback = village
        .api
        .approved(&tone(village.folder(), "fallback.wav", FALLBACK)?, "Dự phòng")?;
    let receiver = village.simulated[0].id.clone();
    for inside in [
        format!("http://127.0.0.1:{}/", station.port),
        format!("http://[::ffff:127.0.0.1]:{}/", station.port),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://192.168.1.1/stream".into(),
        "file:///etc/passwd".into(),
        "https://user:secret@example.org/".into(),
        "rtsp://example.org/".into(),
        "http://example.org/live.m3u8".into(),
    ] {
        let reply = relay(&village, &inside, &receiver, &fallback)?;
        ensure!(
            reply.status == 422 && reply.body["fields"]["relay.url"].is_string(),
            "{inside}: {reply:?}"
        );
    }
    // A name that leads inside is accepted, as names are, and not connected to: the fallback sounds instead.
    let url = format!("http://localhost:{}/radio.mp3", station.port);
    let broadcast = relay(&village, &url, &receiver, &fallback)?.ok()?;
    let trouble = village.events.wait("trouble", loa_tests::PATIENCE, |name, it| {
        let ours = name == "broadcast" && it["id"] == broadcast["id"];
        ours.then(|| it["source"]["trouble"].as_str().map(str::to_owned))
            .flatten()
    })?;
    ensure!(trouble.contains("relay.allow"), "{trouble}");
    wait(Duration::from_secs(3));
    ensure!(station.asked() == 0, "it was connected to");
    village.simulation.finish()?;
    let heard = village.simulation.heard(&receiver)?;
    let end = now()?;
    ensure!(
        first(&heard, end - 10_000_000, end, FALLBACK).is_some(),
        "no fallback was heard"
    );
    Ok(())
}

fn relay(village: &Village, url: &str, receiver: &str, fallback: &str) -> Result<loa_tests::Reply> {
    let until = loa_tests::time_in(Duration::from_secs(600))?;
    let body = json!({
        "relay": { "url": url, "title": "Đài tỉnh", "class": "normal", "until": until, "fallback_bulletin_ids": [fallback] },
        "target": { "areas": [], "receivers": [receiver] },
    });
    village.api.call("POST", "/api/v1/broadcasts", Some(&body))
}

/// The sound before, during and after the fault.
fn judge(heard: &Heard, [broken, mended, ended]: [u64; 3]) -> Result<String> {
    let before = broken - 2_000_000;
    ensure!(
        first(heard, before, broken, STATION).is_some(),
        "the station was not heard at first"
    );
    ensure!(
        first(heard, before, broken, FALLBACK).is_none(),
        "the fallback was heard before the fault"
    );
    let gone = first(heard, broken, mended, FALLBACK).context("no fallback was heard")?;
    let back = first(heard, mended, ended, STATION).context("the station was not heard again")?;
    // Once it is back it stays, and the other is silent.
    let after = back + 500_000;
    ensure!(
        first(heard, after, ended, FALLBACK).is_none(),
        "the fallback was heard again"
    );
    let (gone, back) = (gone - broken, back - mended);
    let said = format!("fallback after {} ms, back after {} ms", gone / 1000, back / 1000);
    ensure!(
        u128::from(gone) <= WITHIN.as_micros() && u128::from(back) <= BACK.as_micros(),
        "{said}"
    );
    Ok(said)
}

/// When a tone is heard first.
fn first(heard: &Heard, from: u64, to: u64, hertz: f64) -> Option<u64> {
    const WINDOW: usize = 4800;
    let samples = heard.between(from, to);
    let windows = samples.chunks_exact(WINDOW);
    let n = windows.into_iter().position(|window| tone_share(window, hertz) > 0.8)?;
    Some(from + (n * WINDOW) as u64 * 1_000_000 / 48_000)
}

fn in_record(record: &Value, broadcast: &Value, word: &str) -> Result<()> {
    let entries = record.as_array().context("a list")?;
    let of = |what: &str| {
        let ours = entries
            .iter()
            .filter(|it| it["subject"] == broadcast["id"] && it["what"] == what);
        ours.map(|it| it["detail"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let (trouble, good) = (of("broadcast.trouble"), of("broadcast.good"));
    ensure!(
        trouble.iter().any(|it| it.contains(word)),
        "the record says {trouble:?}"
    );
    ensure!(!good.is_empty(), "that it is good again is not in the record");
    Ok(())
}

fn now() -> Result<u64> {
    Ok(u64::try_from(
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_micros(),
    )?)
}

/// Lets so much of the programme pass.
fn wait(time: Duration) {
    std::thread::sleep(time);
}

fn tone(folder: &Path, name: &str, hertz: f64) -> Result<PathBuf> {
    let path = folder.join(name);
    let source = format!("sine=frequency={hertz}:duration=8:sample_rate=48000");
    speech::run(
        Command::new("ffmpeg")
            .args(["-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", &source])
            .arg(&path),
    )?;
    Ok(path)
}

/// MP3 streams, to be repeated.
struct Sounds {
    station: Vec<u8>,
    silence: Vec<u8>,
    noise: Vec<u8>,
}

impl Sounds {
    fn make(folder: &Path) -> Result<Self> {
        let of = |name: &str, source: &str| {
            let path = folder.join(name);
            speech::run(
                Command::new("ffmpeg")
                    .args(["-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", source])
                    .args([
                        "-t",
                        "10",
                        "-ac",
                        "1",
                        "-ar",
                        "44100",
                        "-c:a",
                        "libmp3lame",
                        "-b:a",
                        "64k",
                    ])
                    .args(["-write_xing", "0", "-id3v2_version", "0"])
                    .arg(&path),
            )?;
            std::fs::read(&path).context("an MP3")
        };
        Ok(Self {
            station: of("station.mp3", &format!("sine=frequency={STATION}"))?,
            silence: of("silence.mp3", "anullsrc")?,
            noise: of("noise.mp3", "anoisesrc=color=white:amplitude=0.3")?,
        })
    }
}

/// A station of another, well or not.
struct Station {
    port: u16,
    shared: Arc<Shared>,
    serving: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    sounds: Arc<Sounds>,
    fault: Mutex<Option<Fault>>,
    open: Mutex<Vec<TcpStream>>,
    asked: Mutex<usize>,
    ending: AtomicBool,
}

impl Station {
    fn open(sounds: Arc<Sounds>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let shared = Arc::new(Shared {
            sounds,
            fault: Mutex::default(),
            open: Mutex::default(),
            asked: Mutex::default(),
            ending: AtomicBool::new(false),
        });
        let port = listener.local_addr()?.port();
        let mut station = Self {
            port,
            shared,
            serving: None,
        };
        station.serve(listener);
        Ok(station)
    }

    fn asked(&self) -> usize {
        *self.shared.asked.lock().expect("a lock")
    }

    fn serve(&mut self, listener: TcpListener) {
        let shared = self.shared.clone();
        shared.ending.store(false, Ordering::SeqCst);
        self.serving = Some(std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.ending.load(Ordering::SeqCst) {
                    return;
                }
                shared.open.lock().expect("a lock").extend(stream.try_clone());
                *shared.asked.lock().expect("a lock") += 1;
                let shared = shared.clone();
                // It ends with its connection.
                std::thread::spawn(move || _ = shared.answer(stream));
            }
        }));
    }

    /// Begins a fault, or is well again.
    fn fail(&mut self, fault: Option<Fault>) -> Result<()> {
        let before = std::mem::replace(&mut *self.shared.fault.lock().expect("a lock"), fault);
        if before == Some(Fault::Refused) {
            self.serve(TcpListener::bind(("127.0.0.1", self.port))?);
        }
        match fault {
            Some(Fault::Refused) => {
                self.close();
                self.hang_up();
            }
            Some(Fault::NotFound | Fault::WrongType | Fault::Redirects) => self.hang_up(),
            Some(Fault::Stalled | Fault::Silent | Fault::Noise) | None => {}
        }
        Ok(())
    }

    fn hang_up(&self) {
        for stream in self.shared.open.lock().expect("a lock").drain(..) {
            // It may be gone.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn close(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        // Wakes who waits for a connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.close();
        self.hang_up();
    }
}

impl Shared {
    fn fault(&self) -> Option<Fault> {
        *self.fault.lock().expect("a lock")
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        match self.fault() {
            Some(Fault::NotFound) => write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
            Some(Fault::WrongType) => {
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"
                )
            }
            Some(Fault::Redirects) => {
                write!(
                    stream,
                    "HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n"
                )
            }
            // It never answers; whoever asked gives up.
            Some(Fault::Stalled) => lines.next().transpose().map(drop),
            None | Some(Fault::Refused | Fault::Silent | Fault::Noise) => self.stream(stream),
        }
    }

    /// Sends sound as fast as it plays, a second of it at once in the beginning.
    fn stream(&self, mut stream: TcpStream) -> std::io::Result<()> {
        write!(
            stream,
            "HTTP/1.0 200 OK\r\ncontent-type: audio/mpeg\r\nicy-name: Radio\r\n\r\n"
        )?;
        let (begun, mut sent) = (Instant::now(), 0);
        loop {
            let sound = match self.fault() {
                None => &self.sounds.station,
                Some(Fault::Silent) => &self.sounds.silence,
                Some(Fault::Noise) => &self.sounds.noise,
                // What was not sent meanwhile is not made up for.
                Some(Fault::Stalled) => {
                    wait(TICK);
                    continue;
                }
                Some(_) => return Ok(()),
            };
            let due = RATE + begun.elapsed().as_millis() as usize * RATE / 1000;
            if due <= sent {
                wait(TICK);
                continue;
            }
            let piece: Vec<u8> = sound
                .iter()
                .cycle()
                .skip(sent % sound.len())
                .take(due - sent)
                .copied()
                .collect();
            stream.write_all(&piece)?;
            sent = due;
        }
    }
}
