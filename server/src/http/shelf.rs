//! Bulletins as they go over the API, and how they are made of what the store holds. See `shapes` for all else.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shapes::{Class, written};
use crate::store;

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum BulletinState {
    Draft,
    Submitted,
    Approved,
    Refused,
}

/// A bulletin.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Bulletin {
    id: String,
    title: String,
    class: Class,
    #[schema(inline)]
    state: BulletinState,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refusal: Option<String>,
    duration_ms: u64,
    /// Samples of sound at 48 kHz.
    samples: u64,
    /// What was uploaded: `mp3`, `aac`, `flac`, `wav`, `vorbis`, `opus` or `other`.
    format: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// Whose it is; absent: of who may do everything everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    area_id: Option<String>,
    /// Where it is put: names of folders with a `/` between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    folder: Option<String>,
    /// What it is about (lĩnh vực).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
    /// BCP 47.
    language: String,
    tags: Vec<String>,
    /// From when on it is not broadcast any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    expires_at: Option<String>,
    /// Loudness of what was uploaded, in LUFS (EBU R 128); absent if it is silent or shorter than 400 ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    source_lufs: Option<f64>,
    /// Loudness of what sounds, in LUFS; absent, too, where it was not levelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    lufs: Option<f64>,
    /// The oldest other bulletin of the same area with the same sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    duplicate_of: Option<String>,
}

/// What is to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulletinChange {
    pub(super) title: Option<String>,
    /// Names of folders with a `/` between them; empty: none any more.
    pub(super) folder: Option<String>,
    /// What it is about (lĩnh vực); empty: none any more.
    pub(super) field: Option<String>,
    /// BCP 47: `vi`, `en`, `hmn` …
    pub(super) language: Option<String>,
    /// All tags, 20 at most.
    pub(super) tags: Option<Vec<String>>,
    /// From when on it is not broadcast any more (RFC 3339); empty: never.
    pub(super) expires_at: Option<String>,
}

/// The outline of a bulletin's sound.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Peaks {
    pub(super) duration_ms: u64,
    /// The largest sample of each of up to 2048 stretches of equal length, full scale being 255; empty for bulletins that came
    /// before outlines were drawn.
    pub(super) peaks: Vec<u8>,
}

/// What still needs something that was to be deleted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct InUse {
    /// `broadcast`: it is scheduled or on the air; `schedule`; `playlist`; `phrase`: it was recorded in it.
    kind: String,
    id: String,
    /// When it sounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    start: Option<String>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    title: Option<String>,
}

impl From<store::Bulletin> for Bulletin {
    fn from(it: store::Bulletin) -> Self {
        Self {
            id: it.id.to_string(),
            title: it.title,
            class: it.class.into(),
            state: match it.state {
                store::BulletinState::Draft => BulletinState::Draft,
                store::BulletinState::Submitted => BulletinState::Submitted,
                store::BulletinState::Approved => BulletinState::Approved,
                store::BulletinState::Refused => BulletinState::Refused,
            },
            refusal: it.refusal,
            duration_ms: it.samples / 48,
            samples: it.samples,
            format: it.format,
            created_at: written(it.created),
            area_id: it.area.map(|id| id.to_string()),
            folder: it.folder,
            field: it.field,
            language: it.language,
            tags: it.tags,
            expires_at: it.expires.map(written),
            source_lufs: it.source_loudness.map(|hundredths| hundredths as f64 / 100.0),
            lufs: it.loudness.map(|hundredths| hundredths as f64 / 100.0),
            duplicate_of: it.duplicate_of.map(|id| id.to_string()),
        }
    }
}

impl From<store::Use> for InUse {
    fn from(it: store::Use) -> Self {
        let (kind, id, start, title) = match it {
            store::Use::Broadcast(id, start) => ("broadcast", id.to_string(), Some(written(start)), None),
            store::Use::Schedule(id, title) => ("schedule", id.to_string(), None, Some(title)),
            store::Use::Playlist(id, title) => ("playlist", id.to_string(), None, Some(title)),
            store::Use::Phrase(id, text) => ("phrase", id.to_string(), None, Some(text)),
        };
        Self {
            kind: kind.into(),
            id,
            start,
            title,
        }
    }
}
