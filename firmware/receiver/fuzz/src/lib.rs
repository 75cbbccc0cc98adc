//! What must hold of a receiver, shared with the tests of `loa-receiver`; and a bound on memory: the receiver allocates nothing, so that
//! what is left is the harness's own.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

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

/// What receivers were given so far.
static GIVEN: AtomicU64 = AtomicU64::new(0);

/// Counts the messages of an input, of which a run of the fuzzer knows nothing, and says each million of them.
pub fn count(input: &[u8]) {
    const MILLION: u64 = 1_000_000;
    let messages = attempts::messages(input) as u64;
    let before = GIVEN.fetch_add(messages, Ordering::Relaxed);
    if before / MILLION != (before + messages) / MILLION {
        eprintln!("messages: {} million", (before + messages) / MILLION);
    }
}
