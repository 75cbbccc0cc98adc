//! Somebody speaks straight to the air on the console's page, in a real Chromium whose microphone hears a file of clicks: a click into
//! the browser is a click out of each receiver's loudspeaker, 600 ms later at most. Not here: the page (`web-console/e2e/latency.spec.ts`).

mod clicks;

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Plan, Village, stories};

const RECEIVERS: usize = 2;

#[test]
fn a_click_into_a_browser_is_heard_within_600_ms() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: RECEIVERS,
        ..Plan::default()
    })?;
    let noted = village.folder().join("clicks.json");
    let status = stories(&village.server, RECEIVERS, 0)
        .arg("--project=latency")
        .env("LOA_E2E_CLICKS", &noted)
        .status()?;
    ensure!(status.success(), "npx playwright test: {status}");
    // Milliseconds since 1970, with a fraction.
    let made: Vec<f64> =
        serde_json::from_slice(&std::fs::read(&noted).context("the clicks that came into the browser")?)?;
    let made: Vec<u64> = made.iter().map(|at| (at * 1000.0) as u64).collect();

    let broadcasts = village.api.get("/api/v1/broadcasts")?;
    let spoken = broadcasts
        .as_array()
        .and_then(|all| all.first())
        .context("a broadcast")?;
    ensure!(
        spoken["state"] == "done" && spoken["source"]["kind"] == "microphone",
        "{spoken}"
    );
    let receipts = village.api.receipts(spoken["id"].as_str().context("id")?)?;
    ensure!(receipts.len() == RECEIVERS, "{receipts:?}");
    clicks::judge(&mut village, &receipts, &made)
}
