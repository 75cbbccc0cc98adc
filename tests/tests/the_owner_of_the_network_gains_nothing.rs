//! Whoever owns the network between receivers and server can delay and drop, and no more: what they forge, bend, shuffle, exchange
//! or play back changes no sample of what sounds, makes nothing sound, sets no clock, and is counted.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use loa_protocol::topic::{Downlink, Topic};
use loa_tests::{Middle, PATIENCE, Plan, Process, Settings, Simulation, Village, scratch_port, speech};
use serde_json::Value;

/// The first byte of RTP and RTCP has its two highest bits so (RFC 3550 §5.1).
fn is_sound(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first >> 6 == 2) && !is_rtcp(datagram)
}

/// Packet types 192 to 223 are RTCP's (RFC 5761 §4).
fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// Of receivers 0 and 1, every packet comes bent, forged and in the other's encryption first; every fourth behind the next, and both
/// twice. Receiver 2 is let alone.
struct Mischief {
    held: [Option<Vec<u8>>; 2],
    last: [Option<Vec<u8>>; 3],
    seed: u64,
    /// Datagrams that must be refused, for receivers 0 and 1.
    injected: Arc<[AtomicU64; 2]>,
}

impl Mischief {
    fn tamper(&mut self, receiver: usize, datagram: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        if receiver > 1 || !is_sound(datagram) {
            out.extend(self.held.get_mut(receiver).and_then(Option::take));
            out.push(datagram.to_vec());
            return out;
        }
        // Linear congruential, as good as needed to choose a bit.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut bent = datagram.to_vec();
        let bit = (self.seed >> 33) as usize % (bent.len() * 8);
        bent[bit / 8] ^= 1 << (bit % 8);
        let mut forged = datagram.to_vec();
        forged[12..].fill(0xA5);
        let of_the_other = self.last[1 - receiver].clone();
        for attempt in [Some(bent), Some(forged), of_the_other].into_iter().flatten() {
            self.injected[receiver].fetch_add(1, Ordering::Relaxed);
            out.push(attempt);
        }
        self.last[receiver] = Some(datagram.to_vec());
        match self.held[receiver].take() {
            // Sequence numbers begin at 0; the announcement's last packet is not one of these.
            None if datagram[3] % 4 == 1 => self.held[receiver] = Some(datagram.to_vec()),
            before => {
                out.push(datagram.to_vec());
                out.extend(
                    before
                        .into_iter()
                        .flat_map(|before| [before.clone(), datagram.to_vec(), before]),
                );
            }
        }
        out
    }
}

#[test]
fn forged_bent_shuffled_and_exchanged_packets_change_no_sample() -> Result<()> {
    let settings = Settings::fixed()?.patient();
    let media = settings.value("--media-listen").and_then(|at| at.rsplit(':').next());
    let media: u16 = media.context("a media port")?.parse()?;
    let injected = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let mut mischief = Mischief {
        held: Default::default(),
        last: Default::default(),
        seed: 11,
        injected: injected.clone(),
    };
    let middle = Middle::relaying(
        media,
        Box::new(move |receiver, datagram| mischief.tamper(receiver, datagram)),
    )?;
    let settings = settings.with(&["--public-media-port", &middle.port().to_string()]);
    let mut village = Village::start(Plan {
        simulated: 3,
        settings,
        ..Plan::default()
    })?;
    let file = speech::announcement(village.folder())?;
    let done = village.air_to_the_end(&file)?;
    ensure!(done["state"] == "done", "{done}");
    let receipts = village.api.receipts(done["id"].as_str().context("id")?)?;
    let complete =
        |one: &Value| one["outcome"] == "played" && one["lost"] == 0 && one["played_ms"] == one["planned_ms"];
    ensure!(receipts.len() == 3 && receipts.iter().all(complete), "{receipts:?}");
    let report = village.simulation.finish()?;
    let refused = |one: &Value| one["refused_media"].as_u64().unwrap_or_default();
    let all: Vec<_> = report["receivers"]
        .as_array()
        .context("receivers")?
        .iter()
        .map(refused)
        .collect();
    let injected: Vec<_> = injected.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    println!("refused {all:?}, injected {injected:?}");
    // Which receiver spoke first is not ours to say: two were attacked, one was not.
    ensure!(
        injected.iter().all(|count| *count > 100),
        "too little was tried: {injected:?}"
    );
    let (mut attacked, mut sent) = (all.clone(), injected);
    attacked.sort();
    sent.sort();
    ensure!(
        attacked[0] == 0 && attacked[1..] == sent,
        "not all was refused and counted: {all:?}"
    );
    let recordings = village
        .simulated
        .iter()
        .map(|one| village.simulation.recording(&one.id));
    let recordings = recordings.collect::<Result<Vec<_>>>()?;
    for other in &recordings[1..] {
        let difference = recordings[0].difference(other);
        ensure!(difference.is_none(), "{difference:?}");
    }
    Ok(())
}

