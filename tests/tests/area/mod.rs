//! A country of one commune: areas above, in, below and beside it, things in each, and people who are something in one of
//! them. Here: how it is made, through the API, and what may be expected of its people. Not here: what is asked (`rows`).

pub(crate) mod rows;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use loa_tests::{Api, PATIENCE, time_in};
use serde_json::{Value, json};

use At::{Beyond, Child, Everywhere, Foreign, Own, Parent};

/// Where something lies or somebody is something, seen from the commune that all is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    /// In all areas, and in none.
    Everywhere,
    /// The province.
    Parent,
    /// The commune.
    Own,
    /// One of its villages.
    Child,
    /// The next commune, of the same province.
    Foreign,
    /// Another province, where nobody of these is anything.
    Beyond,
}

impl At {
    /// Whether a grant here is good for what lies there.
    pub(crate) fn covers(self, there: Self) -> bool {
        match self {
            Everywhere => true,
            Parent => matches!(there, Parent | Own | Child | Foreign),
            Own => matches!(there, Own | Child),
            Child | Foreign | Beyond => self == there,
        }
    }
}

/// What each role may do.
pub(crate) const ROLES: [(&str, &[&str]); 5] = [
    ("officer", &["see", "compose", "broadcast"]),
    ("approver", &["see", "compose", "broadcast", "approve", "emergency"]),
    ("administrator", &["see", "receivers", "areas", "people", "record"]),
    ("technician", &["see", "receivers"]),
    ("auditor", &["see", "record"]),
];

/// Where people are something.
const PLACES: [At; 4] = [Parent, Own, Child, Foreign];

/// What all that only some may know is called.
pub(crate) const VEILED: &str = "Kín";

/// Somebody, or a program of theirs.
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) api: Api,
    /// It shows an API token.
    pub(crate) program: bool,
    rights: Vec<(Vec<&'static str>, At)>,
}

impl Caller {
    /// Whether one of `rights` (`broadcast|receivers`) is theirs there.
    pub(crate) fn may(&self, rights: &str, there: At) -> bool {
        let has = |of: &[&str]| rights.split('|').any(|right| of.contains(&right));
        self.rights.iter().any(|(of, at)| has(of) && at.covers(there))
    }

    /// Whether `right` is theirs anywhere.
    pub(crate) fn may_somewhere(&self, right: &str) -> bool {
        self.rights.iter().any(|(of, _)| of.contains(&right))
    }

    /// Whether they see something there, or below: such an area is shown to them, and what sounds in all of it.
    pub(crate) fn is_near(&self, there: At) -> bool {
        self.may("see", there) || self.rights.iter().any(|(_, at)| there.covers(*at))
    }
}

/// The commune and what is about it.
pub(crate) struct World {
    /// The first administrator, who may everything everywhere.
    pub(crate) admin: Api,
    areas: BTreeMap<At, String>,
    /// An approved bulletin of each area.
    bulletins: BTreeMap<At, String>,
    /// An approved one of class emergency, of the commune.
    pub(crate) emergency: String,
    /// A broadcast to both provinces that is over.
    pub(crate) over: String,
    /// The newest entry of the record when all of that was there.
    pub(crate) head: String,
    /// A session, a token and a second factor of somebody who signed in besides.
    pub(crate) another: [String; 3],
    /// An instant that lies ahead (RFC 3339), and one an hour after it.
    pub(crate) later: String,
    pub(crate) until: String,
    sound: Vec<u8>,
    number: Cell<u32>,
    /// Where bulletins were sent, as far as that was asked.
    sent: RefCell<BTreeMap<String, Vec<At>>>,
}

