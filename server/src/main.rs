//! The `loa` program.
#![forbid(unsafe_code)]

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    loa::cli::Cli::parse().run()
}
