//! What goes over the API, and how it is made of what the store holds, but for bulletins (`shelf`) and receipts (`receipts`). Instants are RFC 3339 in UTC, identifiers are
//! UUIDs, lengths are milliseconds; what is not known is absent.

use loa_protocol::precedence;
use loa_protocol::{AreaId, ReceiverId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::Answer;
use super::repeats::{Repeat, Repeating};
pub(super) use super::values::{broadcast_id, instant, no_id, written};
use crate::authority::{self, Reach};
use crate::enrol::claims::Asking;
use crate::store::{self, BroadcastState, receivers};

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User {
    id: String,
    username: String,
    display_name: String,
    grants: Vec<Grant>,
}

/// A role in an area and everywhere below it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    /// `officer`, `approver`, `administrator`, `technician` or `auditor`.
    pub(super) role: String,
    /// Absent: everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) area_id: Option<String>,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    user: User,
    /// To be sent as `X-Loa-Csrf` with every request that changes something.
    csrf: String,
    #[schema(inline)]
    second_factor: SecondFactor,
    /// What kinds of second factor the user has: `totp`, `passkey`.
    factors: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SecondFactor {
    /// None was shown, and none is wanted to be signed in.
    Off,
    /// One is to be shown, or if `factors` is empty to be set up: until then all else answers 401 `second_factor`.
    Needed,
    /// One was shown in this session.
    Passed,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    pub(super) username: String,
    pub(super) password: String,
}

/// The first administrator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Setup {
    /// From the link that the server printed.
    pub(super) token: String,
    pub(super) username: String,
    pub(super) display_name: String,
    pub(super) password: String,
}

/// An area.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Area {
    id: String,
    name: String,
    /// What kind of area: `province`, `commune`, `village` …
    kind: String,
    /// Identifiers from the root to the area itself.
    path: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parent_id: Option<String>,
    /// Its official code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<String>,
}

/// An area to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewArea {
    pub(super) name: String,
    pub(super) kind: String,
    #[schema(nullable = false)]
    pub(super) parent_id: Option<String>,
    #[schema(nullable = false)]
    pub(super) code: Option<String>,
}

/// A receiver and what it last said of itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Receiver {
    id: String,
    name: String,
    area_id: String,
    online: bool,
    /// Per cent.
    volume: u8,
    /// Where it stands, in degrees (WGS 84); absent, as its longitude, until somebody has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    longitude: Option<f64>,
    /// The broadcast that it plays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    playing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    last_seen_at: Option<String>,
    /// How sound reaches it: `udp`, `mqtt` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rtt_ms: Option<f64>,
    /// How far its clock may be off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    clock_error_ms: Option<f64>,
    /// Part of the media packets that it lost since it booted, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    firmware: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    board: Option<String>,
    /// Since when it is revoked: it has no secret any more, and can only be enrolled again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    revoked_at: Option<String>,
    /// What somebody should look at: `clone` (two devices go by its name: enrol it again).
    warnings: Vec<String>,
    /// Number of the server's signing key that it trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key_number: Option<u32>,
    /// A new secret was ordered, and is not proven yet.
    rotating: bool,
}

/// A receiver to be enrolled again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEnrolment {
    /// What this receiver calls the server: a host name or an address. Absent: the setting `public.host`.
    #[schema(nullable = false)]
    pub(super) host: Option<String>,
}

/// A device that asks to be enrolled. All of it but the origin is what it says itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Claim {
    /// Names it in this list.
    id: String,
    /// The first four signs of its code. The rest is on the device.
    code: String,
    board: String,
    firmware: String,
    #[schema(format = DateTime)]
    first_seen_at: String,
    #[schema(format = DateTime)]
    last_seen_at: String,
    /// Its network address, where the broker is the embedded one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    origin: Option<String>,
}

/// What a device is to be: a new receiver (`name`, `area_id`, `volume`) or another in the place of one (`replaces`).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    #[schema(nullable = false)]
    pub(super) name: Option<String>,
    #[schema(nullable = false)]
    pub(super) area_id: Option<String>,
    /// Per cent; 80 if absent.
    #[schema(nullable = false, minimum = 0, maximum = 100)]
    pub(super) volume: Option<u8>,
    /// The receiver that it takes the place of.
    #[schema(nullable = false)]
    pub(super) replaces: Option<String>,
}

/// A receiver to be enrolled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewReceiver {
    pub(super) name: String,
    pub(super) area_id: String,
    /// Per cent; 80 if absent.
    #[schema(nullable = false, minimum = 0, maximum = 100)]
    pub(super) volume: Option<u8>,
    /// Where it stands, in degrees (WGS 84), together with its longitude.
    #[schema(nullable = false, minimum = -90, maximum = 90)]
    pub(super) latitude: Option<f64>,
    #[schema(nullable = false, minimum = -180, maximum = 180)]
    pub(super) longitude: Option<f64>,
    /// What this receiver calls the server: a host name or an address. Absent: the setting `public.host`.
    #[schema(nullable = false)]
    pub(super) host: Option<String>,
}

