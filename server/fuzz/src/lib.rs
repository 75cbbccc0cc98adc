//! The attempts of `loa::attempts`, with a bound on what each may allocate.
#![forbid(unsafe_code)]

use cap::Cap;
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Tries `input`, and aborts if all threads together allocate more meanwhile than a stranger may make the server take: 256 KiB for a
/// message of at most 4 KiB, 16 MiB for a file, whose decoder keeps tables and a second of sound.
pub fn attempt(name: &str, input: &[u8]) {
    let (_, attempt) = loa::attempts::ALL
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a target is named as its attempt");
    let bound = if name == "media" { 16 << 20 } else { 256 << 10 };
    let limit = ALLOCATOR.set_limit(ALLOCATOR.allocated() + bound);
    limit.expect("the bound is above what is allocated");
    attempt(input);
    ALLOCATOR.set_limit(usize::MAX).expect("no bound between inputs");
}
