//! Bulletins that are typed: hearing how they will sound, making them, reading them again. Here: what is asked for, judged,
//! and turned into a script. Not here: speaking it (`speech`), the officers' table (`readings`), recordings (`phrases`).

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use loa_protocol::AreaId;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use utoipa::ToSchema;

use super::App;
use super::bulletins;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::phrases;
use super::readings;
use super::shapes::{Class, no_id};
use super::shelf::Bulletin;
use super::upload::{self, whose};
use super::view::View;
use crate::authority::Right;
use crate::media;
use crate::speech::reading::Table;
use crate::speech::script::{self, Step};
use crate::speech::{EngineKind, GAP, Language};
use crate::store::speech::typed;
use crate::store::{BulletinText, TextPart};

/// Parts of a bulletin at most.
const PARTS: usize = 50;
/// Longest gap between two parts, in milliseconds.
const LONGEST_GAP: u32 = 10_000;

/// A part of a typed bulletin: a text, or a phrase that somebody recorded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// The language of the text (RFC 5646); `vi` if absent.
    language: Option<String>,
    text: Option<String>,
    phrase_id: Option<String>,
}

/// What is to be heard.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    #[schema(min_items = 1, max_items = 50)]
    parts: Vec<Part>,
    /// Silence between two parts; 600 if absent.
    #[schema(minimum = 0, maximum = 10000)]
    gap_ms: Option<u32>,
    /// `espeak`, `piper` or `http`; absent: as the settings say for each language.
    engine: Option<String>,
    /// The area whose table of readings holds.
    area_id: Option<String>,
}

/// A bulletin that is typed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSpeech {
    title: String,
    class: Class,
    /// Whose it is. Absent: the only area in which who types makes bulletins, else of who may do everything everywhere.
    area_id: Option<String>,
    #[schema(min_items = 1, max_items = 50)]
    parts: Vec<Part>,
    /// Silence between two parts; 600 if absent.
    #[schema(minimum = 0, maximum = 10000)]
    gap_ms: Option<u32>,
    /// `espeak`, `piper` or `http`; absent: as the settings say for each language.
    engine: Option<String>,
}

/// A part of a typed bulletin, and what is said for it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SpokenPart {
    language: String,
    /// What was typed, or what the phrase says.
    text: String,
    /// What is said, word for word; absent: the phrase is played.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    said: Option<String>,
    /// Who says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    engine: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    phrase_id: Option<String>,
}

/// How it will sound.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Preview {
    parts: Vec<SpokenPart>,
    duration_ms: u64,
    /// Opus in Ogg, as on the air: base64.
    #[schema(content_encoding = "base64", content_media_type = "audio/ogg")]
    audio: String,
}

/// What a typed bulletin says.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SpokenText {
    parts: Vec<SpokenPart>,
    gap_ms: u32,
}

impl From<TextPart> for SpokenPart {
    fn from(it: TextPart) -> Self {
        Self {
            language: it.language,
            text: it.text,
            said: it.said,
            engine: it.engine,
            phrase_id: it.phrase,
        }
    }
}

