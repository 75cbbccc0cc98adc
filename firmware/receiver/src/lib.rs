//! The behaviour of a Loa receiver as a state machine without input or output of its own.