/// A receiver that was enrolled.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Enrolled {
    pub(super) receiver: Receiver,
    /// What goes into its flash, base64 (RFC 4648 §4). Holds its secret and is shown this once.
    pub(super) enrolment: String,
}

/// What is to change about a receiver; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiverChange {
    /// Per cent.
    #[schema(minimum = 0, maximum = 100)]
    pub(super) volume: Option<u8>,
    pub(super) name: Option<String>,
    /// Where it is moved to.
    pub(super) area_id: Option<String>,
    /// Where it stands, in degrees (WGS 84), together with its longitude.
    #[schema(minimum = -90, maximum = 90)]
    pub(super) latitude: Option<f64>,
    #[schema(minimum = -180, maximum = 180)]
    pub(super) longitude: Option<f64>,
}

/// Mức ưu tiên: how urgent a bulletin is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Class {
    Normal,
    Priority,
    Emergency,
}

/// Where a broadcast sounds.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    /// Areas, with everything below them.
    pub(super) areas: Vec<String>,
    pub(super) receivers: Vec<String>,
}

/// How many receivers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counts {
    /// It is addressed to.
    targeted: u64,
    /// Say that they play it now.
    playing: u64,
    /// Say that they have played all of it.
    played: u64,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum State {
    Scheduled,
    OnAir,
    Done,
    Stopped,
    Failed,
}

/// A broadcast.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Broadcast {
    id: String,
    bulletin_id: String,
    title: String,
    class: Class,
    #[schema(inline)]
    state: State,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    #[schema(format = DateTime)]
    start: String,
    #[schema(format = DateTime)]
    end: String,
    target: Target,
    receivers: Counts,
    /// The schedule that it came of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    schedule_id: Option<String>,
    /// It goes past hours and minutes: two people said so.
    overrides: bool,
    /// Where its sound comes from, if it is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    source: Option<Source>,
    /// How it is said again, the first as any other of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    repeat: Option<Repeat>,
}

/// Where the sound of a live broadcast comes from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Source {
    /// `microphone` or `relay`.
    kind: String,
    /// The other station's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    url: Option<String>,
    /// What is wrong with it now, so that its fallback sounds: `silent`, `noise`, or `gone: ` and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    trouble: Option<String>,
}

/// Another station that is to be relayed (tiếp âm).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRelay {
    /// Its stream: MP3, AAC, Ogg Vorbis or Opus by http or https; of hosts that the server's settings name also HLS (`.m3u8`), RTSP, SRT,
    /// and a sound card of the server (`alsa:hw:0`).
    pub(super) url: String,
    pub(super) title: String,
    pub(super) class: Class,
    #[schema(format = DateTime)]
    pub(super) until: String,
    /// Approved bulletins that sound, by turns, while the station is gone, silent or noise; none: silence.
    #[schema(nullable = false)]
    pub(super) fallback_bulletin_ids: Option<Vec<String>>,
}

/// A live broadcast that somebody asks for, to speak in it at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMicrophone {
    pub(super) title: String,
    pub(super) class: Class,
    pub(super) target: Target,
    /// A chime sounds first; it does unless this says otherwise.
    #[schema(nullable = false)]
    pub(super) chime: Option<bool>,
    /// Approved bulletins that sound under the voice, by turns, quieter while somebody speaks; none: silence.
    #[schema(nullable = false, max_items = 20)]
    pub(super) bed_bulletin_ids: Option<Vec<String>>,
}

/// A broadcast that somebody asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBroadcast {
    /// What sounds, a bulletin or a playlist; absent: a relay does.
    #[schema(nullable = false)]
    pub(super) bulletin_id: Option<String>,
    /// Another station that sounds; absent: a bulletin does.
    #[schema(nullable = false)]
    pub(super) relay: Option<NewRelay>,
    pub(super) target: Target,
    /// Absent: now.
    #[schema(nullable = false, format = DateTime)]
    pub(super) start: Option<String>,
    /// What lets it go past hours and minutes.
    #[schema(nullable = false)]
    pub(super) override_id: Option<String>,
    /// An emergency is said again until somebody stops it.
    #[schema(nullable = false)]
    pub(super) repeat: Option<Repeating>,
}

impl From<&store::User> for User {
    fn from(it: &store::User) -> Self {
        Self {
            id: it.id.to_string(),
            username: it.username.clone(),
            display_name: it.display_name.clone(),
            grants: it.grants.iter().map(Grant::from).collect(),
        }
    }
}

impl From<&authority::Grant> for Grant {
    fn from(it: &authority::Grant) -> Self {
        Self {
            role: it.role.name().into(),
            area_id: match it.reach {
                Reach::Everywhere => None,
                Reach::Area(area) => Some(area.to_string()),
            },
        }
    }
}

