//! Other stations (tiếp âm). Here: connecting, decoding while it comes in, and trying again for as long as somebody listens. Not here:
//! whether what comes is worth sounding, and what sounds instead (`live::Switch`).
//!
//! `address` (what may be relayed) → `fetch` (HTTP) or `ffmpeg` (all else) → `inflow` (bytes to whoever decodes) → `decode` → the wire.

mod address;
mod decode;
mod fetch;
mod ffmpeg;
mod inflow;

use std::sync::Arc;
use std::time::Duration;

use super::live::{Depth, Wire};

pub use address::{Address, NotRelayed};
pub use decode::decode;
pub use inflow::{Inflow, Outlet, inflow};

/// Between two attempts, at first and in the end.
const PAUSE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];
/// A connection that held so long was a good one.
const HELD: Duration = Duration::from_secs(30);
/// How often it is looked whether anybody listens.
const LOOK: Duration = Duration::from_millis(200);

/// Brings what `address` sends onto `wire`, again and again, until that is closed.
pub async fn run(address: Address, wire: Arc<Wire>) {
    let mut pause = PAUSE[0];
    while !wire.is_closed() {
        let begun = tokio::time::Instant::now();
        let plug = wire.plug(Depth::RELAY);
        let why = tokio::select! {
            why = once(&address, &wire, plug) => why,
            () = closed(&wire) => return,
        };
        wire.unplug(plug, &why);
        tracing::info!(%address, why, "a relay has ended");
        if begun.elapsed() >= HELD {
            pause = PAUSE[0];
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE[1]);
    }
}

/// One connection; says why it ended.
async fn once(address: &Address, wire: &Arc<Wire>, plug: u64) -> String {
    let (outlet, inflow) = inflow();
    let raw = address.is_for_ffmpeg();
    let to = wire.clone();
    // Ends when the other end of the inflow is dropped, or nobody listens.
    let decoding = tokio::task::spawn_blocking(move || match raw {
        true => decode::raw(inflow, &to, plug),
        false => decode(inflow, |pcm| to.offer(plug, pcm)),
    });
    let fetched = match raw {
        true => ffmpeg::run(address, outlet).await,
        false => fetch::run(address, outlet).await,
    };
    let decoded = decoding.await.unwrap_or_else(|error| Err(error.to_string()));
    // Whoever brings bytes knows more of what was wrong, unless nobody could read them.
    match (fetched, decoded) {
        (Err(fetch::Ended::Unread) | Ok(()), Err(why)) => why,
        (Err(fetch::Ended::Because(why)), _) => why,
        (Err(fetch::Ended::Unread) | Ok(()), Ok(())) => "the stream has ended".into(),
    }
}

async fn closed(wire: &Wire) {
    while !wire.is_closed() {
        tokio::time::sleep(LOOK).await;
    }
}
