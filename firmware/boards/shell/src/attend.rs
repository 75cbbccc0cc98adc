//! The urgent half: the receiver itself, everything that happens to it and everything that it orders.

use crate::board::{Board, Contact, Work};
use crate::outbox::Message;
use crate::wires::{Heard, Wires};
use crate::{address, line};
use core::cell::Cell;
use core::task::{Context, Waker};
use embassy_futures::join::join3;
use embassy_futures::select::{Either3, select3};
use embassy_futures::yield_now;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::{Duration, Instant, Timer};
use heapless::Vec;
use loa_protocol::MAX_DATAGRAM;
use loa_receiver::{Decoder, Input, Micros, Output, Receiver};

/// Room for what comes in while the receiver decodes: a second of sound that is sent ahead.
const RECEIVE: usize = 16_384;
const RECEIVE_PACKETS: usize = 64;
const SEND: usize = 2_048;
const SEND_PACKETS: usize = 8;

/// How often the media host's name is looked up again, and how soon when nobody knew it.
const LOOK_UP: Duration = Duration::from_secs(300);
const LOOK_UP_AGAIN: Duration = Duration::from_secs(2);
/// A session that does not run for so many milliseconds is stuck: the watchdog is no longer fed.
const STUCK: u32 = 8_000;
/// What is left to say before a reboot gets this long to leave.
const FAREWELL: u64 = 500_000;

/// Attends to the receiver, for ever. Urgent: its sound is decoded here, [`loa_receiver::LEAD`] ahead.
pub async fn attend<D: Decoder, B: Board>(
    stack: Stack<'_>,
    receiver: &mut Receiver<D>,
    board: &mut B,
    contact: &Contact,
    wires: &Wires,
) -> ! {
    let media = Cell::new(None);
    let serve = serve(stack, receiver, board, &media, wires);
    join3(
        serve,
        follow(stack, contact, &media),
        line::carry(stack, contact, &wires.line),
    )
    .await
    .0
}

/// Keeps the media host's address up to date.
async fn follow(stack: Stack<'_>, contact: &Contact, media: &Cell<Option<IpEndpoint>>) -> ! {
    let mut told = false;
    loop {
        let found = address::resolve(stack, &contact.media_host).await;
        match found {
            Some(address) => media.set(Some(IpEndpoint::new(address, contact.media_port))),
            // The last one it had is still the best guess.
            None if !told => log::warn!("nobody knows the address of {}", contact.media_host),
            None => {}
        }
        told = found.is_none();
        Timer::after(if found.is_some() { LOOK_UP } else { LOOK_UP_AGAIN }).await;
    }
}

async fn serve<D: Decoder, B: Board>(
    stack: Stack<'_>,
    receiver: &mut Receiver<D>,
    board: &mut B,
    media: &Cell<Option<IpEndpoint>>,
    wires: &Wires,
) -> ! {
    let mut received = [PacketMetadata::EMPTY; RECEIVE_PACKETS];
    let mut receiving = [0; RECEIVE];
    let mut sent = [PacketMetadata::EMPTY; SEND_PACKETS];
    let mut sending = [0; SEND];
    let mut socket = UdpSocket::new(stack, &mut received, &mut receiving, &mut sent, &mut sending);
    // Port 0: one of the stack's choice, which its random seed makes.
    socket.bind(0).expect("a fresh socket can be bound");

    let mut datagram = [0; MAX_DATAGRAM];
    let mut work = Some(Work::Timer);
    let mut looked = 0;
    let mut reboot = None;
    board.begins(Work::Timer);
    receiver.handle(now(), Input::Timer);
    loop {
        while let Some(output) = receiver.poll() {
            match output {
                Output::Datagram(bytes) => send(&socket, media.get(), bytes),
                Output::Sound { at, pcm } => board.play(at, pcm),
                Output::Amplifier(on) => board.amplifier(on),
                Output::Status(status) => board.status(status),
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
            if wires.silence() < STUCK {
                board.alive(Micros(time), receiver.turns());
            }
        }

        let due = receiver.next_wakeup().map_or(u64::MAX, |at| at.0);
        let next = due.min(looked + B::ALIVE / 2);
        match select3(wires.heard.receive(), socket.recv_from(&mut datagram), alarm(next)).await {
            Either3::First(heard) => {
                board.begins(*work.insert(Work::Message));
                hear(receiver, heard);
            }
            Either3::Second(Ok((length, from))) if Some(from.endpoint) == media.get() => {
                board.begins(*work.insert(Work::Datagram));
                receiver.handle(now(), Input::Datagram(&mut datagram[..length]));
            }
            // From somebody else, or longer than any of ours.
            Either3::Second(_) => {}
            Either3::Third(()) => {}
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

/// Sends a datagram if there is room and a way, as UDP does: it is not missed if there is none.
fn send(socket: &UdpSocket<'_>, to: Option<IpEndpoint>, bytes: &[u8]) {
    if let Some(to) = to {
        let _ = socket.poll_send_to(bytes, to, &mut Context::from_waker(Waker::noop()));
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
