//! Broadcasts that relay another station. Here: accepting them. Not here: what may be relayed (`media::relay`).

use axum::Json;
use axum::http::StatusCode;
use loa_protocol::UnixMicros;

use super::App;
use super::broadcasts::{audible, reaches, rights, start};
use super::error::{Answer, Problem};
use super::gate::Caller;
use super::inbox::to_sound;
use super::live::of;
use super::shapes::{Broadcast, NewRelay, no_id};
use super::view::View;
use crate::authority::Right;
use crate::media::relay::{Address, NotRelayed};
use crate::playout::{LEAD, Notice};
use crate::store::{BulletinId, NewLive, OverrideId, Source, Target};

/// Longest relay, in microseconds: a day.
const LONGEST: u64 = 86_400_000_000;
/// Bulletins that sound beside what is live.
const MOST: usize = 20;
/// Characters in an address.
const URL: usize = 1000;

/// Accepts one.
pub(super) async fn accept(
    app: &App,
    caller: &Caller,
    relay: NewRelay,
    target: Target,
    from: Option<String>,
    overrides: Option<OverrideId>,
) -> Answer<(StatusCode, Json<Broadcast>)> {
    caller.may_somewhere(Right::Broadcast)?;
    let class = relay.class.into();
    let view = View::new(app.store(), &caller.authority).await?;
    for right in rights(class) {
        reaches(app, caller, &view, *right, &target).await?;
    }
    let now = app.now();
    let begin = match from.as_deref() {
        None => UnixMicros(now.0 + LEAD.as_micros() as u64),
        Some(text) => start("start", now, text)?,
    };
    let end = start("relay.until", now, &relay.until)?;
    if end <= begin || end.0 - begin.0 > LONGEST {
        let (vi, en) = (
            "Phải sau lúc bắt đầu, không quá 24 giờ.",
            "Must be after the start, by 24 hours at most.",
        );
        return Err(Problem::field("relay.until", vi, en));
    }
    if relay.url.chars().count() > URL {
        return Err(Problem::field("relay.url", "Quá dài.", "Too long."));
    }
    let address = Address::parse(&relay.url, &app.parts.config.relay_allow).map_err(refused)?;
    let fallback = relay.fallback_bulletin_ids.unwrap_or_default();
    let fallback = bulletins(app, &view, "relay.fallback_bulletin_ids", fallback, &target).await?;
    if overrides.is_none() {
        audible(app, &view, class, (begin, end), &target).await?;
    }
    let new = NewLive {
        title: relay.title,
        class,
        area: of(app, &target).await?,
        target,
        start: begin,
        end,
        source: Source::Relay {
            url: address.to_string(),
            fallback,
        },
        overrides,
    };
    let broadcast = app.store().go_live(&caller.actor, now, &caller.user, new).await?;
    app.tell(Notice::Accepted(broadcast.id));
    Ok((StatusCode::CREATED, Json(broadcast.into())))
}

/// The bulletins that `field` names, which are to sound in `target`.
pub(super) async fn bulletins(
    app: &App,
    view: &View,
    field: &str,
    named: Vec<String>,
    target: &Target,
) -> Answer<Vec<BulletinId>> {
    if named.len() > MOST {
        let (vi, en) = (
            format!("Nhiều nhất {MOST} bản tin."),
            format!("At most {MOST} bulletins."),
        );
        return Err(Problem::field(field, vi, en));
    }
    let mut all = Vec::new();
    for text in named {
        let id = BulletinId::parse(&text).ok_or_else(|| no_id(field, &text))?;
        to_sound(app, view, &app.store().bulletin(id).await?, target).await?;
        all.push(id);
    }
    Ok(all)
}

fn refused(why: NotRelayed) -> Problem {
    let vi = match why {
        NotRelayed::NoAddress => "Không phải địa chỉ như https://vi-du.vn/radio.mp3.",
        NotRelayed::Credentials => "Địa chỉ không được chứa tên và mật khẩu.",
        NotRelayed::Scheme => "Chỉ tiếp âm http, https, rtsp, srt và alsa.",
        NotRelayed::NotAllowed => "Loại luồng này chỉ được tiếp âm từ máy có tên trong cấu hình relay.allow.",
        NotRelayed::Inside => {
            "Địa chỉ nằm trong mạng nội bộ; chỉ máy có tên trong cấu hình relay.allow mới được tiếp âm."
        }
    };
    Problem::field("relay.url", vi, why.to_string())
}
