//! The real parts of Loa, started and stopped: for the tests in `tests/tests` and for `cargo xtask demo` and `bench`.
//!
//! Here: the server ([`Server`]) and simulated receivers ([`Simulation`]) as processes of the `loa` binary, the firmware image in
//! QEMU ([`Board`]), an announcement made by speech synthesis ([`speech`]), what a recording holds ([`Recording`]), and
//! the API as a client sees it
//! ([`Api`]), the console's stories in a real browser ([`stories`]), and network and broker in other hands ([`Middle`], [`Outside`]). Everything that is started is stopped when its value is dropped. Not here: assertions.
#![forbid(unsafe_code)]

mod api;
mod board;
mod console;
mod middle;
mod outside;
mod process;
mod provider;
mod recording;
mod server;
mod simulation;
pub mod speech;
mod village;

pub use api::{Api, Enrolled, Events, Reply, time_in};
pub use board::{Board, image as board_image};
pub use console::stories;
pub use middle::{Middle, Tamper};
pub use outside::{Message, Outside, Tap};
pub use process::{Process, loa_binary, repository, scratch_port};
pub use provider::start_single_sign_on;
pub use recording::{Recording, tone_share};
pub use server::{Server, Settings};
pub use simulation::{Heard, Simulation};
pub use village::{PATIENCE, Plan, Village, decode_by_float_libopus, start_mosquitto};
