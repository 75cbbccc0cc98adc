//! `/metrics`: what is counted, in Prometheus' text format. Here: the format, what HTTP counts, and what the store knows;
//! other parts add theirs through [`super::Parts::measure`].

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};

use super::App;
use super::error::{Answer, Error, Problem};
use super::gate::Origin;
use crate::config::Audience;

/// A number that only rises.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What handlers count.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) uploads: Count,
    pub(super) refused_uploads: Count,
    /// The name or the password was wrong.
    pub(super) wrong_passwords: Count,
    /// The password was right, but its user is disabled.
    pub(super) disabled: Count,
    /// Too many failed before.
    pub(super) waits: Count,
    pub(super) wrong_codes: Count,
    pub(super) wrong_passkeys: Count,
    /// What came back from the provider of single sign-on did not let anybody in.
    pub(super) refused_oidc: Count,
    /// Requests that another site made a browser send.
    pub(super) foreign: Count,
    pub(super) refused_tokens: Count,
    /// Connections: none free, none free for their address, TLS not agreed on, heads that did not come, answers not taken.
    pub(super) places: Count,
    pub(super) places_of_address: Count,
    pub(super) handshakes: Count,
    pub(super) slow_heads: Count,
    pub(super) stalled: Count,
    /// Requests: bodies that did not come, plain HTTP, and more than the limits allow.
    pub(super) slow_bodies: Count,
    pub(super) plain: Count,
    pub(super) over_address: Count,
    pub(super) over_session: Count,
    pub(super) over_sign_ins: Count,
    pub(super) over_uploads: Count,
}

/// Metrics as text.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// Adds a number that only rises. `name` without `loa_` and `_total`; `labels` as `key="value"`, or empty.
    pub fn counter(&mut self, name: &str, help: &str, samples: &[(&str, u64)]) {
        self.metric("counter", &format!("loa_{name}_total"), help, samples);
    }

    /// Adds a number that rises and falls.
    pub fn gauge(&mut self, name: &str, help: &str, samples: &[(&str, u64)]) {
        self.metric("gauge", &format!("loa_{name}"), help, samples);
    }

    fn metric(&mut self, kind: &str, name: &str, help: &str, samples: &[(&str, u64)]) {
        let text = &mut self.0;
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a string takes all");
        for (labels, value) in samples {
            let labels = if labels.is_empty() {
                String::new()
            } else {
                format!("{{{labels}}}")
            };
            writeln!(text, "{name}{labels} {value}").expect("a string takes all");
        }
    }
}

/// What is counted (Prometheus)
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operations",
    responses(
        (status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain"),
        (status = 403, description = "`forbidden`: only this machine may ask, unless `http.metrics` is `all`", body = Error),
        (status = "default", description = "`internal`", body = Error),
    )
)]
pub(super) async fn metrics(State(app): State<App>, Origin(origin): Origin) -> Answer<Shown> {
    for_audience(app.parts.config.http_metrics, origin)?;
    text(&app).await
}

/// The same for whoever reaches it.
pub(super) async fn open(State(app): State<App>) -> Answer<Shown> {
    text(&app).await
}

/// Refuses who is not of the audience.
pub(super) fn for_audience(audience: Audience, origin: IpAddr) -> Answer<()> {
    if audience == Audience::All || origin.is_loopback() {
        return Ok(());
    }
    let vi = "Chỉ hỏi được từ chính máy chủ, hoặc ở metrics.listen.";
    let en = "Only this machine may ask, or whoever reaches metrics.listen.";
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", vi, en))
}

type Shown = ([(HeaderName, &'static str); 1], String);

async fn text(app: &App) -> Answer<Shown> {
    let mut text = Text::default();
    let known = app.store().tally().await?;
    text.gauge(
        "receivers",
        "Receivers by state.",
        &[
            ("state=\"online\"", known.online),
            ("state=\"offline\"", known.receivers - known.online),
        ],
    );
    text.gauge(
        "receivers_playing",
        "Receivers that say that they play.",
        &[("", known.playing)],
    );
    text.gauge(
        "broadcasts_open",
        "Broadcasts by state.",
        &[
            ("state=\"scheduled\"", known.scheduled),
            ("state=\"on_air\"", known.on_air),
        ],
    );
    let uploads = [
        ("outcome=\"taken\"", app.counters.uploads.get()),
        ("outcome=\"refused\"", app.counters.refused_uploads.get()),
    ];
    text.counter("uploads", "Uploads by outcome.", &uploads);
    let refused = [
        ("reason=\"password\"", app.counters.wrong_passwords.get()),
        ("reason=\"disabled\"", app.counters.disabled.get()),
        ("reason=\"wait\"", app.counters.waits.get()),
        ("reason=\"oidc\"", app.counters.refused_oidc.get()),
    ];
    text.counter("sign_ins_refused", "Sign-ins refused by reason.", &refused);
    let failed = [
        ("kind=\"code\"", app.counters.wrong_codes.get()),
        ("kind=\"passkey\"", app.counters.wrong_passkeys.get()),
    ];
    text.counter("second_factors_refused", "Wrong second factors by kind.", &failed);
    text.counter(
        "foreign_requests_refused",
        "Requests refused because another site made a browser send them.",
        &[("", app.counters.foreign.get())],
    );
    text.counter(
        "tokens_refused",
        "Requests with an API token that is none, or none any more.",
        &[("", app.counters.refused_tokens.get())],
    );
    let it = &app.counters;
    text.counter(
        "connections_refused",
        "Connections that were refused or ended.",
        &it.of_connections(),
    );
    let refused = [
        ("reason=\"slow_body\"", it.slow_bodies.get()),
        ("reason=\"plain_http\"", it.plain.get()),
        ("reason=\"limit_address\"", it.over_address.get()),
        ("reason=\"limit_session\"", it.over_session.get()),
        ("reason=\"limit_sign_ins\"", it.over_sign_ins.get()),
        ("reason=\"limit_uploads\"", it.over_uploads.get()),
    ];
    text.counter(
        "requests_refused",
        "Requests that were refused before they were looked at.",
        &refused,
    );
    if let Some(https) = &app.parts.https {
        let (taken, failed) = https.keeper.changes();
        let changes = [("outcome=\"taken\"", taken), ("outcome=\"failed\"", failed)];
        text.counter("https_certificates", "New HTTPS certificates.", &changes);
        if let Ok(validity) = crate::https::Validity::of(&https.keeper.certificate()) {
            let until = validity.until.0 / 1_000_000;
            text.gauge(
                "https_certificate_expires_seconds",
                "When it does, in Unix time.",
                &[("", until)],
            );
        }
    }
    (app.parts.measure)(&mut text);
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text.0,
    ))
}