impl World {
    pub(crate) fn new(admin: Api) -> Result<Self> {
        let month = Duration::from_secs(30 * 86_400);
        let mut world = Self {
            admin,
            areas: BTreeMap::new(),
            bulletins: BTreeMap::new(),
            emergency: String::new(),
            over: String::new(),
            head: String::new(),
            another: Default::default(),
            later: time_in(month)?,
            until: time_in(month + Duration::from_secs(3600))?,
            sound: sound()?,
            number: Cell::new(0),
            sent: RefCell::default(),
        };
        for (at, kind, above) in [
            (Parent, "province", None),
            (Own, "commune", Some(Parent)),
            (Child, "village", Some(Own)),
            (Foreign, "commune", Some(Parent)),
            (Beyond, "province", None),
        ] {
            let above = above.map(|at| world.area(at));
            let area = world.admin.area(&world.name(), kind, above)?;
            world.areas.insert(at, area);
        }
        // What lies in no area, too.
        for at in [Everywhere, Beyond].into_iter().chain(PLACES) {
            let bulletin = world.approved(at, "normal")?;
            world.bulletins.insert(at, bulletin);
        }
        world.emergency = world.approved(Own, "emergency")?;
        for at in [Beyond].into_iter().chain(PLACES) {
            world.receiver(at)?;
            world.person(&[("officer", at)])?;
            world.broadcast(&[at])?;
            world.schedule(&[at])?;
            world.leave(at)?;
            world.reading(at)?;
            world.phrase(at)?;
            world.playlist(at)?;
        }
        world.person(&[("officer", Own), ("technician", Foreign)])?;
        world.person(&[("officer", Everywhere)])?;
        world.another = world.another()?;
        world.over = world.aired()?;
        let newest = world.admin.get("/api/v1/record?limit=1")?;
        world.head = text(&newest[0]["id"])?;
        Ok(world)
    }

    /// The identifier of an area; nothing for what lies in none.
    pub(crate) fn area(&self, at: At) -> &str {
        self.areas.get(&at).map_or("", String::as_str)
    }

    /// Where the area with that identifier is; everywhere, if it is none.
    pub(crate) fn at(&self, area: &Value) -> At {
        self.known(area).unwrap_or(Everywhere)
    }

    /// Which of these areas has that identifier.
    pub(crate) fn known(&self, area: &Value) -> Option<At> {
        let found = self.areas.iter().find(|(_, id)| area == id.as_str());
        found.map(|(at, _)| *at)
    }

    /// A name that nothing has yet.
    pub(crate) fn name(&self) -> String {
        format!("{VEILED} {}", self.count())
    }

    /// A user name that nobody has yet.
    pub(crate) fn username(&self) -> String {
        format!("nguoi.{}", self.count())
    }

    fn count(&self) -> u32 {
        self.number.set(self.number.get() + 1);
        self.number.get()
    }

    /// An approved bulletin of that area.
    pub(crate) fn bulletin(&self, at: At) -> &str {
        &self.bulletins[&at]
    }

    /// A new receiver there.
    pub(crate) fn receiver(&self, at: At) -> Result<String> {
        Ok(self.admin.enrol(&self.name(), self.area(at), "127.0.0.1")?.id)
    }

    /// A form with a new bulletin of that area in it.
    pub(crate) fn form(&self, at: At, class: &str) -> (String, Vec<u8>) {
        let title = self.name();
        let mut fields = vec![("title", title.as_str()), ("class", class)];
        if at != Everywhere {
            fields.push(("area_id", self.area(at)));
        }
        Api::form(&fields, &self.sound, "tin.wav")
    }

    /// An upload that the first administrator has begun.
    pub(crate) fn begun(&self) -> Result<String> {
        let headers = [("upload-length", "5")];
        let begun = self.admin.with_headers("POST", "/api/v1/uploads", &headers, None)?;
        let place = begun.location.context("no place")?;
        Ok(place.rsplit('/').next().unwrap_or_default().to_owned())
    }

    /// A new bulletin of that area, not approved.
    pub(crate) fn draft(&self, at: At, class: &str) -> Result<String> {
        let (kind, form) = self.form(at, class);
        let made = self.admin.raw("POST", "/api/v1/bulletins", Some((&kind, &form)))?;
        text(&made.ok()?["id"])
    }

