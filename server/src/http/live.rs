//! Speaking live: straight to air. Here: taking the studio of some receivers, and the sound itself, by WebSocket. Not here: what
//! becomes of it (`playout::Studio`), encoders that speak Icecast's protocol (`encoder`).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use loa_protocol::{AreaId, BroadcastId, UnixMicros};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use super::App;
use super::broadcasts::{audible, reaches, rights};
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, By, Caller, is_foreign};
use super::relays;
use super::shapes::{Broadcast, NewMicrophone, broadcast_id};
use super::view::View;
use crate::authority::Right;
use crate::media::live::{Depth, Wire};
use crate::playout::{LEAD, Notice};
use crate::store::{NewLive, Source, Target};

/// Largest message, in bytes: a third of a second of sound.
const MESSAGE: usize = 32 << 10;
/// Who sends nothing for so long is gone.
const QUIET: Duration = Duration::from_secs(10);
/// How often who speaks is told how it stands.
const TELL: Duration = Duration::from_millis(250);

/// How a live broadcast stands, as whoever speaks is told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Standing {
    /// Nothing sounds yet.
    Waiting,
    /// What is said now sounds in a moment.
    OnAir,
    /// Nothing that is said sounds any more.
    Over,
}

/// Speak live
///
/// Takes the studio of the target's receivers, for who asks alone, until it is ended, silent for too long, or stopped. Sound is sent to
/// `/api/v1/live/{id}/sound`. What is said is kept as a bulletin.
#[utoipa::path(
    post, path = "/api/v1/live", operation_id = "speak", tag = "broadcasts",
    request_body = NewMicrophone,
    responses(
        (status = 201, description = "Its broadcast, which begins at once", body = Broadcast),
        (status = 409, description = "`studio_taken`: somebody speaks there, and the message says who", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn speak(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewMicrophone>,
) -> Answer<(StatusCode, Json<Broadcast>)> {
    let target = it.target.read()?;
    let view = View::new(app.store(), &caller.authority).await?;
    caller.may_somewhere(Right::Broadcast)?;
    let bed = it.bed_bulletin_ids.unwrap_or_default();
    let source = Source::Microphone {
        chime: it.chime.unwrap_or(true),
        bed: relays::bulletins(&app, &view, "bed_bulletin_ids", bed, &target).await?,
    };
    let broadcast = begin(&app, &caller, it.title, it.class.into(), target, source).await?;
    Ok((StatusCode::CREATED, Json(broadcast.into())))
}

/// Takes the studio of `target` for `caller`.
pub(super) async fn begin(
    app: &App,
    caller: &Caller,
    title: String,
    class: loa_protocol::precedence::Class,
    target: Target,
    source: Source,
) -> Answer<crate::store::Broadcast> {
    caller.may_somewhere(Right::Broadcast)?;
    let view = View::new(app.store(), &caller.authority).await?;
    for right in rights(class) {
        reaches(app, caller, &view, *right, &target).await?;
    }
    let now = app.now();
    let start = UnixMicros(now.0 + LEAD.as_micros() as u64);
    let longest = app.parts.config.live_longest.as_micros();
    let end = UnixMicros(start.0 + u64::try_from(longest).unwrap_or_default());
    audible(app, &view, class, (start, end), &target).await?;
    let new = NewLive {
        title,
        class,
        area: of(app, &target).await?,
        target,
        start,
        end,
        source,
        overrides: None,
    };
    let broadcast = app.store().go_live(&caller.actor, now, &caller.user, new).await?;
    app.tell(Notice::Accepted(broadcast.id));
    Ok(broadcast)
}

/// Whose a recording is: of the first place that it sounded in.
pub(super) async fn of(app: &App, target: &Target) -> Answer<Option<AreaId>> {
    match (target.areas.first(), target.receivers.first()) {
        (Some(area), _) => Ok(Some(*area)),
        (None, Some(receiver)) => Ok(app.store().areas_of_receivers().await?.get(receiver).copied()),
        (None, None) => Ok(None),
    }
}

/// The sound of a live broadcast
///
/// A WebSocket. Binary messages are sound: 48 kHz, mono, 16 bit, little-endian, as it comes from the microphone. The text `end` ends the
/// broadcast once all of it has sounded. The server says how it stands: `{"state":"waiting"}`, `{"state":"on_air"}`, `{"state":"over"}`.
/// Whoever lost the line may come back within seconds.
#[utoipa::path(
    get, path = "/api/v1/live/{id}/sound", operation_id = "liveSound", tag = "broadcasts",
    params(("id" = String, Path)),
    responses(
        (status = 101, description = "The WebSocket"),
        (status = 400, description = "`bad_request`: no WebSocket is asked for", body = Error),
        (status = 404, description = "`not_found`: no live broadcast of who asks", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn sound(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Response> {
    // Browsers let any site open one, with our cookies, and bring no token.
    let ours = app.parts.config.public_url.as_deref();
    if matches!(caller.by, By::Session(_)) && is_foreign(ours, &uri, &headers) {
        app.counters.foreign.add();
        return Err(Problem::foreign());
    }
    let id = broadcast_id(&id)?;
    if !app.store().speaks(id, &caller.user).await? {
        return Err(Problem::missing("broadcast"));
    }
    let start = app.store().broadcast_by_id(id).await?.start;
    let socket = socket.map_err(|error| Problem::bad_request(error.body_text()))?;
    let wire = app.parts.studio.wire(id);
    let socket = socket.max_message_size(MESSAGE).max_frame_size(MESSAGE);
    Ok(socket.on_upgrade(async move |socket| Speaker { app, id, start, wire }.attend(socket).await))
}

/// Waits for the end. What [`watch::Receiver::wait_for`] gives may not be kept across an await, and is not here.
async fn ended(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|ending| *ending).await;
}

/// Somebody at a microphone.
struct Speaker {
    app: App,
    id: BroadcastId,
    start: UnixMicros,
    wire: Arc<Wire>,
}

impl Speaker {
    async fn attend(self, mut socket: WebSocket) {
        let plug = self.wire.plug(Depth::VOICE);
        let why = self.hear(&mut socket, plug).await;
        self.wire.unplug(plug, why);
        tracing::debug!(broadcast = %self.id, why, "a speaker's line has ended");
        let close = CloseFrame {
            code: close_code::NORMAL,
            reason: why.into(),
        };
        // The other end may be gone.
        let _ = timeout(TELL, socket.send(Message::Close(Some(close)))).await;
    }

    /// Until nothing comes any more; says why.
    async fn hear(&self, socket: &mut WebSocket, plug: u64) -> &'static str {
        let mut shutdown = self.app.parts.shutdown.clone();
        let mut ticks = tokio::time::interval(TELL);
        let (mut told, mut last) = (None, Instant::now());
        let mut samples = Vec::new();
        loop {
            tokio::select! {
                () = ended(&mut shutdown) => return "the server ends",
                _ = ticks.tick() => {
                    let standing = self.standing();
                    if told != Some(standing) {
                        told = Some(standing);
                        let text = serde_json::json!({ "state": standing }).to_string();
                        if socket.send(Message::Text(text.into())).await.is_err() {
                            return "gone";
                        }
                    }
                    if standing == Standing::Over {
                        return "over";
                    }
                    if last.elapsed() > QUIET {
                        return "nothing came";
                    }
                }
                message = socket.recv() => {
                    last = Instant::now();
                    match message {
                        Some(Ok(Message::Binary(bytes))) if bytes.len().is_multiple_of(2) => {
                            samples.clear();
                            samples.extend(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
                            // What comes after the end is not heard: the next tick says so.
                            if !self.wire.push(plug, &samples) && !self.wire.is_current(plug) {
                                return "another line";
                            }
                        }
                        Some(Ok(Message::Text(text))) if text.as_str() == "end" => self.wire.finish(),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Binary(_) | Message::Text(_))) => return "neither sound nor `end`",
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return "gone",
                    }
                }
            }
        }
    }

    fn standing(&self) -> Standing {
        match () {
            () if self.wire.is_closed() => Standing::Over,
            () if self.app.now() < self.start => Standing::Waiting,
            () => Standing::OnAir,
        }
    }
}
