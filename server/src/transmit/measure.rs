//! What sealing costs beside sending alone: for `cargo xtask bench transmit`, behind the feature `measuring`. The same packet goes from one
//! socket to many addresses of loopback, sealed with each receiver's own key or only copied; one socket that nobody reads takes them all,
//! so that most are dropped on arrival, after the whole way through the kernel's sending side.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use loa_protocol::key::Secret;
use loa_protocol::{MAX_DATAGRAM, ReceiverId, StreamId};

use super::lane::{Lane, TAG};
use super::peer::Peers;

/// Bytes of the packet before sealing: a header of RTP and what 24 kbit/s make of 40 ms.
const LENGTH: usize = 12 + 120;
const HEADER: usize = 12;

/// What is done with each packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It is copied and sent, with as many bytes more as sealing adds.
    Raw,
    /// It is copied, sealed and sent.
    Sealed,
}

/// A sender with many receivers.
pub struct Bench {
    socket: UdpSocket,
    // Receives for as long as the bench lives.
    _sink: UdpSocket,
    lanes: Vec<(Lane, SocketAddr)>,
    index: u64,
}

impl Bench {
    /// Sets up keys and addresses of `receivers`, at most 65 000.
    ///
    /// # Errors
    /// When a socket cannot be bound.
    pub fn new(receivers: u16) -> io::Result<Self> {
        let sink = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let port = sink.local_addr()?.port();
        let ids: Vec<_> = (0..receivers)
            .map(|n| ReceiverId(u128::from(n).to_be_bytes()))
            .collect();
        let peers = Peers::default();
        peers.replace(ids.iter().map(|id| (*id, Secret([id.0[15] ^ id.0[14]; 32]))));
        let lane = |n: u16, id: &ReceiverId| {
            let [high, low] = n.to_be_bytes();
            let peer = peers.get(*id)?;
            let lane = Lane::new(Arc::clone(&peer), StreamId([9; 16]), 0);
            Some((lane, SocketAddr::from((Ipv4Addr::new(127, 1, high, low), port))))
        };
        Ok(Self {
            socket: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
            _sink: sink,
            lanes: (0..receivers).zip(&ids).filter_map(|(n, id)| lane(n, id)).collect(),
            index: 0,
        })
    }

    /// Sends `rounds` packets to each receiver; gives the nanoseconds of processor time and of the clock that passed.
    ///
    /// # Errors
    /// When the system refuses to send, or does not tell the time spent.
    pub fn run(&mut self, work: Work, rounds: u64) -> io::Result<(u64, u64)> {
        let mut frame = [0x5A; MAX_DATAGRAM];
        let mut sealed = [0; MAX_DATAGRAM];
        let (spent, begun) = (processor_time()?, Instant::now());
        for _ in 0..rounds {
            self.index += 1;
            frame[..HEADER].copy_from_slice(&[0x80, 111, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0xE9]);
            frame[2..4].copy_from_slice(&(self.index as u16).to_be_bytes());
            for (lane, address) in &self.lanes {
                sealed[..LENGTH].copy_from_slice(&frame[..LENGTH]);
                let length = match work {
                    Work::Raw => LENGTH + TAG,
                    Work::Sealed => lane.seal(&mut sealed, HEADER, LENGTH, 1001, self.index),
                };
                self.socket.send_to(&sealed[..length], address)?;
            }
        }
        let wall = begun.elapsed().as_nanos();
        Ok((processor_time()? - spent, u64::try_from(wall).unwrap_or(u64::MAX)))
    }
}

/// Nanoseconds that this thread has been running, in user and kernel space.
fn processor_time() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split(' ').next().and_then(|number| number.parse().ok());
    first.ok_or_else(|| io::Error::other("the kernel keeps no schedstat"))
}
