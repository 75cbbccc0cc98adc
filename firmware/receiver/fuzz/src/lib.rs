//! What must hold of a receiver, shared with the tests of `loa-receiver`; and a bound on memory: the receiver allocates nothing, so that
//! what is left is the harness's own.
#![forbid(unsafe_code)]

#[path = "../../tests/receiver/attempts.rs"]
pub mod attempts;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/receiver/world.rs"]
mod world;

/// Bytes that may be allocated at once, by all threads.
const BOUND: usize = 4 << 20;

/// Aborts what would go beyond the bound.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, BOUND);
