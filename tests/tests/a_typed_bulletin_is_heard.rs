//! What an officer types is heard: read aloud by espeak-ng in two languages, approved, put on the air, and played by receivers
//! to the sample as the stored file has it.

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Plan, Village, decode_by_float_libopus};
use serde_json::json;

#[test]
fn a_typed_bulletin_is_heard() -> Result<()> {
    let plan = Plan {
        simulated: 2,
        ..Plan::default()
    };
    let mut village = Village::start(plan)?;
    let text = "Từ 7h30 ngày 15/7, UBND xã tiêm phòng tại nhà văn hóa.";
    let parts = json!([{ "text": text }, { "language": "en", "text": "Everybody is welcome." }]);
    let body = json!({ "title": "Tiêm phòng", "class": "normal", "parts": parts, "gap_ms": 1000 });
    let bulletin = village.api.post("/api/v1/bulletins/speech", &body)?;
    let id = bulletin["id"].as_str().context("no bulletin id")?;
    let refused = village.api.call(
        "POST",
        "/api/v1/broadcasts",
        Some(&json!({ "bulletin_id": id, "target": { "areas": [village.area], "receivers": [] } })),
    )?;
    ensure!(refused.code() == "not_approved", "{refused:?}");
    village
        .api
        .call("POST", &format!("/api/v1/bulletins/{id}/approve"), None)?
        .ok()?;
    let broadcast = village.api.broadcast(id, &[&village.area], None)?;
    let done = village.wait_done(&broadcast)?;
    ensure!(done["state"] == "done", "{done}");
    for receipt in village.api.receipts(done["id"].as_str().context("no broadcast id")?)? {
        ensure!(
            receipt["outcome"] == "played" && receipt["played_ms"] == receipt["planned_ms"],
            "{receipt}"
        );
    }
    let kept = village.api.get(&format!("/api/v1/bulletins/{id}/text"))?;
    ensure!(kept["parts"][0]["text"] == text, "{kept}");
    ensure!(
        kept["parts"][0]["said"]
            == "Từ bảy giờ ba mươi phút ngày mười lăm tháng bảy, Ủy ban nhân dân xã tiêm phòng tại nhà văn hóa.",
        "{kept}"
    );

    let stored = village.folder().join("stored.opus");
    village.stored(id, &stored)?;
    let wanted = decode_by_float_libopus(&stored)?;
    village.simulation.finish()?;
    for enrolled in &village.simulated {
        let heard = village.simulation.recording(&enrolled.id)?;
        ensure!(
            heard.0.len() == wanted.0.len(),
            "{} of {} samples",
            heard.0.len(),
            wanted.0.len()
        );
        let snr = heard.snr(&wanted);
        ensure!(snr >= 60.0, "only {snr:.1} dB");
        let lufs = heard.lufs().context("it is silent")?;
        println!(
            "{:.1} s heard, {lufs:.1} LUFS, {snr:.1} dB against the stored file",
            heard.seconds()
        );
        ensure!(lufs > -40.0, "{lufs} LUFS");
    }
    Ok(())
}
