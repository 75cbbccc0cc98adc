//! The media socket: datagrams to and from the server.

use crate::address;
use crate::board::Contact;
use core::cell::Cell;
use core::task::{Context, Poll, Waker};
use embassy_futures::join::join;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer};

/// Room for what comes in while the receiver decodes: a second of sound that is sent ahead.
const RECEIVE: usize = 16_384;
const RECEIVE_PACKETS: usize = 64;
const SEND: usize = 2_048;
const SEND_PACKETS: usize = 8;

/// How often the media host's name is looked up again, and how soon when nobody knew it.
const LOOK_UP: Duration = Duration::from_secs(300);
const LOOK_UP_AGAIN: Duration = Duration::from_secs(2);

/// What the socket keeps datagrams in: 19 KB, to be put into a `static`.
pub struct Datagrams {
    received: [PacketMetadata; RECEIVE_PACKETS],
    receiving: [u8; RECEIVE],
    sent: [PacketMetadata; SEND_PACKETS],
    sending: [u8; SEND],
}

impl Datagrams {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            received: [PacketMetadata::EMPTY; RECEIVE_PACKETS],
            receiving: [0; RECEIVE],
            sent: [PacketMetadata::EMPTY; SEND_PACKETS],
            sending: [0; SEND],
        }
    }
}

impl Default for Datagrams {
    fn default() -> Self {
        Self::new()
    }
}

/// The socket, and where the server is. [`Media::follow`] runs in a task of its own: each look at a socket wakes the network stack,
/// so [`crate::attend`] looks only when there is something.
pub struct Media {
    socket: UdpSocket<'static>,
    server: Cell<Option<IpEndpoint>>,
    arrived: Signal<NoopRawMutex, ()>,
    /// All that had arrived has been taken.
    taken: Signal<NoopRawMutex, ()>,
}

impl Media {
    /// Opens it on a port of the stack's choice, which its random seed makes.
    #[must_use]
    pub fn open(stack: Stack<'static>, memory: &'static mut Datagrams) -> Self {
        let Datagrams {
            received,
            receiving,
            sent,
            sending,
        } = memory;
        let mut socket = UdpSocket::new(stack, received, receiving, sent, sending);
        socket.bind(0).expect("a fresh socket can be bound");
        Self {
            socket,
            server: Cell::new(None),
            arrived: Signal::new(),
            taken: Signal::new(),
        }
    }

    /// Keeps the server's address up to date and tells when datagrams arrive, for ever.
    pub async fn follow(&self, stack: Stack<'_>, contact: &Contact) -> ! {
        join(self.look_up(stack, contact), self.listen()).await.0
    }

    async fn look_up(&self, stack: Stack<'_>, contact: &Contact) -> ! {
        let mut told = false;
        loop {
            let found = address::resolve(stack, &contact.media_host).await;
            match found {
                Some(address) => self.server.set(Some(IpEndpoint::new(address, contact.media_port))),
                // The last one it had is still the best guess.
                None if !told => log::warn!("nobody knows the address of {}", contact.media_host),
                None => {}
            }
            told = found.is_none();
            Timer::after(if found.is_some() { LOOK_UP } else { LOOK_UP_AGAIN }).await;
        }
    }

    async fn listen(&self) -> ! {
        loop {
            self.socket.wait_recv_ready().await;
            self.arrived.signal(());
            self.taken.wait().await;
        }
    }

    /// Comes back when datagrams have arrived: then [`Media::take`] them all.
    pub(crate) async fn arrival(&self) {
        self.arrived.wait().await;
    }

    /// The next datagram of the server's, put into `datagram`; what comes from anybody else, or is longer than any of ours, is
    /// passed over.
    pub(crate) fn take(&self, datagram: &mut [u8]) -> Option<usize> {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match self.socket.poll_recv_from(datagram, &mut context) {
                Poll::Ready(Ok((length, from))) if Some(from.endpoint) == self.server.get() => return Some(length),
                Poll::Ready(_) => {}
                Poll::Pending => {
                    self.taken.signal(());
                    return None;
                }
            }
        }
    }

    /// Sends a datagram if there is room and a way, as UDP does: it is not missed if there is none.
    pub(crate) fn send(&self, bytes: &[u8]) {
        if let Some(server) = self.server.get() {
            let _ = self
                .socket
                .poll_send_to(bytes, server, &mut Context::from_waker(Waker::noop()));
        }
    }
}
