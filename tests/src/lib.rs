//! What crosses crates, with the real parts.
