//! The Loa server: schedules and streams broadcasts to loudspeakers.
pub mod media;
