//! `ingest FILE PROGRAMME`: makes a programme as the server does, and prints seconds of processor time, seconds of sound, and
//! loudness before and after. `cargo xtask bench ingest` runs it.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use loa::media::{Encoding, Limits, ingest};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, programme] = &arguments[..] else {
        anyhow::bail!("usage: ingest FILE PROGRAMME");
    };
    let limits = Limits {
        bytes: u64::MAX,
        duration: Duration::from_secs(86_400),
    };
    let made = ingest(Path::new(file), Path::new(programme), Encoding::default(), limits)?;
    // It is all done in this one thread.
    let accounted = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let processor: f64 = accounted.split(' ').next().context("no schedstat")?.parse()?;
    let (before, after) = (
        made.source_loudness.unwrap_or(f64::NAN),
        made.loudness.unwrap_or(f64::NAN),
    );
    println!("{} {} {before} {after}", processor / 1e9, made.duration().as_secs_f64());
    Ok(())
}
