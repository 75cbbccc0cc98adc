//! `transmit raw|sealed RECEIVERS ROUNDS REPEATS`: prints, for each repeat, nanoseconds of processor time a packet; with `both`, the two in
//! turns, a line each. `cargo xtask bench transmit` runs it, alone and under callgrind.
#![forbid(unsafe_code)]

use loa::transmit::measure::{Bench, Work};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, receivers, rounds, repeats] = &arguments[..] else {
        anyhow::bail!("usage: transmit raw|sealed|both RECEIVERS ROUNDS REPEATS");
    };
    let works: &[Work] = match work.as_str() {
        "raw" => &[Work::Raw],
        "sealed" => &[Work::Sealed],
        _ => &[Work::Raw, Work::Sealed],
    };
    let (receivers, rounds, repeats): (u16, u64, u32) = (receivers.parse()?, rounds.parse()?, repeats.parse()?);
    let mut bench = Bench::new(receivers)?;
    for _ in 0..repeats {
        for work in works {
            let (processor, wall) = bench.run(*work, rounds)?;
            let packets = (rounds * u64::from(receivers)).max(1) as f64;
            println!("{work:?} {} {}", processor as f64 / packets, wall as f64 / packets);
        }
    }
    Ok(())
}
