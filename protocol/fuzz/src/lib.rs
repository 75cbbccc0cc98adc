//! What must hold of every decoder, shared with the tests of `loa-protocol`; and a bound on memory: decoders allocate nothing, so that
//! what is left is the harness's own.
#![forbid(unsafe_code)]

#[path = "../../tests/decoders/mod.rs"]
pub mod decoders;
#[path = "../../tests/keys/mod.rs"]
pub mod keys;

/// Bytes that may be allocated at once, by all threads.
const BOUND: usize = 1 << 20;

/// Aborts what would go beyond the bound.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, BOUND);
