//! Simulated receivers: the real receiver core (`loa-receiver`) with the firmware's decoder (`loa-opus`) over real sockets,
//! one to tens of thousands of them in a process, on a network with faults to order.
//!
//! Here: [`simulation`], receivers over UDP and MQTT in real time, each a task; [`virtual_time`], one receiver without sockets
//! and without waiting, for tests that compare bit for bit; [`fault`], the network's faults, the same for the same seed;
//! [`recording`], what sounded, as WAV with an index; [`report`], what each played, by its own account and as seen from
//! outside. Not here: how a receiver behaves. What is simulated is the board: its sockets, its mains, and its loudspeaker.
#![forbid(unsafe_code)]

#[cfg(feature = "clap")]
pub mod args;
pub mod claim;
mod clock;
mod device;
pub mod enrolments;
pub mod fault;
mod hearing;
mod mqtt;
mod observer;
pub mod random;
pub mod recording;
pub mod report;
pub mod simulation;
pub mod virtual_time;

pub use observer::News;
pub use simulation::{Config, Error, Event, Simulation};

/// What simulated receivers say that they are.
const BUILD: loa_receiver::Build = loa_receiver::Build {
    firmware: env!("CARGO_PKG_VERSION"),
    board: "simulator",
};
