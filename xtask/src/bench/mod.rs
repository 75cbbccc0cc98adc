//! `cargo xtask bench`: measurements, as ratios side by side in one run.

mod firmware;
mod ingest;
mod transmit;

use anyhow::{Result, bail};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Tên phép đo; không có thì liệt kê. The benchmark's name; without one they are listed.
    name: Option<String>,
    /// Kết quả dạng JSON. Print the results as JSON.
    #[arg(long)]
    json: bool,
}

/// A benchmark: its name, what it measures, and how.
type Bench = (&'static str, &'static str, fn(bool) -> Result<()>);
const BENCHES: &[Bench] = &[
    (
        "firmware",
        "flash and RAM of both images; instructions of the receiver beside libopus alone, on the same packets",
        firmware::run,
    ),
    (
        "ingest",
        "processor time to make a programme of a file, beside ffmpeg's loudnorm in two passes",
        ingest::run,
    ),
    (
        "transmit",
        "SRTP: ns and instructions a packet and receiver, sealed beside sent as it is",
        transmit::run,
    ),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Some(name) = &arguments.name else {
        for (name, what, _) in BENCHES {
            println!("{name:<12} {what}");
        }
        return Ok(());
    };
    match BENCHES.iter().find(|(known, ..)| known == name) {
        Some((_, _, measure)) => measure(arguments.json),
        None => bail!("there is no benchmark {name:?}; `cargo xtask bench` lists them"),
    }
}
