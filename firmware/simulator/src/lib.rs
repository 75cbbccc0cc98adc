//! Simulated receivers: the real receiver core over real sockets, with faults to order.
pub mod fault;
pub mod random;
