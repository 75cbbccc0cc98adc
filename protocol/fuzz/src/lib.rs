//! What must hold of every decoder, shared with the tests of `loa-protocol`.

#[path = "../../tests/decoders/mod.rs"]
pub mod decoders;
#[path = "../../tests/keys/mod.rs"]
pub mod keys;
