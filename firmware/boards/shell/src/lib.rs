//! What every board does around the receiver's state machine: it speaks to the network and to [`loa_receiver::Receiver`],
//! and knows nothing of what they tell each other.
//!
//! Here: TCP, TLS and MQTT with reconnecting, the media socket, names and addresses, time, the watchdog's food. Not here: what messages
//! mean (`loa-receiver`, `loa-protocol`), and hardware, which a board brings as a [`Board`], a network stack and random numbers.
//!
//! Futures that run for ever, each in a task of its own, at two priorities of the board's:
//!
//! ```text
//!  urgent, a few ms at a time:  attend       the receiver, its sound, the watchdog
//!                               follow       its media socket (Media)
//!                               carry        the bytes of its TCP connection
//!     ║  Wires: messages both ways, bytes both ways
//!  patient:                     converse     TLS and MQTT; a TLS handshake computes for half a second
//! ```
//!
//! Whatever runs full between them is handled: see [`Wires`]. A device that has no identity yet has [`claim`] in place of `attend`, and no
//! media socket.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

mod address;
mod attend;
mod backoff;
mod board;
mod claim;
mod converse;
mod feeder;
pub mod keep;
mod line;
mod media;
mod mqtt;
mod outbox;
mod transport;
mod wires;

pub use attend::attend;
pub use board::{Board, Contact, Work};
pub use claim::claim;
pub use converse::converse;
pub use feeder::Feeder;
pub use line::carry;
pub use media::{Datagrams, Media};
pub use wires::Wires;

/// How many sockets a board's network stack must have room for: DHCP, DNS, media, MQTT, and one that is just closing.
pub const SOCKETS: usize = 5;
