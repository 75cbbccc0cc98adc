//! Each operation of the API: how a well-formed request of it is made about something in the commune ([`Own`]), and what it takes.

use anyhow::Result;
use serde_json::{Value, json};

use super::At::{Child, Everywhere, Foreign, Own, Parent};
use super::{At, Caller, World, text};

/// A request, but for its method and its path.
#[derive(Default)]
pub(crate) struct Ask {
    /// What stands in the path.
    pub(crate) id: String,
    /// What stands after the path.
    pub(crate) query: String,
    /// Headers besides those of every request.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// Its type and its bytes.
    pub(crate) body: Option<(String, Vec<u8>)>,
}

/// What it takes.
#[derive(Clone, Copy)]
pub(crate) enum Gate {
    /// Nothing: it is for who is not signed in, or goes by address.
    Public,
    /// A session: it concerns nobody else, and can name nothing of anybody else.
    Myself,
    /// That it is one's own, which this is not.
    Anothers,
    /// The right, anywhere.
    Somewhere(&'static str),
    /// Each of these rights, there; of `a|b` one.
    Each(&'static [(&'static str, At)]),
    /// To see something there or below.
    Near(At),
    /// The right, anywhere; and what is listed is only what is rightly shown.
    List(&'static str, fn(&World, &Caller, &Value) -> bool),
    /// To be signed in; what comes is looked at by itself.
    Watch,
}

/// A way to ask for an operation.
pub(crate) struct Row {
    pub(crate) operation: &'static str,
    /// Which way, in words.
    pub(crate) what: &'static str,
    pub(crate) gate: Gate,
    /// The error that says that the gate was passed, and what kept it from being done.
    pub(crate) hindrance: &'static str,
    pub(crate) ask: fn(&World) -> Result<Ask>,
}

const fn row(operation: &'static str, what: &'static str, gate: Gate, ask: fn(&World) -> Result<Ask>) -> Row {
    Row {
        operation,
        what,
        gate,
        hindrance: "",
        ask,
    }
}

const fn hindered(row: Row, hindrance: &'static str) -> Row {
    Row { hindrance, ..row }
}

fn nothing(_: &World) -> Result<Ask> {
    Ok(Ask::default())
}

fn empty(_: &World) -> Result<Ask> {
    with("", json!({}))
}

fn about(id: impl Into<String>) -> Result<Ask> {
    Ok(Ask {
        id: id.into(),
        ..Ask::default()
    })
}

fn with(id: impl Into<String>, body: Value) -> Result<Ask> {
    let body = Some(("application/json".to_owned(), serde_json::to_vec(&body)?));
    Ok(Ask { body, ..about(id)? })
}

fn all(query: impl Into<String>) -> Result<Ask> {
    Ok(Ask {
        query: query.into(),
        ..Ask::default()
    })
}

fn token(w: &World, right: &str) -> Result<Ask> {
    let (name, area) = (w.name(), w.area(Own));
    with(
        "",
        json!({ "name": name, "rights": [right], "area_id": area, "expires_at": w.later }),
    )
}

fn upload(w: &World, at: At) -> Result<Ask> {
    Ok(Ask {
        body: Some(w.form(at, "normal")),
        ..Ask::default()
    })
}

/// About an upload of somebody else.
fn piece(w: &World, headers: &'static [(&'static str, &'static str)], body: Option<(&str, Vec<u8>)>) -> Result<Ask> {
    Ok(Ask {
        headers,
        body: body.map(|(kind, bytes)| (kind.to_owned(), bytes)),
        ..about(w.begun()?)?
    })
}

fn relay(w: &World, areas: &[At], fallback: &str) -> Result<Ask> {
    let areas: Vec<_> = areas.iter().map(|at| w.area(*at)).collect();
    let relay = json!({
        "url": "https://radio.example/tin.mp3", "title": w.name(), "class": "normal", "until": w.until,
        "fallback_bulletin_ids": [fallback],
    });
    let target = json!({ "areas": areas, "receivers": [] });
    with("", json!({ "relay": relay, "target": target, "start": w.later }))
}