    pub(crate) fn approved(&self, at: At, class: &str) -> Result<String> {
        let id = self.draft(at, class)?;
        self.admin
            .post(&format!("/api/v1/bulletins/{id}/approve"), &Value::Null)?;
        Ok(id)
    }

    /// A new bulletin of the province that was sent to the commune: itself, and what it is called in the inbox.
    pub(crate) fn sent_down(&self) -> Result<(String, String)> {
        let id = self.approved(Parent, "normal")?;
        let body = json!({ "areas": [self.area(Own)], "note": self.name() });
        let sent = self.admin.post(&format!("/api/v1/bulletins/{id}/send"), &body)?;
        Ok((id, text(&sent[0]["id"])?))
    }

    /// The same, accepted.
    pub(crate) fn accepted(&self) -> Result<String> {
        let (id, delivery) = self.sent_down()?;
        let accept = format!("/api/v1/inbox/{delivery}/accept");
        self.admin.post(&accept, &Value::Null)?;
        Ok(id)
    }

    /// Where a bulletin was sent; none is sent after this was asked of it.
    pub(crate) fn sent(&self, bulletin: &str) -> Result<Vec<At>> {
        if let Some(known) = self.sent.borrow().get(bulletin) {
            return Ok(known.clone());
        }
        let all = self.admin.get(&format!("/api/v1/bulletins/{bulletin}/deliveries"))?;
        let all = all.as_array().into_iter().flatten();
        let places: Vec<_> = all.map(|it| self.at(&it["area_id"])).collect();
        self.sent.borrow_mut().insert(bulletin.to_owned(), places.clone());
        Ok(places)
    }

    /// A new broadcast in those areas, in a month.
    pub(crate) fn broadcast(&self, at: &[At]) -> Result<String> {
        self.scheduled(self.bulletin(Own), at)
    }

    /// A new broadcast of that bulletin in those areas, in a month.
    pub(crate) fn scheduled(&self, bulletin: &str, at: &[At]) -> Result<String> {
        let areas: Vec<_> = at.iter().map(|at| self.area(*at)).collect();
        text(&self.admin.broadcast(bulletin, &areas, Some(&self.later))?["id"])
    }

    /// What a schedule of that bulletin in those areas is, in a month and for three days.
    pub(crate) fn series(&self, bulletin: &str, at: &[At]) -> Value {
        let areas: Vec<_> = at.iter().map(|at| self.area(*at)).collect();
        json!({
            "title": self.name(), "bulletin_id": bulletin, "target": { "areas": areas, "receivers": [] },
            "start": self.later.trim_end_matches('Z'), "rule": "FREQ=DAILY;COUNT=3", "despite_clashes": true, "version": 1,
        })
    }

    /// A new schedule in those areas.
    pub(crate) fn schedule(&self, at: &[At]) -> Result<String> {
        text(
            &self
                .admin
                .post("/api/v1/schedules", &self.series(self.bulletin(Own), at))?["id"],
        )
    }

    /// Leave to go past hours and minutes there, asked for and not approved.
    pub(crate) fn leave(&self, at: At) -> Result<String> {
        text(&self.admin.post("/api/v1/overrides", &self.asking(at))?["id"])
    }

    /// What asks for such leave.
    pub(crate) fn asking(&self, at: At) -> Value {
        json!({ "area_id": self.area(at), "reason": self.name(), "expires_at": self.later })
    }

    /// A new entry in the table of readings that holds there.
    pub(crate) fn reading(&self, at: At) -> Result<String> {
        text(&self.admin.post("/api/v1/readings", &self.read_as(at))?["id"])
    }

    /// What such an entry says.
    pub(crate) fn read_as(&self, at: At) -> Value {
        json!({ "word": self.name(), "reading": self.name(), "area_id": self.area(at) })
    }

