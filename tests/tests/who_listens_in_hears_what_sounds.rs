//! Who listens in hears what sounds at that moment, from the middle of a broadcast to its end, and no more once it was stopped.

use anyhow::{Context as _, Result, ensure};
use loa_tests::{PATIENCE, Plan, Recording, Village, decode_by_float_libopus, speech};

/// Samples in a packet of a file: 60 ms at 48 kHz.
const PACKET: usize = 2880;
/// Samples before the first of the sound.
const PRE_SKIP: usize = 312;

#[test]
fn it_is_the_broadcast_from_now_on_until_it_ends_or_is_stopped() -> Result<()> {
    let village = Village::start(Plan {
        simulated: 1,
        ..Plan::default()
    })?;
    let spoken = village.folder().join("spoken.wav");
    speech::speak(speech::ANNOUNCEMENT, &spoken)?;
    let broadcast = village.air(&spoken)?;
    let id = broadcast["id"].as_str().context("id")?;
    let listen = format!("/api/v1/broadcasts/{id}/listen");
    let early = village.api.call("GET", &listen, None)?;
    ensure!(early.status == 409 && early.code() == "not_on_air", "{early:?}");
    village.events.wait_broadcast(id, &["on_air"], PATIENCE)?;

    // The download ends when the broadcast does.
    let file = village.folder().join("heard.opus");
    village.api.download(&listen, &file)?;
    let heard = decode_by_float_libopus(&file)?;
    let stored = village.folder().join("stored.opus");
    village.stored(broadcast["bulletin_id"].as_str().context("bulletin")?, &stored)?;
    let whole = decode_by_float_libopus(&stored)?;
    let packets = (whole.0.len() + PRE_SKIP).div_ceil(PACKET);
    let first = packets.checked_sub(heard.0.len() / PACKET).context("more was heard than there is")?;
    println!("{first} of {packets} packets had sounded before");
    ensure!(heard.0.len() % PACKET == 0 && heard.seconds() > 2.0, "{} s", heard.seconds());
    // A second in, the decoder has forgotten that it began in the middle.
    let from = first * PACKET + 48_000 - PRE_SKIP;
    let (wanted, got) = (Recording(whole.0[from..].to_vec()), Recording(heard.0[48_000..].to_vec()));
    let snr = got.snr(&wanted);
    ensure!(snr > 40.0, "{snr} dB");

    let stopped = village.air(&spoken)?;
    let id = stopped["id"].as_str().context("id")?;
    village.events.wait_broadcast(id, &["on_air"], PATIENCE)?;
    let cut = village.folder().join("cut.opus");
    let listening = std::thread::scope(|scope| {
        let listening = scope.spawn(|| village.api.download(&format!("/api/v1/broadcasts/{id}/listen"), &cut));
        village.events.wait_playing(id, 1)?;
        village.api.call("POST", &format!("/api/v1/broadcasts/{id}/stop"), None)?.ok()?;
        listening.join().expect("no panic")
    });
    listening?;
    let cut = decode_by_float_libopus(&cut)?;
    ensure!(cut.seconds() < whole.seconds() - 1.0, "{} of {} s", cut.seconds(), whole.seconds());
    Ok(())
}