/// Yesterday's broadcast, every word of it: hello's answers, commands and sound, to receivers that were switched off and on since.
#[test]
fn a_whole_session_played_back_stays_silent_and_sets_no_clock() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let port = scratch_port()?;
    let config = folder.path().join("mosquitto.conf");
    std::fs::write(&config, format!("listener {port} 127.0.0.1\nallow_anonymous true\n"))?;
    let mut broker = Process::start("mosquitto", Command::new("mosquitto").arg("-v").arg("-c").arg(&config))?;
    broker.wait_for_line(PATIENCE, |line| line.contains("running").then_some(()))?;
    let settings = Settings::fixed()?.with(&["--mqtt-url", &format!("mqtt://127.0.0.1:{port}")]);
    let media = settings.value("--media-listen").and_then(|at| at.rsplit(':').next());
    let media: u16 = media.context("a media port")?.parse()?;
    let middle = Middle::relaying(media, Box::new(|_, datagram| vec![datagram.to_vec()]))?;
    let settings = settings.with(&["--public-media-port", &middle.port().to_string()]);
    let at = ["-h", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
    // Lines as they come: into a pipe they would wait for a full buffer.
    let mut listen = Command::new("stdbuf");
    listen
        .args([
            "-oL",
            "mosquitto_sub",
            "-d",
            "-q",
            "1",
            "-F",
            "LOA %x",
            "-t",
            "loa/1/+/command",
        ])
        .args(&at);
    let mut recorder = Process::start("mosquitto_sub", &mut listen)?;
    recorder.wait_for_line(PATIENCE, |line| line.contains("SUBACK").then_some(()))?;
    let mut village = Village::start(Plan {
        simulated: 1,
        settings,
        ..Plan::default()
    })?;
    let receiver = village.simulated[0].decoded()?.receiver;
    let topic = Topic::Down(receiver, Downlink::Command).text();
    let file = speech::announcement(village.folder())?;
    let done = village.air_to_the_end(&file)?;
    ensure!(done["state"] == "done", "{done}");
    let commands: Vec<_> = recorder
        .lines()
        .iter()
        .filter_map(|line| line.strip_prefix("LOA ").map(str::to_owned))
        .collect();
    ensure!(
        commands.len() > 1,
        "a policy and a play command at least were to be recorded: {commands:?}"
    );
    village.simulation.finish()?;
    let hex = receiver.to_string().replace('-', "");
    broker.wait_for_line(PATIENCE, |line| {
        (line.contains(&hex) && (line.contains("disconnected") || line.contains("closed"))).then_some(())
    })?;
    village.server.kill();
    let port_of_the_relay = middle.port();
    let tape = middle.finish();
    let (sound, other) = tape.iter().partition::<Vec<_>, _>(|datagram| is_sound(datagram));
    ensure!(
        sound.len() > 100 && !other.is_empty(),
        "{} and {} recorded",
        sound.len(),
        other.len()
    );

    let replay = Middle::replaying(port_of_the_relay, tape.clone())?;
    let again = folder.path().join("again");
    let mut simulation = Simulation::start(&village.simulated, &again, &[])?;
    // It has subscribed once the broker says so; then the commands come, between hellos that are answered by the whole tape.
    broker.wait_for_line(PATIENCE, |line| {
        (line.contains("Sending SUBACK") && line.contains(&hex)).then_some(())
    })?;
    for round in 1..=3 {
        let heard = replay.tape().len();
        for command in &commands {
            let file = folder.path().join("message");
            std::fs::write(&file, unhex(command)?)?;
            let mut publish = Command::new("mosquitto_pub");
            speech::run(publish.args(&at).args(["-q", "1", "-t", &topic, "-f"]).arg(&file))?;
        }
        // Between rounds it says hello, and is played the tape.
        replay
            .wait_for_more_than(heard, PATIENCE)
            .with_context(|| format!("round {round}"))?;
    }
    let acknowledged = format!("Received PUBACK from {hex}");
    for _ in 0..3 * commands.len() {
        broker.wait_for_line(PATIENCE, |line| line.contains(&acknowledged).then_some(()))?;
    }
    // Unanswered by UDP, it says hello over MQTT: by then the last command was judged, too.
    let spoken = format!("Received PUBLISH from {hex}");
    broker.wait_for_line(PATIENCE, |line| line.contains(&spoken).then_some(()))?;
    let report = simulation.finish()?;
    let one = &report["receivers"][0];
    println!(
        "{} commands and {} times {} datagrams played back: {one}",
        3 * commands.len(),
        replay.tape().len(),
        tape.len()
    );
    ensure!(
        one["samples"] == 0 && one["ready"] == false,
        "it took the tape for its server: {one}"
    );
    let refused = |key: &str| one[key].as_u64().unwrap_or_default();
    ensure!(refused("refused_commands") >= 3 * commands.len() as u64, "{one}");
    // The system's buffer does not hold a tape; of what it does hold, nothing is believed.
    let arrived = |of: &Value| of["arrived"].as_u64().unwrap_or_default();
    let came = arrived(&one["other_datagrams"]) + arrived(&one["broadcasts"][0]["network"]);
    ensure!(came > 300 && refused("refused_media") == came, "{came} came: {one}");
    Ok(())
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let pair = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    text.as_bytes().chunks(2).map(pair).collect()
}