    /// A new recorded phrase of that area.
    pub(crate) fn phrase(&self, at: At) -> Result<String> {
        text(&self.admin.post("/api/v1/phrases", &self.said(at))?["id"])
    }

    /// What such a phrase says.
    pub(crate) fn said(&self, at: At) -> Value {
        let (text, meaning, bulletin) = (self.name(), self.name(), self.bulletin(at));
        json!({ "language": "hmn", "text": text, "meaning": meaning, "bulletin_id": bulletin, "area_id": self.area(at) })
    }

    /// A new playlist of that area.
    pub(crate) fn playlist(&self, at: At) -> Result<String> {
        text(
            &self
                .admin
                .post("/api/v1/playlists", &self.listed(self.bulletin(Own), at))?["id"],
        )
    }

    /// What a playlist of that area with that bulletin is.
    pub(crate) fn listed(&self, bulletin: &str, at: At) -> Value {
        json!({ "title": self.name(), "area_id": self.area(at), "bulletin_ids": [bulletin], "version": 1 })
    }

    /// What is typed to be a bulletin of that area.
    pub(crate) fn typed(&self, at: At) -> Value {
        json!({ "title": self.name(), "class": "normal", "area_id": self.area(at), "parts": [{ "text": "Mời bà con." }] })
    }

    /// A broadcast to both provinces that is over: nobody heard it, and each receiver's account says so.
    fn aired(&self) -> Result<String> {
        let events = self.admin.events()?;
        let broadcast = self
            .admin
            .broadcast(self.bulletin(Own), &[self.area(Parent), self.area(Beyond)], None)?;
        let id = text(&broadcast["id"])?;
        events.wait_broadcast(&id, &["done", "failed"], PATIENCE)?;
        Ok(id)
    }

    /// Somebody who signed in twice, and has a token and a second factor: the identifiers of one session, and of both.
    fn another(&self) -> Result<[String; 3]> {
        let (username, password) = ("nguoi.khac", "bảy con sáo sang sông lúc chiều");
        let somebody = self
            .admin
            .invite(username, &self.grants(&[("officer", Own)]), password)?;
        let mut elsewhere = Api::anonymous(self.admin.base());
        elsewhere.sign_in(username, password)?;
        let body = json!({ "name": self.name(), "rights": ["see"], "expires_at": self.later });
        let token = text(&somebody.post("/api/v1/tokens", &body)?["id"])?;
        let secret = text(&somebody.post("/api/v1/account/totp/options", &Value::Null)?["secret"])?;
        let secret = totp_rs::Secret::try_from_base32(&secret)?;
        let totp = totp_rs::Builder::new().with_secret(secret).build()?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let body = json!({ "name": self.name(), "code": totp.generate(now.as_secs()).to_string() });
        somebody.post("/api/v1/account/totp", &body)?;
        let account = elsewhere.get("/api/v1/account")?;
        let mut sessions = account["sessions"].as_array().into_iter().flatten();
        let session = sessions.find(|it| it["current"] == true).context("no session")?;
        Ok([text(&session["id"])?, token, text(&account["factors"][0]["id"])?])
    }

    /// Somebody who is that, there.
    pub(crate) fn person(&self, grants: &[(&str, At)]) -> Result<String> {
        let body = json!({ "username": self.username(), "display_name": self.name(), "grants": self.grants(grants) });
        text(&self.admin.post("/api/v1/users", &body)?["user"]["id"])
    }

    /// Grants as the API takes them.
    pub(crate) fn grants(&self, grants: &[(&str, At)]) -> Value {
        let one = |(role, at): &(&str, At)| match at {
            Everywhere => json!({ "role": role }),
            at => json!({ "role": role, "area_id": self.area(*at) }),
        };
        grants.iter().map(one).collect()
    }

