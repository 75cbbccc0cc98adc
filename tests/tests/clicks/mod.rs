//! Clicks into a microphone and out of a loudspeaker, and how long they were on their way. Not here: who makes them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Simulation, Village};
use serde_json::Value;

/// The longest way, at the median.
const MOST: Duration = Duration::from_millis(600);

/// Ends the simulation and looks at what each receiver made of the clicks that were made then (microseconds since 1970): all were
/// played, and came out in time.
pub(crate) fn judge(village: &mut Village, receipts: &[Value], made: &[u64]) -> Result<()> {
    village.simulation.finish()?;
    ensure!(!receipts.is_empty(), "no receiver has told what it played");
    for receipt in receipts {
        ensure!(receipt["outcome"] == "played", "{receipt}");
        let receiver = receipt["receiver_id"].as_str().context("receiver")?;
        let ways = ways(&village.simulation, receiver, made)?;
        let median = ways[ways.len() / 2];
        println!(
            "from click to click: {median:?} at the median, {:?} to {:?}",
            ways[0],
            ways[ways.len() - 1]
        );
        ensure!(median <= MOST, "{median:?} at the median: {ways:?}");
    }
    Ok(())
}

/// Where clicks begin: loud after a tenth of a second of quiet.
pub(crate) fn onsets(samples: &[i16]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut last = None;
    for (n, sample) in samples.iter().enumerate() {
        if sample.unsigned_abs() > 6_000 {
            if last.is_none_or(|last| n - last > 4_800) {
                found.push(n);
            }
            last = Some(n);
        }
    }
    found
}

/// How long each click was on its way, the shortest first.
fn ways(simulation: &Simulation, receiver: &str, made: &[u64]) -> Result<Vec<Duration>> {
    let heard = simulation.heard(receiver)?;
    let found = onsets(&heard.samples);
    ensure!(
        found.len() == made.len() && !made.is_empty(),
        "{} clicks of {} were heard",
        found.len(),
        made.len()
    );
    let mut ways = Vec::new();
    for (n, made) in found.iter().zip(made) {
        let at = heard.at(*n).context("a sample without a time")?;
        ways.push(Duration::from_micros(
            at.checked_sub(*made).context("heard before it was made")?,
        ));
    }
    ways.sort_unstable();
    Ok(ways)
}