fn broadcast(w: &World, bulletin: &str, areas: &[At]) -> Result<Ask> {
    let areas: Vec<_> = areas.iter().map(|at| w.area(*at)).collect();
    let target = json!({ "areas": areas, "receivers": [] });
    with(
        "",
        json!({ "bulletin_id": bulletin, "target": target, "start": w.later }),
    )
}

fn claim(become_: Value) -> Result<Ask> {
    // Well-formed, and no device has it.
    with("0000-0000-0000-0000", become_)
}

pub(crate) fn area_shown(w: &World, who: &Caller, it: &Value) -> bool {
    match w.known(&it["id"]) {
        Some(at) => who.is_near(at),
        // One that was added meanwhile, with nobody below: it is where the first of those above it is that was there before.
        None => {
            let above = it["path"].as_array().into_iter().flatten().rev();
            who.may("see", above.filter_map(|id| w.known(id)).next().unwrap_or(Everywhere))
        }
    }
}

pub(crate) fn place_shown(w: &World, who: &Caller, it: &Value) -> bool {
    who.may("see", w.at(&it["area_id"]))
}

/// What was sent to an area is shown there, too.
pub(crate) fn bulletin_shown(w: &World, who: &Caller, it: &Value) -> bool {
    let sent = || w.sent(it["id"].as_str().unwrap_or_default()).unwrap_or_default();
    place_shown(w, who, it) || sent().into_iter().any(|at| who.may("see", at))
}

/// What holds in an area is shown to who is below it, too: it holds for them.
fn near_shown(w: &World, who: &Caller, it: &Value) -> bool {
    it["area_id"].is_null() || who.is_near(w.at(&it["area_id"]))
}

pub(crate) fn broadcast_shown(w: &World, who: &Caller, it: &Value) -> bool {
    let areas = it["target"]["areas"].as_array().into_iter().flatten();
    let receivers = it["target"]["receivers"].as_array().into_iter().flatten();
    areas.clone().any(|area| who.is_near(w.at(area))) || receivers.clone().any(|id| receiver_shown(w, who, id))
}

fn receiver_shown(w: &World, who: &Caller, id: &Value) -> bool {
    let receivers = w.admin.get("/api/v1/receivers").unwrap_or_default();
    let receiver = receivers.as_array().into_iter().flatten().find(|it| it["id"] == *id);
    receiver.is_some_and(|it| place_shown(w, who, it))
}

fn receipt_shown(w: &World, who: &Caller, it: &Value) -> bool {
    receiver_shown(w, who, &it["receiver_id"])
}

fn person_shown(w: &World, who: &Caller, it: &Value) -> bool {
    let grants = it["grants"].as_array().into_iter().flatten();
    grants.clone().any(|grant| who.may("people", w.at(&grant["area_id"])))
}

fn entry_shown(w: &World, who: &Caller, it: &Value) -> bool {
    who.may("record", w.at(&it["area_id"]))
}

