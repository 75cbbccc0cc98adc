//! Packets to receivers. Here: the media socket, with a thread that sends (`sender`) and a thread that answers hellos
//! (`hello`); SRTP for each receiver; pacing. Not here: what should be on the air (`playout`), MQTT itself (`fleet`:
//! it only lends a function that sends a datagram), decoding.
//!
//! From the bottom up: `peer` (where receivers are) → `lane` (one receiver's keys) → `pacer` (what is due, pure) →
//! `stream` (RTP and RTCP) → `sender`. Control reaches the sender through a channel; nothing takes a lock while sending.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod attempts;
mod bindings;
mod counters;
mod hello;
mod lane;
#[cfg(feature = "measuring")]
pub mod measure;
mod pacer;
mod peer;
mod sender;
mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use loa_protocol::{ReceiverId, StreamId, UnixMicros};

pub use counters::{Counter, Counters};
pub use pacer::Timing;
pub use peer::{Path, Peer, Peers, stream_under};
pub use sender::Tunnel;

use crate::fleet::clones::Watch;
use crate::media::Sound;
use bindings::Bindings;
use lane::Lane;
use sender::Order;
use stream::Stream;

/// Kernel buffers of the media socket, in bytes: a slot's burst to thousands of receivers must fit.
const SOCKET_BUFFER: usize = 4 << 20;
/// Expedited forwarding (RFC 3246) in the type-of-service byte: routers that look let sound go first.
const EXPEDITED: u32 = 46 << 2;
/// How often the hello thread looks whether it should end.
const LISTEN: Duration = Duration::from_millis(200);

/// The media socket and its two threads; they end when this is dropped.
#[derive(Debug)]
pub struct Transmitter {
    orders: Option<mpsc::Sender<Order>>,
    peers: Arc<Peers>,
    counters: Arc<Counters>,
    watch: Watch,
    address: SocketAddr,
    clock: fn() -> UnixMicros,
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Transmitter {
    /// Binds `listen` and starts both threads. `bindings` is the file that keeps where receivers are across a restart;
    /// `tunnel` sends a datagram over MQTT; `watch` is told who moves; `clock` tells the time.
    ///
    /// # Errors
    /// When the socket cannot be bound or a thread cannot be started.
    pub fn start(
        listen: SocketAddr,
        bindings: PathBuf,
        tunnel: Tunnel,
        watch: Watch,
        clock: fn() -> UnixMicros,
    ) -> io::Result<Self> {
        let socket = Arc::new(bind(listen)?);
        let address = socket.local_addr()?;
        let (peers, counters) = (Arc::new(Peers::default()), Arc::new(Counters::default()));
        let bindings = Bindings::new(bindings);
        peers.restore(bindings.read(), clock());
        let ending = Arc::new(AtomicBool::new(false));
        let (sender, orders) = mpsc::channel();

        let media = {
            let (socket, counters) = (socket.clone(), counters.clone());
            let run = move || sender::run(&socket, &orders, &tunnel, clock, &counters);
            std::thread::Builder::new().name("media".into()).spawn(run)?
        };
        let greeter = {
            let responder = hello::Responder::new(peers.clone(), counters.clone(), watch.clone());
            let ending = ending.clone();
            let run = move || responder.run(&socket, bindings, clock, &ending);
            std::thread::Builder::new().name("hello".into()).spawn(run)?
        };
        Ok(Self {
            orders: Some(sender),
            peers,
            counters,
            watch,
            address,
            clock,
            ending,
            threads: vec![media, greeter],
        })
    }

    /// The address that the socket is bound to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The receivers that may speak here.
    pub fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    /// What was counted.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Starts (or takes up, where the clock says) the stream `id` to `receivers`; one of that id is replaced.
    pub fn stream(
        &self,
        id: StreamId,
        ssrc: u32,
        timing: Timing,
        sound: impl Into<Sound>,
        receivers: impl IntoIterator<Item = ReceiverId>,
    ) {
        let lanes = self.lanes(id, timing, receivers);
        let stream = Stream::new(id, ssrc, timing, sound.into(), lanes, (self.clock)());
        self.order(Order::Start(Box::new(stream)));
    }

    /// From now on the stream `id` goes to `receivers` and to no others; who stays misses nothing.
    pub fn redirect(&self, id: StreamId, timing: Timing, receivers: impl IntoIterator<Item = ReceiverId>) {
        self.order(Order::Lanes(id, self.lanes(id, timing, receivers)));
    }

    /// Ends the stream `id` at once.
    pub fn silence(&self, id: StreamId) {
        self.order(Order::Stop(id));
    }

    /// Takes a datagram that `receiver` sent over MQTT; gives the answer to send back the same way, if any.
    pub fn tunnelled(&self, receiver: ReceiverId, datagram: &[u8]) -> Option<Vec<u8>> {
        let responder = hello::Responder::new(self.peers.clone(), self.counters.clone(), self.watch.clone());
        let reply = responder.take(datagram, Path::Mqtt, Some(receiver), (self.clock)())?;
        Some(reply.seal((self.clock)()).to_vec())
    }

    fn lanes(&self, id: StreamId, timing: Timing, receivers: impl IntoIterator<Item = ReceiverId>) -> Vec<Lane> {
        let known = receivers.into_iter().filter_map(|receiver| self.peers.get(receiver));
        known
            .map(|peer| Lane::new(peer.clone(), id, timing.slot(peer.id)))
            .collect()
    }

    fn order(&self, order: Order) {
        let orders = self.orders.as_ref().expect("taken only when dropped");
        orders
            .send(order)
            .expect("the media thread ends only after its channel");
    }
}

impl Drop for Transmitter {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        self.orders = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

fn bind(listen: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(listen), socket2::Type::DGRAM, None)?;
    socket.bind(&listen.into())?;
    // What the system does not grant (a smaller buffer, no marking) costs quality under load, not function.
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    if listen.is_ipv4() {
        let _ = socket.set_tos_v4(EXPEDITED);
    }
    socket.set_read_timeout(Some(LISTEN))?;
    Ok(socket.into())
}
