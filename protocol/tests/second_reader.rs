//! The golden vectors, read by another implementation that knows only `docs/protocol.md`: `second_reader.mjs`, in Node.

use std::process::Command;

#[test]
fn another_implementation_reads_the_same() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/second_reader.mjs");
    let output = Command::new("node")
        .arg(script)
        .output()
        .expect("Node 20 is installed, as the README asks");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
