//! `/metrics`: what is counted, in Prometheus' text format. Here: the format, what HTTP counts, and what the store knows;
//! other parts add theirs through [`super::Parts::measure`].

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{HeaderName, header};

use super::App;
use super::error::{Answer, Error, Problem};
use super::gate::Origin;
use crate::config::Metrics;

/// A number that only rises.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
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
    /// Requests that another site made a browser send.
    pub(super) foreign: Count,
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
pub(super) async fn metrics(
    State(app): State<App>,
    Origin(origin): Origin,
) -> Answer<([(HeaderName, &'static str); 1], String)> {
    if app.parts.config.http_metrics == Metrics::Loopback && !origin.is_loopback() {
        return Err(Problem::not_local());
    }
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
    let count = |count: &Count| count.0.load(Ordering::Relaxed);
    let uploads = [
        ("outcome=\"taken\"", count(&app.counters.uploads)),
        ("outcome=\"refused\"", count(&app.counters.refused_uploads)),
    ];
    text.counter("uploads", "Uploads by outcome.", &uploads);
    let refused = [
        ("reason=\"password\"", count(&app.counters.wrong_passwords)),
        ("reason=\"disabled\"", count(&app.counters.disabled)),
        ("reason=\"wait\"", count(&app.counters.waits)),
    ];
    text.counter("sign_ins_refused", "Sign-ins refused by reason.", &refused);
    let failed = [
        ("kind=\"code\"", count(&app.counters.wrong_codes)),
        ("kind=\"passkey\"", count(&app.counters.wrong_passkeys)),
    ];
    text.counter("second_factors_refused", "Wrong second factors by kind.", &failed);
    text.counter(
        "foreign_requests_refused",
        "Requests refused because another site made a browser send them.",
        &[("", count(&app.counters.foreign))],
    );
    (app.parts.measure)(&mut text);
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text.0,
    ))
}
