//! The media thread: a plain thread that sleeps to absolute deadlines and sends what is due. It shares no lock and no
//! executor with anything: what changes reaches it ready-made through a channel, keys set up and lanes built. On its way
//! a packet allocates nothing.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use loa_protocol::{ReceiverId, StreamId, UnixMicros};

use super::counters::Counters;
use super::lane::Lane;
use super::peer::Path;
use super::stream::{Step, Stream};

/// Sends a datagram to a receiver over MQTT; must not block.
pub type Tunnel = Box<dyn Fn(ReceiverId, &[u8]) + Send>;

/// What the media thread is told.
pub(super) enum Order {
    Start(Box<Stream>),
    Lanes(StreamId, Vec<Lane>),
    Stop(StreamId),
}

/// Longest nap, so that a clock that was set is noticed.
const NAP: Duration = Duration::from_millis(250);

/// Runs until the other end of `orders` is dropped.
pub(super) fn run(
    socket: &UdpSocket,
    orders: &Receiver<Order>,
    tunnel: &Tunnel,
    clock: fn() -> UnixMicros,
    counters: &Arc<Counters>,
) {
    let mut streams: Vec<Stream> = Vec::new();
    loop {
        let deadline = streams.iter().filter_map(Stream::next).min();
        let wait = deadline.map_or(NAP, |at| Duration::from_micros(at.0.saturating_sub(clock().0)).min(NAP));
        match orders.recv_timeout(wait) {
            Ok(order) => carry_out(order, &mut streams),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for stream in &mut streams {
            flush(stream, socket, tunnel, clock, counters);
        }
    }
}

fn carry_out(order: Order, streams: &mut Vec<Stream>) {
    match order {
        Order::Start(stream) => {
            streams.retain(|other| other.id != stream.id);
            streams.push(*stream);
        }
        Order::Lanes(id, lanes) => {
            if let Some(stream) = streams.iter_mut().find(|stream| stream.id == id) {
                stream.replace_lanes(lanes);
            }
        }
        Order::Stop(id) => streams.retain(|stream| stream.id != id),
    }
}

fn flush(stream: &mut Stream, socket: &UdpSocket, tunnel: &Tunnel, clock: fn() -> UnixMicros, counters: &Counters) {
    let now = clock();
    if let Some(due) = stream.next() {
        counters.lateness(now.0.saturating_sub(due.0));
    }
    loop {
        match stream.step(now) {
            Step::Send(lane, path, datagram) => {
                for path in [Some(path), lane.peer.other(now)].into_iter().flatten() {
                    match path {
                        Path::Udp(address) => match socket.send_to(datagram, address) {
                            Ok(_) => counters.sent.add(1),
                            Err(_) => counters.send_errors.add(1),
                        },
                        Path::Mqtt => {
                            tunnel(lane.peer.id, datagram);
                            counters.tunnelled.add(1);
                        }
                    }
                }
            }
            Step::Nowhere => counters.nowhere.add(1),
            Step::Missing => counters.skipped.add(1),
            Step::Idle => break,
        }
    }
    counters.skipped.add(stream.take_skipped());
}
