//! `cargo xtask test`: every test there is, from a fresh clone on.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use loa_tests::repository;

use crate::install::{self, Need};
use crate::supply;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Chỉ liệt kê những gì còn thiếu. Only list what is missing, and stop.
    #[arg(long)]
    no_install: bool,
}

/// What is done, in order; the cheap and the telling first.
type Step = (&'static str, fn() -> Result<()>);
const STEPS: &[Step] = &[
    ("the repository's own rules", crate::tidy::run),
    ("formatting", || cargo(&["fmt", "--all", "--check"])),
    ("what we depend on", supply::check_crates),
    ("the console is built", install::build_console),
    ("the provider of sign-in", install::provider),
    ("what the console depends on", supply::check_packages),
    ("the console's types", || npm(&["run", "--silent", "check"])),
    ("the console's unit tests", || npm(&["run", "--silent", "test"])),
    ("both firmware images", crate::firmware::run_no_install),
    ("tests of the boards' shell", shell_tests),
    ("the server", install::build_server),
    ("lints", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
    }),
    ("tests beside the code", || {
        cargo(&["test", "--workspace", "--exclude", "loa-tests"])
    }),
    ("tests across crates", crate::across::run),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    install::ensure_installed(Need::Test, arguments.no_install)?;
    let begun = Instant::now();
    for (what, step) in STEPS {
        println!("\n=== {what} ({} s)", begun.elapsed().as_secs());
        step().with_context(|| format!("failed: {what}"))?;
    }
    println!(
        "\nMọi phép thử đều đạt. All tests passed ({} s).",
        begun.elapsed().as_secs()
    );
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    install::run(Command::new("cargo").args(arguments).current_dir(repository()))
}

/// What every board shares is tested on the host: the boards' workspace builds for the chip unless told otherwise.
fn shell_tests() -> Result<()> {
    let version = Command::new("rustc").arg("-vV").output()?;
    let version = String::from_utf8(version.stdout)?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc names no host")?;
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "-p", "loa-board-shell", "--target", host]);
    install::run(cargo.current_dir(repository().join("firmware/boards")))
}

fn npm(arguments: &[&str]) -> Result<()> {
    install::run(
        Command::new("npm")
            .args(arguments)
            .current_dir(repository().join("web-console")),
    )
}
