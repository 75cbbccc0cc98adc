//! The urgent half: the receiver itself, everything that happens to it and everything that it orders.

use crate::board::{Board, Login, Work, store};
use crate::media::Media;
use crate::outbox::Message;
use crate::wires::{Heard, Wires};
use embassy_futures::select::{Either4, select4};
use embassy_futures::yield_now;
use embassy_time::{Instant, Timer};
use heapless::Vec;
use loa_protocol::MAX_DATAGRAM;
use loa_receiver::{Decoder, Input, Micros, Output, Receiver};

/// What is left to say before a reboot gets this long to leave.
const FAREWELL: u64 = 500_000;

/// Attends to the receiver, for ever. Urgent: its sound is decoded here, [`loa_receiver::LEAD`] ahead.
pub async fn attend<D: Decoder, B: Board>(
    media: &Media,
    receiver: &mut Receiver<D>,
    board: &mut B,
    wires: &Wires,
) -> ! {
    let mut datagram = [0; MAX_DATAGRAM];
    let mut work = Some(Work::Timer);
    let mut looked = 0;
    let mut reboot = None;
    board.begins(Work::Timer);
    receiver.handle(now(), Input::Timer);
    loop {
        let mut stored = None;
        loop {
            if let Some(done) = stored.take() {
                receiver.handle(now(), Input::Stored(done));
            }
            let Some(output) = receiver.poll() else { break };
            match output {
                Output::Datagram(bytes) => media.send(bytes),
                Output::Sound { at, pcm } => board.play(at, pcm),
                Output::Amplifier(on) => board.amplifier(on),
                Output::Status(status) => board.status(status),
                Output::Store(enrolment) => {
                    let (key, epoch) = (enrolment.key_number, enrolment.epoch);
                    let done = store(board, |flash| enrolment.encode(flash));
                    log::info!("enrolment stored: {done}, key {key}, epoch {epoch}");
                    stored = Some(done);
                }
                Output::Reboot => reboot = reboot.or(Some(now().0 + FAREWELL)),
                Output::Subscribe(topic) => wires.post(Message::Subscribe { topic }),
                Output::Publish {
                    topic,
                    payload,
                    at_least_once,
                    retain,
                } => match Vec::from_slice(payload) {
                    Ok(payload) => wires.post(Message::Publish {
                        topic,
                        payload,
                        at_least_once,
                        retain,
                    }),
                    Err(_) => log::error!("{} bytes are too many for {topic}", payload.len()),
                },
            }
        }
        if let Some(work) = work.take() {
            board.ends(work);
        }

        let time = now().0;
        if reboot.is_some_and(|at| at <= time) {
            board.reboot();
        }
        if time >= looked + B::ALIVE / 2 {
            looked = time;
            if !wires.stuck() {
                board.alive(Micros(time), receiver.turns());
            }
        }

        let due = receiver.next_wakeup().map_or(u64::MAX, |at| at.0);
        let next = due.min(looked + B::ALIVE / 2);
        let happens = select4(wires.heard.receive(), media.arrival(), alarm(next), wires.asked.wait());
        match happens.await {
            Either4::First(heard) => {
                board.begins(*work.insert(Work::Message));
                hear(receiver, heard);
            }
            Either4::Second(()) => {
                board.begins(*work.insert(Work::Datagram));
                while let Some(length) = media.take(&mut datagram) {
                    receiver.handle(now(), Input::Datagram(&mut datagram[..length]));
                }
            }
            Either4::Third(()) => {}
            Either4::Fourth(attempt) => wires.login.signal(Login::of(&receiver.session(attempt))),
        }
        // However much comes in, what is due is done.
        if due <= now().0 {
            if work.is_none() {
                board.begins(*work.insert(Work::Timer));
            }
            receiver.handle(now(), Input::Timer);
        }
    }
}

fn hear<D: Decoder>(receiver: &mut Receiver<D>, heard: Heard) {
    match heard {
        Heard::Up => receiver.handle(now(), Input::MqttUp),
        Heard::Down => receiver.handle(now(), Input::MqttDown),
        Heard::Message { topic, mut payload } => {
            receiver.handle(
                now(),
                Input::Mqtt {
                    topic: &topic,
                    payload: &mut payload,
                },
            );
        }
    }
}

/// Comes back at `time`; lets others run first if that is past.
async fn alarm(time: u64) {
    if time <= now().0 {
        yield_now().await;
    } else {
        Timer::at(Instant::from_micros(time)).await;
    }
}

fn now() -> Micros {
    Micros(Instant::now().as_micros())
}
