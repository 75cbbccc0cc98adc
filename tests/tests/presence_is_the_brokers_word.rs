//! Who owns the broker can say of any receiver that it is there, or gone. That changes what is shown, until the receiver itself
//! proves otherwise; it starts and stops no sound.

use anyhow::{Context as _, Result, ensure};
use loa_protocol::topic::{ABSENT, PRESENT, Topic, Uplink};
use loa_tests::{Enrolled, Outside, PATIENCE, Plan, Settings, Village, speech};
use serde_json::Value;

fn presence(of: &Enrolled) -> Result<String> {
    Ok(Topic::Up(of.decoded()?.receiver, Uplink::Presence).text().to_string())
}

#[test]
fn presence_is_the_brokers_word() -> Result<()> {
    let outside = Outside::start()?;
    let mut village = Village::start(Plan {
        simulated: 2,
        settings: outside.settings(Settings::default().patient()),
        ..Plan::default()
    })?;
    let (one, two) = (village.simulated[0].clone(), village.simulated[1].clone());
    let absent = village.api.enrol("Cụm loa chưa lắp", &village.area, "127.0.0.1")?;
    let is = |online: bool| move |it: &Value| it["online"] == online;

    outside.retain(&presence(&one)?, ABSENT)?;
    village.events.wait_receiver(&one.id, "shown as gone", is(false))?;
    outside.retain(&presence(&absent)?, PRESENT)?;
    village.events.wait_receiver(&absent.id, "shown as there", is(true))?;
    for nonsense in [&b"2"[..], b"", b"10"] {
        outside.publish(&presence(&two)?, nonsense)?;
    }
    village
        .api
        .wait_metric("loa_reports_refused_total{reason=\"malformed\"}", 3, PATIENCE)?;
    ensure!(
        village.api.receiver(&two.id)?["online"] == true,
        "nonsense was believed"
    );

    // Said to be gone, it obeys and plays; its first account of that shows it again.
    let broadcast = village.air(&speech::announcement(village.folder())?)?;
    let id = broadcast["id"].as_str().context("id")?.to_owned();
    village.events.wait_receiver(&one.id, "shown again", is(true))?;
    village.events.wait_playing(&id, 2)?;
    // Said to be gone while it sounds, it goes on.
    outside.retain(&presence(&two)?, ABSENT)?;
    village.events.wait_receiver(&two.id, "shown as gone", is(false))?;
    let done = village.wait_done(&broadcast)?;
    ensure!(done["state"] == "done", "{done}");
    village.events.wait_receiver(&two.id, "shown again", is(true))?;
    let receipts = village.api.receipts(&id)?;
    let outcome = |of: &Enrolled| {
        receipts
            .iter()
            .find(|it| it["receiver_id"] == of.id)
            .map(|it| &it["outcome"])
    };
    ensure!(
        [&one, &two]
            .map(outcome)
            .iter()
            .all(|it| it.is_some_and(|it| it == "played")),
        "{receipts:?}"
    );
    // Who was said to be there and is not, has no account to give.
    ensure!(outcome(&absent).is_some_and(|it| it == "none"), "{receipts:?}");
    let report = village.simulation.finish()?;
    for at in 0..2 {
        let it = &report["receivers"][at];
        ensure!(it["refused_commands"] == 0 && it["boots"] == 1, "{report}");
    }
    let recordings = [&one, &two].map(|it| village.simulation.recording(&it.id));
    let [first, second] = recordings;
    let (first, second) = (first?, second?);
    ensure!(first.seconds() > 5.0, "{report}");
    let difference = first.difference(&second);
    ensure!(difference.is_none(), "{difference:?}");
    Ok(())
}
