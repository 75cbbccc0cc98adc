//! The Loa server: schedules and streams broadcasts to loudspeakers.
pub mod broker;
pub mod clock;
pub mod fleet;
pub mod media;
pub mod playout;
pub mod transmit;
