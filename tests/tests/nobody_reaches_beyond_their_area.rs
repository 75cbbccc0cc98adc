//! Whoever is something in an area is so there and below, and nowhere else, by every route: each operation of the API's
//! document is asked for by every role, granted in the area that it touches, below, above and beside it, by who is something here and
//! something else there, by programs with a part of what their owner may, and by nobody. Who may is served; who may not is refused as
//! documented, learns nothing and changes nothing; lists and live events hold only what one may see.
//!
//! What each operation takes stands in `area/rows.rs`. An operation without a row there fails this test.

mod area;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use area::rows::{Ask, Gate, ROWS, Row, area_shown, broadcast_shown, bulletin_shown, ids, place_shown};
use area::{At, Caller, VEILED, World, text};
use loa_tests::{Api, PATIENCE, Reply, Server, Settings};
use serde_json::{Value, json};

/// An operation as the API's document has it.
struct Operation {
    method: String,
    path: String,
    /// The answers that are documented.
    answers: Vec<String>,
    /// It is for who is signed in; and for programs.
    signed_in: bool,
    programs: bool,
}

fn operations(document: &Value) -> Result<BTreeMap<String, Operation>> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().context("paths")? {
        for (method, it) in item.as_object().context("operations")? {
            let schemes = it["security"].as_array().into_iter().flatten();
            let operation = Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                answers: it["responses"]
                    .as_object()
                    .context("answers")?
                    .keys()
                    .cloned()
                    .collect(),
                signed_in: schemes.clone().count() > 0,
                programs: schemes.clone().any(|scheme| !scheme["token"].is_null()),
            };
            operations.insert(text(&it["operationId"])?, operation);
        }
    }
    Ok(operations)
}

impl Operation {
    fn call(&self, api: &Api, ask: &Ask) -> Result<Reply> {
        let mut path = self.path.clone() + &ask.query;
        if let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, &ask.id);
        }
        let body = ask.body.as_ref();
        api.with_headers(
            &self.method,
            &path,
            ask.headers,
            body.map(|(kind, bytes)| (kind.as_str(), bytes.as_slice())),
        )
    }

    /// Refused, as documented, and nothing told.
    fn refused(&self, reply: &Reply, as_one_of: &[(u16, &str)]) -> Result<()> {
        let (status, code) = (reply.status, reply.code());
        ensure!(as_one_of.contains(&(status, code)), "was answered {reply:?}");
        ensure!(self.answers.contains(&status.to_string()), "{status} is not documented");
        ensure!(!reply.body.to_string().contains(VEILED), "was told {reply:?}");
        Ok(())
    }
}

/// Whether the gate lets `caller` pass.
fn passes(gate: Gate, caller: &Caller) -> bool {
    match gate {
        Gate::Public | Gate::Myself | Gate::Watch => true,
        Gate::Anothers => false,
        Gate::Somewhere(right) | Gate::List(right, _) => caller.may_somewhere(right),
        Gate::Each(needs) => needs.iter().all(|(rights, there)| caller.may(rights, *there)),
        Gate::Near(there) => caller.is_near(there),
    }
}

/// How who may not is answered: that they may not, or, of what they do not see, that it is not there.
const MAY_NOT: &[(u16, &str)] = &[(403, "forbidden"), (404, "not_found"), (422, "invalid")];

fn try_row(world: &World, callers: &[Caller], operation: &Operation, row: &Row) -> Result<()> {
    if !operation.signed_in {
        ensure!(
            matches!(row.gate, Gate::Public),
            "it is documented as open to everybody"
        );
        return Ok(());
    }
    let ask = (row.ask)(world)?;
    let before = world.state()?;
    let nobody = operation.call(&Api::anonymous(world.admin.base()), &ask)?;
    operation
        .refused(&nobody, &[(401, "unauthenticated")])
        .context("nobody")?;
    for caller in callers {
        let fits = caller.program && !operation.programs;
        let as_one_of: &[(u16, &str)] = match fits {
            true => &[(403, "session_only")],
            false if passes(row.gate, caller) => continue,
            // A device that nobody knows is not found by who may.
            false if row.hindrance == "not_found" => &[(403, "forbidden"), (422, "invalid")],
            false => MAY_NOT,
        };
        let reply = operation.call(&caller.api, &ask)?;
        operation
            .refused(&reply, as_one_of)
            .with_context(|| caller.name.clone())?;
    }
    ensure!(world.state()? == before, "who may not has changed something");
    if matches!(row.gate, Gate::Myself | Gate::Watch) {
        return Ok(());
    }
    let known = match row.gate {
        Gate::List(..) => operation.call(&world.admin, &ask)?.ok()?,
        _ => Value::Null,
    };
    for caller in callers {
        if passes(row.gate, caller) && (operation.programs || !caller.program) {
            // Something new for each: what is done is done to one only.
            let ask = (row.ask)(world)?;
            let reply = operation.call(&caller.api, &ask)?;
            let passed = match row.hindrance {
                "" => (200..300).contains(&reply.status),
                code => reply.code() == code,
            };
            ensure!(passed, "{} may, and was answered {reply:?}", caller.name);
            if let Gate::List(_, shown) = row.gate {
                compare(world, caller, &reply.body, &known, shown)?;
            }
        }
    }
    Ok(())
}

