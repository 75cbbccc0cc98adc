//! The Loa server: schedules and streams broadcasts to loudspeakers.
