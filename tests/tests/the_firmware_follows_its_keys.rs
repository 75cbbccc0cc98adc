//! The firmware's image from no identity to new keys, with the power cut at every step: it asks to be enrolled, becomes a receiver,
//! and follows its server to another secret and another signing key. What it plays in between is the sound that was sent.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use loa_protocol::claim::Code;
use loa_tests::{
    Api, Board, Events, PATIENCE, Recording, Server, Settings, decode_by_float_libopus, loa_binary, speech,
};
use serde_json::{Value, json};

/// A server, and one device.
struct Site {
    board: Board,
    _server: Server,
    api: Api,
    events: Events,
    area: String,
    bulletin: String,
    programme: Recording,
}

impl Site {
    /// Sounds on the board from beginning to end, as it was sent.
    fn plays(&self) -> Result<()> {
        let broadcast = self.api.broadcast(&self.bulletin, &[&self.area], None)?;
        let id = broadcast["id"].as_str().context("id")?;
        self.events
            .wait_broadcast(id, &["done", "failed", "stopped"], PATIENCE)?;
        let receipts = self.api.receipts(id)?;
        let whole = receipts
            .iter()
            .all(|one| one["outcome"] == "played" && one["lost"] == 0 && one["played_ms"] == one["planned_ms"]);
        ensure!(receipts.len() == 1 && whole, "{receipts:?}");
        let (played, sent) = (self.board.recording()?.0, &self.programme.0);
        // From the end: that is where a broadcast's sound is cut exactly.
        let length = played.len().min(sent.len()).min(96_000);
        ensure!(length == 96_000, "{} samples of {}", played.len(), sent.len());
        let last = |samples: &[i16]| Recording(samples[samples.len() - length..].to_vec());
        let snr = last(&played).snr(&last(sent));
        println!(
            "{:.2} s, the last two {snr:.1} dB against the programme",
            played.len() as f64 / 48_000.0
        );
        ensure!(snr >= 60.0, "{snr} dB");
        Ok(())
    }

    /// Pulls the plug and waits until the receiver is back.
    fn cut_power(&mut self) -> Result<()> {
        self.board.kill();
        self.wait_receiver("go offline", |it| it["online"] == false)?;
        self.board.boot_again()?;
        self.wait_receiver("come back", |it| it["online"] == true)
    }

    fn wait_receiver(&self, what: &str, mut is: impl FnMut(&Value) -> bool) -> Result<()> {
        let what = format!("the receiver to {what}");
        self.events.wait(&what, PATIENCE, |name, value| {
            (name == "receiver" && is(value)).then_some(())
        })
    }

    fn wait_line(&mut self, wanted: &str) -> Result<()> {
        self.board
            .wait_for_line(PATIENCE, |line| line.contains(wanted).then_some(()))
    }

    fn code(&mut self) -> Result<Code> {
        self.board.wait_for_line(PATIENCE, |line| {
            let (_, code) = line.split_once("claim code ")?;
            Code::parse(code)
        })
    }
}

#[test]
fn the_firmware_follows_its_keys() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let (folder, data) = (scratch.path(), scratch.path().join("data"));
    let settings = Settings::fixed()?.patient().host(Board::HOST);
    let settings = settings.with(&["--public-host", Board::HOST]);
    let (server, api) = Server::start(&data, settings.clone())?;
    // The same words as the server was started with: the command line works on the same data.
    let loa = |words: &[&str]| {
        let mut command = Command::new(loa_binary());
        command.args(words).arg("--data").arg(&data).args(&settings.arguments);
        speech::run(&mut command)
    };
    let site = folder.join("site.bin");
    loa(&["receiver", "claim-config", "--out", &site.to_string_lossy()])?;

    let area = api.area("Thôn 1", "village", None)?;
    let bulletin = api.approved(&short(folder)?, "Thông báo")?;
    let programme = folder.join("stored.opus");
    api.download(&format!("/api/v1/bulletins/{bulletin}/audio"), &programme)?;
    let mut site = Site {
        board: Board::boot_flashed(&std::fs::read(&site)?, &folder.join("board"))?,
        _server: server,
        events: api.events()?,
        api,
        area,
        bulletin,
        programme: decode_by_float_libopus(&programme)?,
    };

    // It shows a code, the same after a power cut; the server lists no more than its beginning.
    let code = site.code()?;
    site.board.boot_again()?;
    ensure!(site.code()? == code, "another code after a power cut");
    let code = code.to_string();
    let listed = site.events.wait("a device to ask", PATIENCE, |name, value| {
        let asking = value.as_array().filter(|_| name == "claims")?;
        asking.first().cloned()
    })?;
    ensure!(
        listed["board"] == "qemu-an505" && !listed.to_string().contains(&code[5..]),
        "{listed}"
    );
    let approval = json!({ "name": "Nhà văn hoá", "area_id": site.area, "volume": 100 });
    let wrong = Code([7; 10]).to_string();
    let refused = site
        .api
        .call("POST", &format!("/api/v1/claims/{wrong}/approve"), Some(&approval))?;
    ensure!(refused.status == 404, "{refused:?}");

    // Approved, it is a receiver, and stays one.
    let receiver = site.api.post(&format!("/api/v1/claims/{code}/approve"), &approval)?;
    let id = receiver["id"].as_str().context("id")?.to_owned();
    site.wait_line("is enrolled")?;
    site.wait_receiver("come", |it| it["id"] == *id && it["online"] == true)?;
    site.plays()?;
    site.cut_power()?;

    // It follows to another secret, and to another key, of which the one before is destroyed.
    let rotate = format!("/api/v1/receivers/{id}/rotate");
    site.api.call("POST", &rotate, None)?.ok()?;
    site.wait_line("enrolment stored: true, key 1, epoch 1")?;
    site.wait_receiver("have used its new secret", |it| it["rotating"] == false)?;
    loa(&["key", "rotate", "signing", "--destroy"])?;
    site.wait_line("enrolment stored: true, key 2, epoch 1")?;
    site.plays()?;
    site.cut_power()?;
    site.plays()?;
    Ok(())
}

/// Some seconds of speech.
fn short(folder: &Path) -> Result<PathBuf> {
    let (wav, mp3) = (folder.join("short.wav"), folder.join("short.mp3"));
    speech::speak("Kính mời bà con chú ý. Sáng mai họp thôn.", &wav)?;
    speech::to_mp3(&wav, &mp3)?;
    Ok(mp3)
}
