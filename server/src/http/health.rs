//! Whether the server works.

use axum::extract::State;

use super::App;
use super::error::{Answer, Error, Problem};
use super::gate::Origin;
use super::metrics::for_audience;

/// Whether the server works: it answers, and its database does
#[utoipa::path(
    get, path = "/healthz", operation_id = "healthz", tag = "operations",
    responses(
        (status = 200, description = "It does", body = String, content_type = "text/plain"),
        (status = 403, description = "`forbidden`: only this machine may ask, unless `http.health` is `all`", body = Error),
        (status = 503, description = "`busy`: its database does not answer", body = Error),
    )
)]
pub(super) async fn healthz(State(app): State<App>, Origin(origin): Origin) -> Answer<&'static str> {
    for_audience(app.parts.config.http_health, origin)?;
    answer(&app).await
}

/// The same for whoever reaches it.
pub(super) async fn open(State(app): State<App>) -> Answer<&'static str> {
    answer(&app).await
}

async fn answer(app: &App) -> Answer<&'static str> {
    match app.store().ping().await {
        Ok(()) => Ok("ok\n"),
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            Err(Problem::busy())
        }
    }
}
