//! What recurs is on the air by itself, in its time: what a receiver's plan foresaw is what it played; what its areas do not allow
//! it does not play, and says so, unless two people said otherwise; and a server that was not there at a start goes on as the
//! schedule says.

use anyhow::{Context as _, Result, ensure};
use loa_tests::{PATIENCE, Plan, Settings, Village, speech};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcOffset};

/// Civil time in Việt Nam, so many seconds from now, in whole seconds.
fn soon(seconds: i64) -> String {
    let at = OffsetDateTime::now_utc() + Duration::seconds(seconds);
    let hanoi = UtcOffset::from_hms(7, 0, 0).expect("an offset");
    let text = at.to_offset(hanoi).format(&Rfc3339).expect("an instant");
    text[..19].to_owned()
}

fn schedule(village: &Village, bulletin: &str, title: &str, start: &str) -> Value {
    json!({
        "title": title, "bulletin_id": bulletin, "start": start, "rule": "FREQ=DAILY;COUNT=3",
        "target": { "areas": [village.area], "receivers": [] },
    })
}

/// The broadcast that comes of a schedule, once it is over.
fn over(village: &Village, schedule: &str) -> Result<Value> {
    village
        .events
        .wait("the schedule's broadcast", PATIENCE * 2, |name, value| {
            let is_it = name == "broadcast" && value["schedule_id"] == schedule;
            let ended = ["done", "failed", "stopped"]
                .iter()
                .any(|state| value["state"] == *state);
            (is_it && ended).then(|| value.clone())
        })
}

fn id(value: &Value) -> Result<&str> {
    value["id"].as_str().with_context(|| format!("no id in {value}"))
}

fn instant(value: &Value) -> Result<OffsetDateTime> {
    Ok(OffsetDateTime::parse(value.as_str().context("an instant")?, &Rfc3339)?)
}

#[test]
fn what_is_foreseen_is_what_sounds_and_what_is_not_allowed_does_not() -> Result<()> {
    let village = Village::start(Plan {
        simulated: 2,
        ..Plan::default()
    })?;
    let api = &village.api;
    let wav = village.folder().join("short.wav");
    speech::speak("Mời bà con nghe bản tin buổi sáng của xã.", &wav)?;
    let bulletin = api.approved(&wav, "Bản tin sáng")?;
    let post = |path: &str, body: &Value| api.call("POST", path, Some(body))?.ok();
    let receiver = &village.simulated[0].id;

    let start = soon(5);
    let kept = post("/api/v1/schedules", &schedule(&village, &bulletin, "Sáng", &start))?;
    let plan = api
        .call("GET", &format!("/api/v1/receivers/{receiver}/plan?days=4"), None)?
        .ok()?;
    let pieces = plan.as_array().context("a list")?;
    ensure!(
        pieces.len() == 3 && pieces.iter().all(|it| it["fate"] == "plays"),
        "{plan}"
    );
    let done = over(&village, id(&kept)?)?;
    ensure!(
        done["state"] == "done" && done["id"] == pieces[0]["broadcast_id"],
        "{done} {plan}"
    );
    ensure!(
        instant(&done["start"])? == instant(&pieces[0]["from"])?,
        "{done} {plan}"
    );
    for receipt in api.receipts(id(&done)?)? {
        ensure!(
            receipt["outcome"] == "played" && receipt["played_ms"] == receipt["planned_ms"],
            "{receipt}"
        );
    }

    // From now on nothing may sound there: neither by the server's plan nor by the receiver's own judgement.
    let rules = format!("/api/v1/areas/{}/rules", village.area);
    api.call("PUT", &rules, Some(&json!({ "rules": { "hours": [] } })))?
        .ok()?;
    let mut at_night = schedule(&village, &bulletin, "Đêm", &soon(5));
    let refused = api.call("POST", "/api/v1/schedules", Some(&at_night))?;
    ensure!((refused.status, refused.code()) == (409, "clashes"), "{refused:?}");
    at_night["despite_clashes"] = json!(true);
    let kept = post("/api/v1/schedules", &at_night)?;
    let silent = over(&village, id(&kept)?)?;
    for receipt in api.receipts(id(&silent)?)? {
        ensure!(
            receipt["outcome"] == "refused" && receipt["played_ms"] == 0,
            "{receipt}"
        );
    }
    let at = silent["start"].as_str().context("start")?;
    let why = api
        .call("GET", &format!("/api/v1/receivers/{receiver}/why?at={at}"), None)?
        .ok()?;
    ensure!(why["reason"] == "hours" && why["title"] == "Bản tin sáng", "{why}");

    // Two people go past it, for an hour.
    let expires = (OffsetDateTime::now_utc() + Duration::hours(1)).format(&Rfc3339)?;
    let ask = json!({ "area_id": village.area, "reason": "Lũ về trong đêm", "expires_at": expires });
    let asked = post("/api/v1/overrides", &ask)?;
    let second = api.invite("hoa", &json!([{ "role": "approver" }]), "mật khẩu của hoa, dài")?;
    second
        .call("POST", &format!("/api/v1/overrides/{}/approve", id(&asked)?), None)?
        .ok()?;
    let mut allowed = schedule(&village, &bulletin, "Lũ", &soon(5));
    allowed["override_id"] = asked["id"].clone();
    // Once: the next days lie past its expiry.
    allowed["rule"] = Value::Null;
    let kept = post("/api/v1/schedules", &allowed)?;
    let done = over(&village, id(&kept)?)?;
    for receipt in api.receipts(id(&done)?)? {
        ensure!(receipt["outcome"] == "played", "{receipt}");
    }
    Ok(())
}