/// Hear a text
///
/// What will be read, word for word, and how that sounds. Nothing is kept.
#[utoipa::path(
    post, path = "/api/v1/speech/preview", operation_id = "previewSpeech", tag = "speech",
    request_body = Script,
    responses(
        (status = 200, description = "How it will sound", body = Preview),
        (status = 422, description = "`invalid`: see `fields`; `speech_failed`: the engine does not read that; `too_long`", body = Error),
        (status = 503, description = "`busy`: too many at once; `speech_unavailable`: the engine does not answer", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn preview(State(app): State<App>, caller: Caller, Body(it): Body<Script>) -> Answer<Json<Preview>> {
    let _place = app.uploading.try_acquire().map_err(|_| Problem::busy())?;
    caller.may_somewhere(Right::Compose)?;
    let area = match area_id(it.area_id.as_deref())? {
        None => caller.authority.only_area(Right::Compose),
        area => whose(&app, &caller, area).await?,
    };
    let (text, sound) = speak(&app, &caller, area, &it.parts, it.gap_ms, it.engine.as_deref()).await?;
    let (encoding, limits) = (app.parts.config.encoding(), app.parts.config.limits());
    let programme = NamedTempFile::new_in(app.parts.data.uploads()).map_err(Problem::internal)?;
    let made = tokio::task::spawn_blocking(move || {
        let made = media::ingest(sound.path(), programme.path(), encoding, whole(limits))?;
        Ok::<_, media::IngestError>((made, std::fs::read(programme.path())?))
    });
    let (made, audio) = made.await.map_err(Problem::internal)??;
    Ok(Json(Preview {
        parts: text.parts.into_iter().map(SpokenPart::from).collect(),
        duration_ms: made.duration().as_millis() as u64,
        audio: base64::prelude::BASE64_STANDARD.encode(audio),
    }))
}

/// Type a bulletin
///
/// It is read aloud and kept with its text. A new bulletin is a draft: somebody has to approve it.
#[utoipa::path(
    post, path = "/api/v1/bulletins/speech", operation_id = "typeBulletin", tag = "speech",
    request_body = NewSpeech,
    responses(
        (status = 201, description = "The bulletin", body = Bulletin),
        (status = 422, description = "`invalid`: see `fields`; `speech_failed`: the engine does not read that; `too_long`", body = Error),
        (status = 503, description = "`busy`: too many at once; `speech_unavailable`: the engine does not answer", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn make(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewSpeech>,
) -> Answer<(StatusCode, Json<Bulletin>)> {
    let _place = app.uploading.try_acquire().map_err(|_| Problem::busy())?;
    caller.may_somewhere(Right::Compose)?;
    let title = crate::store::bulletins::title(&it.title)?;
    let area = whose(&app, &caller, area_id(it.area_id.as_deref())?).await?;
    let (text, sound) = speak(&app, &caller, area, &it.parts, it.gap_ms, it.engine.as_deref()).await?;
    let draft = upload::Draft {
        title,
        class: it.class,
        area,
        text: Some(text),
        trim: false,
    };
    // From here on it is no longer the browser's to break off.
    let finished = tokio::spawn(upload::finish(app.clone(), caller, draft, sound)).await;
    let bulletin = finished.map_err(Problem::internal)??;
    Ok((StatusCode::CREATED, Json(bulletin.into())))
}

/// What a typed bulletin says
#[utoipa::path(
    get, path = "/api/v1/bulletins/{id}/text", operation_id = "bulletinText", tag = "speech",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Its parts, in order", body = SpokenText),
        (status = 404, description = "`not_found`: no such bulletin, or it was not typed", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn text(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<SpokenText>> {
    let id = bulletins::may(&app, &caller, Right::See, &id).await?.id;
    let text = app.store().bulletin_text(id).await?;
    Ok(Json(SpokenText {
        parts: text.parts.into_iter().map(SpokenPart::from).collect(),
        gap_ms: text.gap_ms,
    }))
}

/// Says the parts, one after the other, into a file.
async fn speak(
    app: &App,
    caller: &Caller,
    area: Option<AreaId>,
    parts: &[Part],
    gap_ms: Option<u32>,
    engine: Option<&str>,
) -> Answer<(BulletinText, NamedTempFile)> {
    let gap_ms = gap_ms.unwrap_or(GAP.as_millis() as u32);
    if gap_ms > LONGEST_GAP {
        let (vi, en) = (
            format!("Phải từ 0 đến {LONGEST_GAP}."),
            format!("Must be 0 to {LONGEST_GAP}."),
        );
        return Err(Problem::field("gap_ms", vi, en));
    }
    if parts.is_empty() || parts.len() > PARTS {
        let (vi, en) = (
            format!("Phải có từ 1 đến {PARTS} phần."),
            format!("There must be 1 to {PARTS} parts."),
        );
        return Err(Problem::field("parts", vi, en));
    }
    let engine = engine
        .map(|name| EngineKind::named(name).ok_or_else(no_engine))
        .transpose()?;
    let view = View::new(app.store(), &caller.authority).await?;
    let table = readings::table(app, view.path(area)).await?;
    let mut left = app.parts.config.speech.max_characters;
    let (mut kept, mut steps) = (Vec::new(), Vec::new());
    for part in parts {
        let (part, step) = judged(app, &view, part, engine, &table, left).await?;
        left = left.saturating_sub(part.text.chars().count());
        kept.push(part);
        steps.push(step);
    }
    let longest = app.parts.config.upload_max_duration;
    let _turn = app.decoding.acquire().await.map_err(Problem::internal)?;
    let gap = Duration::from_millis(u64::from(gap_ms));
    let sound = script::perform(steps, gap, longest, &app.parts.data.uploads()).await?;
    let text = BulletinText { parts: kept, gap_ms };
    Ok((text, sound))
}

async fn judged<'a>(
    app: &'a App,
    view: &View,
    part: &Part,
    engine: Option<EngineKind>,
    table: &Table,
    left: usize,
) -> Answer<(TextPart, Step<'a>)> {
    match (&part.text, &part.phrase_id) {
        (Some(text), None) => {
            let tag = part.language.as_deref().unwrap_or("vi");
            let language = language("parts", tag)?;
            let engine = app.voices.engine(&language, engine)?;
            let text = typed("parts", text, left)?;
            let said = app.voices.said(&text, &language, table);
            let kept = TextPart {
                language: tag.into(),
                text,
                said: Some(said.clone()),
                engine: Some(engine.name().into()),
                phrase: None,
            };
            let step = Step::Say {
                engine,
                text: said,
                language,
            };
            Ok((kept, step))
        }
        (None, Some(id)) if part.language.is_none() => {
            let phrase = phrases::named(app, view, id).await?;
            let kept = TextPart {
                language: phrase.language.tag().into(),
                text: phrase.text,
                said: None,
                engine: None,
                phrase: Some(phrase.id.to_string()),
            };
            Ok((kept, Step::Play(app.store().programme(phrase.bulletin))))
        }
        _ => {
            let vi = "Mỗi phần có text (và language), hoặc chỉ có phrase_id.";
            let en = "Each part has a text (and its language), or nothing but a phrase_id.";
            Err(Problem::field("parts", vi, en))
        }
    }
}

/// What was joined here may be larger than what may be uploaded; its length is bounded.
fn whole(limits: media::Limits) -> media::Limits {
    media::Limits {
        bytes: u64::MAX,
        ..limits
    }
}

pub(super) fn area_id(text: Option<&str>) -> Answer<Option<AreaId>> {
    text.map(|text| AreaId::parse(text).ok_or_else(|| no_id("area_id", text)))
        .transpose()
}

pub(super) fn language(field: &str, tag: &str) -> Answer<Language> {
    let (vi, en) = (
        "Phải là mã ngôn ngữ, như vi, en, hmn, km.",
        "Must be the tag of a language, such as vi, en, hmn, km.",
    );
    Language::parse(tag).ok_or_else(|| Problem::field(field, vi, en))
}

fn no_engine() -> Problem {
    let all = EngineKind::ALL.map(EngineKind::name).join(", ");
    Problem::field(
        "engine",
        format!("Phải là một trong: {all}."),
        format!("Must be one of {all}."),
    )
}