/// Every operation has one at least.
pub(crate) const ROWS: &[Row] = &[
    // Nobody's, and one's own.
    row("setUp", "", Gate::Public, empty),
    row("signIn", "", Gate::Public, empty),
    row("lookAtLink", "", Gate::Public, empty),
    row("useLink", "", Gate::Public, empty),
    row("healthz", "goes by address", Gate::Public, nothing),
    row("metrics", "goes by address", Gate::Public, nothing),
    row("whoAmI", "", Gate::Myself, nothing),
    row("signOut", "", Gate::Myself, nothing),
    row("showCode", "", Gate::Myself, empty),
    row("passkeyOptions", "", Gate::Myself, nothing),
    row("showPasskey", "", Gate::Myself, empty),
    row("account", "", Gate::Myself, nothing),
    row("changePassword", "", Gate::Myself, empty),
    row("newRecoveryCodes", "", Gate::Myself, nothing),
    row("totpOptions", "", Gate::Myself, nothing),
    row("addTotp", "", Gate::Myself, empty),
    row("newPasskeyOptions", "", Gate::Myself, nothing),
    row("addPasskey", "", Gate::Myself, empty),
    row("endSession", "of another", Gate::Anothers, |w| about(&w.another[0])),
    row("removeToken", "of another", Gate::Anothers, |w| about(&w.another[1])),
    row("removeFactor", "of another", Gate::Anothers, |w| about(&w.another[2])),
    row("waysIn", "", Gate::Public, nothing),
    row("beginOidc", "", Gate::Public, empty),
    row("finishOidc", "", Gate::Public, empty),
    row("beginLinking", "", Gate::Myself, nothing),
    row("linkIdentity", "", Gate::Myself, empty),
    // Nobody has one here: that of another is tried with the provider (`http::tests::oidc`).
    row("unlinkIdentity", "of nobody", Gate::Anothers, |w| about(&w.another[2])),
    row("listTokens", "one's own alone", Gate::Myself, nothing),
    row("makeToken", "to see there", Gate::Each(&[("see", Own)]), |w| {
        token(w, "see")
    }),
    row(
        "makeToken",
        "for people there",
        Gate::Each(&[("see", Own), ("people", Own)]),
        |w| token(w, "people"),
    ),
    // People.
    row("listUsers", "", Gate::List("people", person_shown), nothing),
    row(
        "inviteUser",
        "to be something there",
        Gate::Each(&[("people", Own)]),
        |w| {
            with(
                "",
                json!({ "username": w.username(), "display_name": w.name(), "grants": w.grants(&[("auditor", Own)]) }),
            )
        },
    ),
    row(
        "inviteUser",
        "to be something everywhere",
        Gate::Each(&[("people", Everywhere)]),
        |w| {
            let grants = w.grants(&[("auditor", Everywhere)]);
            with(
                "",
                json!({ "username": w.username(), "display_name": w.name(), "grants": grants }),
            )
        },
    ),
    row(
        "changeUser",
        "what they are called",
        Gate::Each(&[("people", Own)]),
        |w| with(w.person(&[("officer", Own)])?, json!({ "display_name": w.name() })),
    ),
    row("changeUser", "lock them out", Gate::Each(&[("people", Own)]), |w| {
        with(w.person(&[("officer", Own)])?, json!({ "disabled": true }))
    }),
    row(
        "changeUser",
        "make them something elsewhere",
        Gate::Each(&[("people", Own), ("people", Foreign)]),
        |w| {
            with(
                w.person(&[("officer", Own)])?,
                json!({ "grants": w.grants(&[("officer", Foreign)]) }),
            )
        },
    ),
    row(
        "changeUser",
        "who is something elsewhere, too",
        Gate::Each(&[("people", Own), ("people", Foreign)]),
        |w| {
            with(
                w.person(&[("officer", Own), ("auditor", Foreign)])?,
                json!({ "disabled": true }),
            )
        },
    ),
    row(
        "changeUser",
        "who is something everywhere",
        Gate::Each(&[("people", Everywhere)]),
        |w| with(w.person(&[("officer", Everywhere)])?, json!({ "disabled": true })),
    ),
    row("linkUser", "", Gate::Each(&[("people", Own)]), |w| {
        about(w.person(&[("officer", Own)])?)
    }),
    row(
        "linkUser",
        "who is something elsewhere, too",
        Gate::Each(&[("people", Own), ("people", Foreign)]),
        |w| about(w.person(&[("officer", Own), ("auditor", Foreign)])?),
    ),
    // Areas.
    row("listAreas", "", Gate::List("see", area_shown), nothing),
    row("addArea", "below it", Gate::Each(&[("areas", Own)]), |w| {
        with(
            "",
            json!({ "name": w.name(), "kind": "village", "parent_id": w.area(Own) }),
        )
    }),
    row("addArea", "below nothing", Gate::Each(&[("areas", Everywhere)]), |w| {
        with("", json!({ "name": w.name(), "kind": "province" }))
    }),
    row("changeArea", "its name", Gate::Each(&[("areas", Own)]), |w| {
        with(w.area(Own), json!({ "name": w.name() }))
    }),
    row(
        "changeArea",
        "to what is not one's own",
        Gate::Each(&[("areas", Own), ("areas", Foreign)]),
        |w| with(w.village()?, json!({ "parent_id": w.area(Foreign) })),
    ),
    row("mergeAreas", "", Gate::Each(&[("areas", Own)]), |w| {
        let area = json!({ "name": w.name(), "kind": "village", "parent_id": w.area(Own) });
        with("", json!({ "area": area, "area_ids": [w.village()?, w.village()?] }))
    }),
    // Receivers.
    row("listReceivers", "", Gate::List("see", place_shown), nothing),
    row("enrolReceiver", "", Gate::Each(&[("receivers", Own)]), |w| {
        with(
            "",
            json!({ "name": w.name(), "area_id": w.area(Own), "host": "127.0.0.1" }),
        )
    }),
    row(
        "changeReceiver",
        "how loud it is",
        Gate::Each(&[("receivers|broadcast", Own)]),
        |w| with(w.receiver(Own)?, json!({ "volume": 40 })),
    ),
    row(
        "changeReceiver",
        "what it is called",
        Gate::Each(&[("receivers", Own)]),
        |w| with(w.receiver(Own)?, json!({ "name": w.name() })),
    ),
    row(
        "changeReceiver",
        "its position",
        Gate::Each(&[("receivers", Own)]),
        |w| with(w.receiver(Own)?, json!({ "latitude": 21.03, "longitude": 105.85 })),
    ),
    row(
        "changeReceiver",
        "give it away",
        Gate::Each(&[("receivers", Own), ("receivers", Foreign)]),
        |w| with(w.receiver(Own)?, json!({ "area_id": w.area(Foreign) })),
    ),
    row(
        "changeReceiver",
        "take it from elsewhere",
        Gate::Each(&[("receivers", Own), ("receivers", Foreign)]),
        |w| with(w.receiver(Foreign)?, json!({ "area_id": w.area(Own) })),
    ),
    row("revokeReceiver", "", Gate::Each(&[("receivers", Own)]), |w| {
        about(w.receiver(Own)?)
    }),
    row("enrolReceiverAgain", "", Gate::Each(&[("receivers", Own)]), |w| {
        with(w.receiver(Own)?, json!({ "host": "127.0.0.1" }))
    }),
    row("rotateReceiver", "", Gate::Each(&[("receivers", Own)]), |w| {
        about(w.receiver(Own)?)
    }),
    hindered(
        row("rebootReceiver", "", Gate::Each(&[("receivers", Own)]), |w| {
            about(w.receiver(Own)?)
        }),
        "offline",
    ),
    // Devices that ask belong to no area yet: whoever has receivers anywhere sees them, since any may be theirs.
    row("listClaims", "", Gate::Somewhere("receivers"), nothing),
    hindered(
        row("refuseClaim", "", Gate::Somewhere("receivers"), |_| {
            about("0000-0000-0000-0000")
        }),
        "not_found",
    ),
    hindered(
        row(
            "approveClaim",
            "as a new receiver",
            Gate::Each(&[("receivers", Own)]),
            |w| claim(json!({ "name": w.name(), "area_id": w.area(Own) })),
        ),
        "not_found",
    ),
    hindered(
        row(
            "approveClaim",
            "in the place of another",
            Gate::Each(&[("receivers", Own)]),
            |w| claim(json!({ "replaces": w.receiver(Own)? })),
        ),
        "not_found",
    ),
    // Bulletins.
    row("listBulletins", "", Gate::List("see", bulletin_shown), |_| {
        all("?limit=1000")
    }),
    row("uploadBulletin", "", Gate::Each(&[("compose", Own)]), |w| {
        upload(w, Own)
    }),
    row("approveBulletin", "", Gate::Each(&[("approve", Own)]), |w| {
        about(w.draft(Own, "normal")?)
    }),
    row(
        "approveBulletin",
        "an emergency",
        Gate::Each(&[("approve", Own), ("emergency", Own)]),
        |w| about(w.draft(Own, "emergency")?),
    ),
    row("submitBulletin", "", Gate::Each(&[("compose", Own)]), |w| {
        about(w.draft(Own, "normal")?)
    }),
    row("refuseBulletin", "", Gate::Each(&[("approve", Own)]), |w| {
        with(w.draft(Own, "normal")?, json!({ "reason": w.name() }))
    }),
    row("bulletinAudio", "", Gate::Each(&[("see", Own)]), |w| {
        about(w.bulletin(Own))
    }),
    row("bulletinAudio", "of no area", Gate::Each(&[("see", Everywhere)]), |w| {
        about(w.bulletin(Everywhere))
    }),
    row("changeBulletin", "", Gate::Each(&[("compose", Own)]), |w| {
        with(w.draft(Own, "normal")?, json!({ "folder": w.name() }))
    }),
    row("deleteBulletin", "", Gate::Each(&[("compose", Own)]), |w| {
        about(w.draft(Own, "normal")?)
    }),
    row("bulletinPeaks", "", Gate::Each(&[("see", Own)]), |w| {
        about(w.bulletin(Own))
    }),
    row("beginUpload", "", Gate::Somewhere("compose"), |_| {
        Ok(Ask {
            headers: &[("upload-length", "5")],
            ..Ask::default()
        })
    }),
    row("uploadProgress", "of another", Gate::Anothers, |w| piece(w, &[], None)),
    row("continueUpload", "of another", Gate::Anothers, |w| {
        let bytes = ("application/offset+octet-stream", b"RIFF".to_vec());
        piece(w, &[("upload-offset", "0")], Some(bytes))
    }),
    row("endUpload", "of another", Gate::Anothers, |w| piece(w, &[], None)),
    row("bulletinOfUpload", "of another", Gate::Anothers, |w| {
        with(
            w.begun()?,
            json!({ "title": w.name(), "class": "normal", "area_id": w.area(Own) }),
        )
    }),
    // Broadcasts.
    row("listBroadcasts", "", Gate::List("see", broadcast_shown), |_| {
        all("?limit=1000")
    }),
    row("broadcast", "", Gate::Each(&[("see", Own), ("broadcast", Own)]), |w| {
        broadcast(w, w.bulletin(Own), &[Own])
    }),
    row(
        "broadcast",
        "elsewhere",
        Gate::Each(&[("see", Own), ("broadcast", Foreign)]),
        |w| broadcast(w, w.bulletin(Own), &[Foreign]),
    ),
    row(
        "broadcast",
        "there and elsewhere",
        Gate::Each(&[("broadcast", Own), ("broadcast", Foreign)]),
        |w| broadcast(w, w.bulletin(Own), &[Own, Foreign]),
    ),
    row("broadcast", "above", Gate::Each(&[("broadcast", Parent)]), |w| {
        broadcast(w, w.bulletin(Own), &[Parent])
    }),
    row(
        "broadcast",
        "what is another's",
        Gate::Each(&[("see", Foreign), ("broadcast", Own)]),
        |w| broadcast(w, w.bulletin(Foreign), &[Own]),
    ),
    row(
        "broadcast",
        "what is of below",
        Gate::Each(&[("see", Child), ("broadcast", Own)]),
        |w| broadcast(w, w.bulletin(Child), &[Own]),
    ),
    row(
        "broadcast",
        "an emergency",
        Gate::Each(&[("broadcast", Own), ("emergency", Own)]),
        |w| broadcast(w, &w.emergency, &[Own]),
    ),
    row(
        "broadcast",
        "at one receiver",
        Gate::Each(&[("see", Own), ("broadcast", Own)]),
        |w| {
            let target = json!({ "areas": [], "receivers": [w.receiver(Own)?] });
            with(
                "",
                json!({ "bulletin_id": w.bulletin(Own), "target": target, "start": w.later }),
            )
        },
    ),
    row(
        "broadcast",
        "at one of another's receivers",
        Gate::Each(&[("see", Own), ("broadcast", Foreign)]),
        |w| {
            let target = json!({ "areas": [], "receivers": [w.receiver(Foreign)?] });
            with(
                "",
                json!({ "bulletin_id": w.bulletin(Own), "target": target, "start": w.later }),
            )
        },
    ),
    row(
        "broadcast",
        "a relay",
        Gate::Each(&[("see", Own), ("broadcast", Own)]),
        |w| relay(w, &[Own], w.bulletin(Own)),
    ),
    row(
        "broadcast",
        "a relay, there and elsewhere",
        Gate::Each(&[("broadcast", Own), ("broadcast", Foreign)]),
        |w| relay(w, &[Own, Foreign], w.bulletin(Own)),
    ),
    row(
        "broadcast",
        "a relay that falls back on what is another's",
        Gate::Each(&[("see", Foreign), ("broadcast", Own)]),
        |w| relay(w, &[Own], w.bulletin(Foreign)),
    ),
    row("liveSound", "of another", Gate::Anothers, |w| {
        about(w.broadcast(&[Own])?)
    }),
    row("stopBroadcast", "", Gate::Each(&[("broadcast", Own)]), |w| {
        about(w.broadcast(&[Own])?)
    }),
    row(
        "stopBroadcast",
        "from above",
        Gate::Each(&[("broadcast", Parent)]),
        |w| about(w.broadcast(&[Parent])?),
    ),
    row(
        "stopBroadcast",
        "elsewhere, too",
        Gate::Each(&[("broadcast", Own), ("broadcast", Foreign)]),
        |w| about(w.broadcast(&[Own, Foreign])?),
    ),
    row(
        "stopBroadcast",
        "an emergency",
        Gate::Each(&[("broadcast", Own), ("emergency", Own)]),
        |w| about(w.scheduled(&w.emergency, &[Own])?),
    ),
    row("broadcastReceipts", "", Gate::Near(Own), |w| {
        about(w.broadcast(&[Own])?)
    }),
    row(
        "broadcastReceipts",
        "from above",
        Gate::List("see", receipt_shown),
        |w| about(&w.over),
    ),
    hindered(
        row("listenIn", "to what does not sound yet", Gate::Near(Own), |w| {
            about(w.broadcast(&[Own])?)
        }),
        "not_on_air",
    ),
    // Speech.
    row("previewSpeech", "", Gate::Each(&[("compose", Own)]), |w| {
        with(
            "",
            json!({ "area_id": w.area(Own), "parts": [{ "text": "Mời bà con." }] }),
        )
    }),
    row("typeBulletin", "", Gate::Each(&[("compose", Own)]), |w| {
        with("", w.typed(Own))
    }),
    row("bulletinText", "", Gate::Each(&[("see", Own)]), |w| {
        about(text(&w.admin.post("/api/v1/bulletins/speech", &w.typed(Own))?["id"])?)
    }),
    row("listReadings", "", Gate::List("see", near_shown), nothing),
    row("addReading", "", Gate::Each(&[("compose", Own)]), |w| {
        with("", w.read_as(Own))
    }),
    row("removeReading", "", Gate::Each(&[("compose", Own)]), |w| {
        about(w.reading(Own)?)
    }),
    row("listPhrases", "", Gate::List("see", near_shown), nothing),
    row("addPhrase", "", Gate::Each(&[("compose", Own)]), |w| {
        with("", w.said(Own))
    }),
    row(
        "addPhrase",
        "of another's recording",
        Gate::Each(&[("compose", Own), ("see", Foreign)]),
        |w| {
            let mut said = w.said(Own);
            said["bulletin_id"] = json!(w.bulletin(Foreign));
            with("", said)
        },
    ),
    row("changePhrase", "", Gate::Each(&[("compose", Own)]), |w| {
        with(w.phrase(Own)?, json!({ "meaning": w.name() }))
    }),
    row("removePhrase", "", Gate::Each(&[("compose", Own)]), |w| {
        about(w.phrase(Own)?)
    }),
    // Playlists.
    row("listPlaylists", "", Gate::List("see", place_shown), nothing),
    row("addPlaylist", "", Gate::Each(&[("see", Own), ("compose", Own)]), |w| {
        with("", w.listed(w.bulletin(Own), Own))
    }),
    row(
        "addPlaylist",
        "of what is another's",
        Gate::Each(&[("see", Foreign), ("compose", Own)]),
        |w| with("", w.listed(w.bulletin(Foreign), Own)),
    ),
    row("changePlaylist", "", Gate::Each(&[("compose", Own)]), |w| {
        with(w.playlist(Own)?, w.listed(w.bulletin(Own), Own))
    }),
    row("removePlaylist", "", Gate::Each(&[("compose", Own)]), |w| {
        about(w.playlist(Own)?)
    }),
    // Schedules, and what areas allow.
    row("areaRules", "", Gate::Each(&[("see", Own)]), |w| about(w.area(Own))),
    row("setAreaRules", "", Gate::Each(&[("areas", Own)]), |w| {
        with(w.area(Own), json!({ "rules": { "daily_minutes": 600 } }))
    }),
    row("rulePresets", "", Gate::Somewhere("see"), nothing),
    row("listOverrides", "", Gate::List("see", place_shown), nothing),
    row("askOverride", "", Gate::Each(&[("broadcast", Own)]), |w| {
        with("", w.asking(Own))
    }),
    row("approveOverride", "", Gate::Each(&[("approve", Own)]), |w| {
        about(w.leave(Own)?)
    }),
    row("withdrawOverride", "", Gate::Each(&[("broadcast", Own)]), |w| {
        about(w.leave(Own)?)
    }),
    row("listSchedules", "", Gate::List("see", broadcast_shown), nothing),
    row("exportSchedules", "as listed", Gate::Somewhere("see"), nothing),
    row(
        "addSchedule",
        "",
        Gate::Each(&[("see", Own), ("broadcast", Own)]),
        |w| with("", w.series(w.bulletin(Own), &[Own])),
    ),
    row(
        "addSchedule",
        "there and elsewhere",
        Gate::Each(&[("broadcast", Own), ("broadcast", Foreign)]),
        |w| with("", w.series(w.bulletin(Own), &[Own, Foreign])),
    ),
    row(
        "addSchedule",
        "what is another's",
        Gate::Each(&[("see", Foreign), ("broadcast", Own)]),
        |w| with("", w.series(w.bulletin(Foreign), &[Own])),
    ),
    row(
        "addSchedule",
        "an emergency",
        Gate::Each(&[("broadcast", Own), ("emergency", Own)]),
        |w| with("", w.series(&w.emergency, &[Own])),
    ),
    row("checkSchedule", "", Gate::Each(&[("broadcast", Own)]), |w| {
        with("", w.series(w.bulletin(Own), &[Own]))
    }),
    row("changeSchedule", "", Gate::Each(&[("broadcast", Own)]), |w| {
        with(w.schedule(&[Own])?, w.series(w.bulletin(Own), &[Own]))
    }),
    row(
        "changeSchedule",
        "take it from elsewhere",
        Gate::Each(&[("broadcast", Own), ("broadcast", Foreign)]),
        |w| with(w.schedule(&[Foreign])?, w.series(w.bulletin(Own), &[Own])),
    ),
    row("changeOccurrence", "", Gate::Each(&[("broadcast", Own)]), |w| {
        let occurrence = w.later.trim_end_matches('Z');
        with(
            w.schedule(&[Own])?,
            json!({ "occurrence": occurrence, "version": 1, "cancel": true }),
        )
    }),
    row("removeSchedule", "", Gate::Each(&[("broadcast", Own)]), |w| {
        about(w.schedule(&[Own])?)
    }),
    row(
        "removeSchedule",
        "from above",
        Gate::Each(&[("broadcast", Parent)]),
        |w| about(w.schedule(&[Parent])?),
    ),
    row(
        "importSchedules",
        "",
        Gate::Each(&[("see", Own), ("broadcast", Own)]),
        |w| {
            let (name, start) = (w.name(), w.later.trim_end_matches('Z').replace(['-', ':'], ""));
            let event = format!("BEGIN:VEVENT\r\nUID:1\r\nDTSTART:{start}\r\nSUMMARY:{name}\r\nEND:VEVENT\r\n");
            let calendar = format!("BEGIN:VCALENDAR\r\n{event}END:VCALENDAR\r\n");
            let target = json!({ "areas": [w.area(Own)], "receivers": [] });
            let bulletin = w.bulletin(Own);
            with(
                "",
                json!({ "calendar": calendar, "target": target, "bulletin_id": bulletin, "despite_clashes": true }),
            )
        },
    ),
    row("receiverPlan", "", Gate::Each(&[("see", Own)]), |w| {
        about(w.receiver(Own)?)
    }),
    row("receiverHistory", "", Gate::Each(&[("see", Own)]), |w| {
        about(w.receiver(Own)?)
    }),
    row("whySilent", "", Gate::Each(&[("see", Own)]), |w| {
        about(w.receiver(Own)?)
    }),
    // Inboxes.
    row("inbox", "one's own", Gate::Somewhere("see"), nothing),
    row("sendBulletin", "", Gate::Each(&[("compose", Own)]), |w| {
        with(w.approved(Own, "normal")?, json!({ "areas": [w.area(Child)] }))
    }),
    row("sendBulletin", "from above", Gate::Each(&[("compose", Parent)]), |w| {
        let areas = [w.area(Own), w.area(Foreign)];
        with(w.approved(Parent, "normal")?, json!({ "areas": areas }))
    }),
    row("bulletinDeliveries", "", Gate::Each(&[("see", Own)]), |w| {
        about(w.bulletin(Own))
    }),
    row("bulletinDeliveries", "from above", Gate::Each(&[("see", Own)]), |w| {
        about(w.sent_down()?.0)
    }),
    row("bulletinAudio", "from above", Gate::Each(&[("see", Own)]), |w| {
        about(w.sent_down()?.0)
    }),
    row("acceptDelivery", "", Gate::Each(&[("broadcast", Own)]), |w| {
        about(w.sent_down()?.1)
    }),
    row("refuseDelivery", "", Gate::Each(&[("broadcast", Own)]), |w| {
        with(w.sent_down()?.1, json!({ "reason": w.name() }))
    }),
    row(
        "broadcast",
        "what came from above",
        Gate::Each(&[("broadcast", Own)]),
        |w| broadcast(w, &w.accepted()?, &[Own]),
    ),
    row(
        "addSchedule",
        "what came from above",
        Gate::Each(&[("broadcast", Own)]),
        |w| with("", w.series(&w.accepted()?, &[Own])),
    ),
    row("listRivals", "", Gate::Each(&[("see", Own)]), |w| {
        all(format!("?area_id={}", w.area(Own)))
    }),
    row("orderRivals", "", Gate::Each(&[("broadcast", Own)]), |w| {
        let (first, second) = (w.broadcast(&[Own])?, w.broadcast(&[Own])?);
        with("", json!({ "first": first, "second": second }))
    }),
    row(
        "orderRivals",
        "what comes from above",
        Gate::Each(&[("broadcast", Parent)]),
        |w| {
            let (first, second) = (w.broadcast(&[Own])?, w.broadcast(&[Parent])?);
            with("", json!({ "first": first, "second": second }))
        },
    ),
    // The record, and what is told live.
    row("accounts", "of what one sees", Gate::Somewhere("see"), nothing),
    row("accounts", "of an area", Gate::Each(&[("see", Own)]), |w| {
        all(format!("?area_id={}", w.area(Own)))
    }),
    row("listRecord", "", Gate::List("record", entry_shown), |w| {
        all(format!("?limit=1000&before={}", w.head))
    }),
    row("events", "", Gate::Watch, nothing),
    // Last: what is live is on the air, and ends by itself while others are asked for.
    row("speak", "", Gate::Each(&[("broadcast", Own)]), |w| {
        let target = json!({ "areas": [], "receivers": [w.receiver(Own)?] });
        with("", json!({ "title": w.name(), "class": "normal", "target": target }))
    }),
];

/// The identifiers in a list.
pub(crate) fn ids(list: &Value) -> Result<Vec<String>> {
    let list = list.as_array().into_iter().flatten();
    list.map(|it| {
        text(if it["id"].is_null() {
            &it["receiver_id"]
        } else {
            &it["id"]
        })
    })
    .collect()
}
