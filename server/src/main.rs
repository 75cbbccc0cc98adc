//! The `loa` program.

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    loa::cli::Cli::parse().run()
}