    /// Who asks: everybody who is one thing in one place, those who are something here and something else there, and programs
    /// that were given a part of what their owner may.
    pub(crate) fn callers(&self) -> Result<Vec<Caller>> {
        let mut callers = Vec::new();
        for (role, rights) in ROLES {
            for at in PLACES {
                callers.push(self.caller(&[(role, at)])?);
            }
            let owner = self.caller(&[(role, Parent)])?;
            for at in [Own, Foreign] {
                callers.push(self.program(&owner, rights, Some(at))?);
            }
            callers.push(self.program(&owner, &["see"], None)?);
        }
        let all = |at: At| ROLES.map(|(role, _)| (role, at));
        callers.push(self.caller(&[&all(Foreign)[..], &[("auditor", Own)]].concat())?);
        callers.push(self.caller(&[&all(Child)[..], &[("auditor", Parent)]].concat())?);
        callers.push(self.caller(&[("officer", Foreign), ("technician", Own)])?);
        callers.push(self.caller(&[("technician", Foreign), ("officer", Own)])?);
        Ok(callers)
    }

    fn caller(&self, grants: &[(&str, At)]) -> Result<Caller> {
        let username = self.username();
        let password = format!("năm mươi cụm loa {username} trên núi");
        let rights = |role: &str| {
            ROLES
                .into_iter()
                .find(|it| it.0 == role)
                .map_or(vec![], |it| it.1.to_vec())
        };
        Ok(Caller {
            name: format!("{grants:?}"),
            api: self.admin.invite(&username, &self.grants(grants), &password)?,
            program: false,
            rights: grants.iter().map(|(role, at)| (rights(role), *at)).collect(),
        })
    }

    /// A program of `owner`, who is something in the province.
    fn program(&self, owner: &Caller, rights: &[&'static str], at: Option<At>) -> Result<Caller> {
        let mut body = json!({ "name": self.name(), "rights": rights, "expires_at": self.later });
        if let Some(at) = at {
            body["area_id"] = json!(self.area(at));
        }
        let token = text(&owner.api.post("/api/v1/tokens", &body)?["token"])?;
        Ok(Caller {
            name: format!("a program for {rights:?} at {at:?} of {}", owner.name),
            api: Api::program(owner.api.base(), &token),
            program: true,
            rights: vec![(rights.to_vec(), at.unwrap_or(Parent))],
        })
    }

    /// All that could have been changed, and the newest entry of the record that is not the server's own.
    pub(crate) fn state(&self) -> Result<Value> {
        let lists = [
            "areas",
            "receivers",
            "bulletins?limit=1000",
            "broadcasts?limit=1000",
            "users",
            "claims",
            "schedules",
            "overrides",
            "readings",
            "phrases",
            "playlists",
        ];
        let lists = lists.map(|list| self.admin.get(&format!("/api/v1/{list}")));
        let mut lists = lists.into_iter().collect::<Result<Vec<_>>>()?;
        // Whom a broadcast reaches follows from receivers that come and go, a moment later.
        for it in lists.iter_mut().filter_map(Value::as_array_mut).flatten() {
            it.as_object_mut().and_then(|it| it.remove("receivers"));
        }
        // What is composed of playlists comes a moment later, too.
        for it in lists.last_mut().and_then(Value::as_array_mut).into_iter().flatten() {
            it.as_object_mut()
                .into_iter()
                .for_each(|it| it.retain(|key, _| key != "state" && key != "turns"));
        }
        let record = self.admin.get("/api/v1/record?limit=1000")?;
        let mut record = record.as_array().into_iter().flatten();
        let newest = record.find(|entry| entry["origin"] != "server").context("an entry")?;
        Ok(json!([lists, newest]))
    }
}

/// The text in a value.
pub(crate) fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().with_context(|| format!("no text: {value}"))?.to_owned())
}

/// A second of a tone, as a WAV file.
fn sound() -> Result<Vec<u8>> {
    let mut file = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::new(&mut file, spec)?;
    for n in 0..16_000_u16 {
        wav.write_sample(((f32::from(n) * 0.17).sin() * 8000.0) as i16)?;
    }
    wav.finalize()?;
    Ok(file.into_inner())
}
