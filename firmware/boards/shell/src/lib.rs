//! What every board does around the receiver's state machine: it speaks to the network and to [`loa_receiver::Receiver`],
//! and knows nothing of what they tell each other.
//!
//! Here: TCP, TLS and MQTT with reconnecting, the media socket, names and addresses, time, the watchdog's food. Not here: what messages
//! mean (`loa-receiver`, `loa-protocol`), and hardware, which a board brings as a [`Board`], a network stack and random numbers.
//!
//! Two futures that run for ever, so that a board can give them two priorities:
//!
//! ```text
//!  attend: the receiver, its datagrams, its sound, the bytes of the TCP connection   a few ms at a time, urgent
//!     ║  Wires: messages both ways, bytes both ways
//!  converse: TLS and MQTT                                     a TLS handshake computes for half a second: may wait
//! ```
//!
//! Whatever runs full between them is handled: see [`Wires`].
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

mod address;
mod attend;
mod backoff;
mod board;
mod converse;
mod feeder;
mod line;
mod mqtt;
mod outbox;
mod transport;
mod wires;

pub use attend::attend;
pub use board::{Board, Contact, Work};
pub use converse::converse;
pub use feeder::Feeder;
pub use wires::Wires;

/// How many sockets a board's network stack must have room for: DHCP, DNS, media, MQTT, and one that is just closing.
pub const SOCKETS: usize = 5;
