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
    "tests/src/process.rs",
    "build.rs",
    "firmware/boards/",
];

pub(crate) fn run() -> Result<()> {
    let mut faults = Vec::new();
    for file in tracked(&["*.rs"])? {
        let text = std::fs::read_to_string(repository().join(&file))?;
        check(&file, &text, &mut faults);
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