#[test]
fn a_server_that_was_away_at_the_start_does_as_the_schedule_says() -> Result<()> {
    let mut village = Village::start(Plan {
        simulated: 1,
        settings: Settings::fixed()?,
        ..Plan::default()
    })?;
    let wav = village.folder().join("long.wav");
    speech::speak(&[speech::ANNOUNCEMENT, speech::ANNOUNCEMENT].join(" "), &wav)?;
    let bulletin = village.api.approved(&wav, "Bản tin")?;
    let mut kept = Vec::new();
    for late in ["join", "skip", "play"] {
        let mut body = schedule(&village, &bulletin, late, &soon(3));
        body["late"] = json!(late);
        body["despite_clashes"] = json!(true);
        kept.push(village.api.call("POST", "/api/v1/schedules", Some(&body))?.ok()?);
    }
    let starts: Vec<_> = kept.iter().map(|it| instant(&it["next"])).collect::<Result<_>>()?;
    let last = *starts.iter().max().context("three")?;
    // Before they were made broadcasts, or after: killed at any instant it comes to the same.
    village.server.kill();
    while OffsetDateTime::now_utc() < last + Duration::seconds(1) {
        std::thread::yield_now();
    }
    village.api = village.server.restart()?;
    village.events = village.api.events()?;
    let ids = kept.iter().map(id).collect::<Result<Vec<_>>>()?;
    let mut ended: Vec<Option<Value>> = vec![None; 3];
    village
        .events
        .wait("all three to be over", PATIENCE * 2, |name, value| {
            let which = ids
                .iter()
                .position(|id| name == "broadcast" && value["schedule_id"] == **id)?;
            if ["done", "failed", "stopped"]
                .iter()
                .any(|state| value["state"] == *state)
            {
                ended[which] = Some(value.clone());
            }
            ended.iter().all(Option::is_some).then_some(())
        })?;
    let [joined, skipped, played] = &ended.into_iter().flatten().collect::<Vec<_>>()[..] else {
        unreachable!("three of three")
    };
    let start = |n: usize| instant(&kept[n]["next"]);
    ensure!(
        joined["state"] == "done" && instant(&joined["start"])? == start(0)?,
        "{joined}"
    );
    ensure!(
        skipped["state"] == "failed" && skipped["reason"] == "missed",
        "{skipped}"
    );
    ensure!(
        played["state"] == "done" && instant(&played["start"])? > start(2)?,
        "{played}"
    );
    Ok(())
}
