//! `loa simulate`: simulated receivers, until told to end. The work is `loa_simulator`'s; here its account is printed.

use loa_simulator::args::{self, Args};
use loa_simulator::report::{BroadcastReport, ReceiverReport};

use super::{log, say, until_told_to_end};

pub(super) async fn run(args: &Args) -> anyhow::Result<()> {
    log()?;
    let mut end = Ok(());
    let report = args::run(args, async { end = until_told_to_end().await }).await?;
    end?;
    say("cụm/receiver\tbuổi/broadcast\tkết quả/outcome\tgiây/seconds\tmất/lost\tLUFS\n")?;
    for receiver in &report.receivers {
        if receiver.broadcasts.is_empty() {
            say(&format!("{}\t-\t-\t0.000\t-\t-\n", receiver.receiver))?;
        }
        for broadcast in &receiver.broadcasts {
            say(&line(receiver, broadcast))?;
        }
    }
    Ok(())
}

fn line(receiver: &ReceiverReport, it: &BroadcastReport) -> String {
    let receipt = it.receipt.as_ref();
    let outcome = receipt.map_or_else(|| "-".into(), |receipt| format!("{:?}", receipt.outcome).to_lowercase());
    let lost = receipt.map_or_else(|| "-".into(), |receipt| receipt.lost.to_string());
    let level = it.level_lufs.map_or_else(|| "-".into(), |level| format!("{level:.1}"));
    let seconds = it.samples as f64 / f64::from(loa_protocol::SAMPLE_RATE);
    format!(
        "{}\t{}\t{outcome}\t{seconds:.3}\t{lost}\t{level}\n",
        receiver.receiver, it.broadcast
    )
}
