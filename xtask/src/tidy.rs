//! The repository's own rules, as code: what a reviewer would otherwise have to remember.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};
use loa_tests::repository;

/// Longest source file, in lines; tests are not counted.
const LONGEST: usize = 600;

/// Where printing is the job.
const MAY_PRINT: &[&str] = &[
    "xtask/",
    "server/src/main.rs",
    "server/src/cli",
    "server/examples/",
    "tests/src/process.rs",
    "build.rs",
    "firmware/boards/",
];

/// The modules that may use `unsafe`, each with `#![expect(unsafe_code, reason = …)]` at its top or at the one function that does. Every
/// other module is in a crate that forbids it, or denies it but for these.
const MAY_BE_UNSAFE: &[&str] = &[
    "firmware/boards/qemu/src/ethernet.rs",
    "firmware/boards/qemu/src/executor.rs",
    "firmware/boards/qemu/src/flash.rs",
    "firmware/boards/qemu/src/interrupts.rs",
    "firmware/boards/qemu/src/measure.rs",
    "firmware/boards/qemu/src/pins.rs",
    "firmware/boards/qemu/src/register.rs",
    "firmware/boards/qemu/src/semihosting.rs",
    "firmware/boards/qemu/src/time.rs",
    "firmware/boards/qemu/src/watchdog.rs",
    "firmware/boards/rp2350/src/flash.rs",
    "firmware/boards/rp2350/src/network.rs",
    "firmware/boards/rp2350/src/priorities.rs",
    "firmware/boards/rp2350/src/reset.rs",
    "firmware/boards/shell/src/mqtt.rs",
    "firmware/opus/src/state.rs",
];

/// Files that a crate begins with.
const ROOTS: &[&str] = &["/src/lib.rs", "/src/main.rs", "build.rs"];

pub(crate) fn run() -> Result<()> {
    let mut faults = Vec::new();
    for file in tracked(&["*.rs"])? {
        let text = std::fs::read_to_string(repository().join(&file))?;
        check(&file, &text, &mut faults);
        check_unsafe(&file.to_string_lossy(), &text, &mut faults);
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn check(file: &Path, text: &str, faults: &mut Vec<String>) {
    let name = file.to_string_lossy().replace('\\', "/");
    let is_test = name.ends_with("tests.rs") || name.contains("/tests/") || name.contains("fuzz");
    let code = text.find("#[cfg(test)]\nmod tests {").map_or(text, |at| &text[..at]);
    let lines = code.lines().count();
    if lines > LONGEST && !is_test {
        faults.push(format!(
            "{name}: {lines} lines: more than {LONGEST} are not read by anybody; split it by what it does"
        ));
    }
    if !text.trim_start().starts_with("//!") && !text.contains("fuzz_target!") {
        faults.push(format!("{name}: begins without //!: say what is here and what is not"));
    }
    let prints = ["println!", "dbg!(", "todo!(", "unimplemented!("]
        .into_iter()
        .find(|word| code.contains(word));
    if let Some(word) = prints
        && !is_test
        && !MAY_PRINT.iter().any(|place| name.contains(place))
    {
        faults.push(format!("{name}: {word}: log with tracing, or finish it"));
    }
    let clock = ["SystemTime::now", "Utc::now"]
        .into_iter()
        .find(|word| code.contains(word));
    if let Some(word) = clock
        && !is_test
        && name.starts_with("server/")
        && name != "server/src/clock.rs"
    {
        faults.push(format!(
            "{name}: {word}: only clock.rs reads the clock; take the time as an argument"
        ));
    }
}

fn check_unsafe(name: &str, text: &str, faults: &mut Vec<String>) {
    let listed = MAY_BE_UNSAFE.contains(&name);
    let lifted = ["expect(unsafe_code", "allow(unsafe_code", "warn(unsafe_code"]
        .iter()
        .any(|attribute| text.contains(attribute));
    if name != "xtask/src/tidy.rs" && lifted && !listed {
        faults.push(format!(
            "{name}: lets unsafe code in and is not in xtask's list: do without, or say why there and here"
        ));
    }
    if listed && !text.contains("expect(unsafe_code, reason = ") {
        faults.push(format!(
            "{name}: is listed as unsafe and does not say why, or is not any more"
        ));
    }
    if !ROOTS.iter().any(|root| name.ends_with(root)) && !name.contains("/examples/") {
        return;
    }
    let source = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beside = |module: &&str| module.rsplit_once('/').is_some_and(|(folder, _)| folder == source);
    let exceptions = MAY_BE_UNSAFE.iter().any(beside);
    let wanted = match exceptions {
        true => "#![deny(unsafe_code)]",
        false => "#![forbid(unsafe_code)]",
    };
    if !text.contains(wanted) {
        faults.push(format!("{name}: a crate begins here without {wanted}"));
    }
}

fn tracked(patterns: &[&str]) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .arg("ls-files")
        .args(patterns)
        .current_dir(repository())
        .output()?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.lines().map(PathBuf::from).collect())
}