impl Session {
    pub(super) fn new(user: &store::User, csrf: &str, second_factor: SecondFactor, factors: [u64; 2]) -> Self {
        Self {
            user: user.into(),
            csrf: csrf.into(),
            second_factor,
            factors: kinds(factors),
        }
    }
}

/// The kinds of second factor of which there are some, by how many there are of codes and of passkeys.
pub(super) fn kinds(counts: [u64; 2]) -> Vec<String> {
    let kinds = ["totp", "passkey"].into_iter().zip(counts);
    kinds.filter(|it| it.1 > 0).map(|it| it.0.into()).collect()
}

impl From<store::Area> for Area {
    fn from(it: store::Area) -> Self {
        Self {
            id: it.id.to_string(),
            name: it.name,
            kind: it.kind,
            path: it.path.iter().map(ToString::to_string).collect(),
            parent_id: it.parent.map(|id| id.to_string()),
            code: it.code,
        }
    }
}

impl From<store::Receiver> for Receiver {
    fn from(it: store::Receiver) -> Self {
        let ms = |micros: u64| micros as f64 / 1000.0;
        Self {
            id: it.id.to_string(),
            name: it.name,
            area_id: it.area.to_string(),
            online: it.online,
            volume: it.volume,
            latitude: it.position.map(store::Position::latitude),
            longitude: it.position.map(store::Position::longitude),
            playing: it.playing.map(|id| id.to_string()),
            last_seen_at: it.seen.map(written),
            path: it.path.map(|path| receivers::path_name(path).into()),
            rtt_ms: it.round_trip.map(ms),
            clock_error_ms: it.clock_error.map(ms),
            loss: it.packets.map(|(expected, lost)| lost as f64 / expected.max(1) as f64),
            firmware: it.firmware,
            board: it.board,
            revoked_at: it.revoked.map(written),
            warnings: it.cloned.map(|_| "clone".to_owned()).into_iter().collect(),
            key_number: it.key_number,
            rotating: it.rotating,
        }
    }
}

impl From<&Asking> for Claim {
    fn from(it: &Asking) -> Self {
        Self {
            id: AreaId(it.page).to_string(),
            code: it.hint(),
            board: it.request.board.to_string(),
            firmware: it.request.firmware.to_string(),
            first_seen_at: written(it.first),
            last_seen_at: written(it.last),
            origin: it.origin.map(|origin| origin.to_string()),
        }
    }
}

impl From<precedence::Class> for Class {
    fn from(it: precedence::Class) -> Self {
        match it {
            precedence::Class::Normal => Self::Normal,
            precedence::Class::Priority => Self::Priority,
            precedence::Class::Emergency => Self::Emergency,
        }
    }
}

impl From<Class> for precedence::Class {
    fn from(it: Class) -> Self {
        match it {
            Class::Normal => Self::Normal,
            Class::Priority => Self::Priority,
            Class::Emergency => Self::Emergency,
        }
    }
}

impl From<store::Broadcast> for Broadcast {
    fn from(it: store::Broadcast) -> Self {
        Self {
            id: it.id.to_string(),
            source: it.source.as_ref().map(|source| Source {
                kind: source.name().into(),
                url: match source {
                    store::Source::Microphone { .. } => None,
                    store::Source::Relay { url, .. } => Some(url.clone()),
                },
                trouble: it.trouble.clone(),
            }),
            bulletin_id: it.bulletin.to_string(),
            title: it.title,
            class: it.class.into(),
            state: match it.state {
                BroadcastState::Scheduled => State::Scheduled,
                BroadcastState::OnAir => State::OnAir,
                BroadcastState::Done => State::Done,
                BroadcastState::Stopped => State::Stopped,
                BroadcastState::Failed => State::Failed,
            },
            reason: it.reason,
            start: written(it.start),
            end: written(it.end),
            target: it.target.into(),
            schedule_id: it.schedule.map(|it| it.0.to_string()),
            overrides: it.overrides,
            repeat: it.repeat.map(Repeat::from),
            receivers: Counts {
                targeted: it.counts.targeted,
                playing: it.counts.playing,
                played: it.counts.played,
            },
        }
    }
}

impl From<store::Target> for Target {
    fn from(it: store::Target) -> Self {
        Self {
            areas: it.areas.iter().map(ToString::to_string).collect(),
            receivers: it.receivers.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Target {
    /// The target that is meant.
    pub(super) fn read(&self) -> Answer<store::Target> {
        let areas = self.areas.iter().map(|text| AreaId::parse(text).ok_or(text));
        let receivers = self.receivers.iter().map(|text| ReceiverId::parse(text).ok_or(text));
        Ok(store::Target {
            areas: areas
                .collect::<Result<_, _>>()
                .map_err(|text| no_id("target.areas", text))?,
            receivers: receivers
                .collect::<Result<_, _>>()
                .map_err(|text| no_id("target.receivers", text))?,
        })
    }
}