/// `list` must hold all of what is `known` and rightly shown, and nothing that is not: a list has so many of the newest, of which who sees
/// less sees older ones.
fn compare(
    world: &World,
    caller: &Caller,
    list: &Value,
    known: &Value,
    shown: fn(&World, &Caller, &Value) -> bool,
) -> Result<()> {
    let known = known.as_array().context("a list")?.iter();
    let (rightly, veiled): (Vec<_>, Vec<_>) = known.cloned().partition(|it| shown(world, caller, it));
    ensure!(!veiled.is_empty(), "nothing is kept from {}", caller.name);
    for it in list.as_array().context("a list")? {
        ensure!(shown(world, caller, it), "{} is shown {it}", caller.name);
    }
    let is = ids(list)?;
    for id in ids(&json!(rightly))? {
        ensure!(is.contains(&id), "{} is not shown {id}", caller.name);
    }
    Ok(())
}

/// Whether something of a list is rightly shown to somebody.
type Shown = fn(&World, &Caller, &Value) -> bool;

/// The lists of an event `snapshot`, and what is rightly in each.
const LISTS: [(&str, Shown); 4] = [
    ("areas", area_shown),
    ("receivers", place_shown),
    ("bulletins", bulletin_shown),
    ("broadcasts", broadcast_shown),
];

/// What is told live, from the first to the last.
fn watch(world: &World, callers: &[Caller]) -> Result<()> {
    let all = world.admin.events()?;
    let (_, all) = all.next(PATIENCE)?;
    let mut watching = Vec::new();
    for caller in callers {
        let events = caller.api.events()?;
        let (name, snapshot) = events.next(PATIENCE)?;
        ensure!(name == "snapshot", "{} was told {name} first", caller.name);
        for (list, shown) in LISTS {
            compare(world, caller, &snapshot[list], &all[list], shown).with_context(|| list)?;
        }
        watching.push((caller, events));
    }
    let receiver = world.receiver(At::Own)?;
    let path = format!("/api/v1/receivers/{receiver}");
    world.admin.call("PATCH", &path, Some(&json!({ "volume": 41 })))?.ok()?;
    let (bulletin, broadcast) = (world.draft(At::Own, "normal")?, world.broadcast(&[At::Own])?);
    // Who sees all of it has been told before anybody is told what comes after it.
    let mut due = vec![receiver.clone(), bulletin.clone(), broadcast.clone()];
    let (first, others) = watching.split_first().context("nobody watches")?;
    ensure!(first.0.may("see", At::Parent));
    let mut told = String::new();
    while !due.is_empty() {
        told += &first.1.next(PATIENCE)?.1.to_string();
        due.retain(|id| !told.contains(id.as_str()));
    }
    // It sounds everywhere: everybody is told.
    let last = world.broadcast(&[At::Parent])?;
    for (caller, events) in others {
        let mut told = String::new();
        while !told.contains(&last) {
            told += &events.next(PATIENCE)?.1.to_string();
        }
        for (id, sees) in [
            (&receiver, caller.may("see", At::Own)),
            (&bulletin, caller.may("see", At::Own)),
            (&broadcast, caller.is_near(At::Own)),
        ] {
            ensure!(
                told.contains(id.as_str()) == sees,
                "{} ({sees}) was told {told}",
                caller.name
            );
        }
    }
    Ok(())
}

#[test]
fn nobody_reaches_beyond_their_area() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let settings = Settings::default().host("127.0.0.1").with(&[
        "--public-host",
        "127.0.0.1",
        "--auth-emergency-second-factor",
        "off",
    ]);
    let (_server, admin) = Server::start(&folder.path().join("data"), settings)?;
    let operations = operations(&admin.get("/api/openapi.json")?)?;
    for name in operations.keys() {
        ensure!(
            ROWS.iter().any(|row| row.operation == name),
            "the operation {name} has no row in tests/tests/area/rows.rs: say there how it is asked for about something in an area, and what it takes"
        );
    }
    let world = World::new(admin)?;
    let callers = world.callers()?;
    for row in ROWS {
        let context = || format!("{} ({})", row.operation, row.what);
        let operation = operations.get(row.operation).with_context(context)?;
        try_row(&world, &callers, operation, row).with_context(context)?;
    }
    watch(&world, &callers)
}
