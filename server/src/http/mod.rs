//! What people and programs reach by HTTP: the API under `/api/v1` (OpenAPI 3.1, made from this code), live events, the
//! console's files, health and metrics. Here: who may do what, and the shape of requests and answers. Not here: SQL
//! (`store`), what sounds when (`playout`): handlers call those, and tell the air what was accepted only once it is durable.

mod account;
mod app;
mod areas;
mod audio;
mod broadcasts;
mod bulletins;
mod ceremonies;
mod console;
mod error;
mod events;
mod factors;
mod feed;
mod gate;
mod health;
pub mod links;
pub mod metrics;
pub mod password;
mod receivers;
mod sessions;
mod shapes;
#[cfg(test)]
mod tests;
mod tries;
mod upload;
mod users;
mod view;

use axum::handler::Handler as _;
use axum::http::{HeaderName, HeaderValue, header};
use axum::{Router, middleware};
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use app::{App, Parts};
pub(crate) use gate::{fresh_token, hash};
pub(crate) use receivers::VOLUME;

/// The API's document, as committed in `server/openapi.json`.
pub fn document() -> String {
    let (_, api) = api().split_for_parts();
    api.to_pretty_json().expect("a document is JSON") + "\n"
}

/// Everything that is served.
pub fn router(app: App) -> Router {
    let (api, _) = api().split_for_parts();
    let foreign = middleware::from_fn_with_state(app.clone(), gate::refuse_foreign);
    let header = |name: &'static str, value: &'static str| {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        SetResponseHeaderLayer::if_not_present(name, value)
    };
    let no_store = SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    api.route(
        "/api/openapi.json",
        axum::routing::get(|| async { ([(header::CONTENT_TYPE, "application/json")], document()) }),
    )
    .route(
        "/api/{*rest}",
        axum::routing::any(async || error::Problem::missing("address")),
    )
    .layer(foreign)
    .layer(no_store)
    // The console alone is compressed: a first visit over a slow line. Sound is already, and events must not wait.
    .fallback(console::file.layer(CompressionLayer::new()))
    .layer(middleware::from_fn(error::speak))
    .layer(header("x-content-type-options", "nosniff"))
    .layer(header("referrer-policy", "no-referrer"))
    .layer(header("x-frame-options", "DENY"))
    .layer(header("content-security-policy", "frame-ancestors 'none'"))
    .with_state(app)
}

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(sessions::set_up))
        .routes(routes!(sessions::sign_in, sessions::who_am_i, sessions::sign_out))
        .routes(routes!(factors::show_code))
        .routes(routes!(factors::passkey_options))
        .routes(routes!(factors::show_passkey))
        .routes(routes!(account::account))
        .routes(routes!(account::password))
        .routes(routes!(account::end_session))
        .routes(routes!(factors::new_codes))
        .routes(routes!(factors::totp_options))
        .routes(routes!(factors::add_totp))
        .routes(routes!(factors::new_passkey_options))
        .routes(routes!(factors::add_passkey))
        .routes(routes!(factors::remove))
        .routes(routes!(users::list, users::invite))
        .routes(routes!(users::change))
        .routes(routes!(users::link))
        .routes(routes!(links::look))
        .routes(routes!(links::choose))
        .routes(routes!(areas::list, areas::add))
        .routes(routes!(receivers::list, receivers::enrol))
        .routes(routes!(receivers::change))
        .routes(routes!(receivers::reboot))
        .routes(routes!(bulletins::list))
        .merge(upload::routes())
        .routes(routes!(bulletins::approve))
        .routes(routes!(audio::audio))
        .routes(routes!(broadcasts::list, broadcasts::accept))
        .routes(routes!(broadcasts::stop))
        .routes(routes!(broadcasts::receipts))
        .routes(routes!(events::events))
        .routes(routes!(health::healthz))
        .routes(routes!(metrics::metrics))
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Loa", description = "Hệ thống truyền thanh. An IP loudspeaker network for communes."),
    components(schemas(error::Error, shapes::Class)),
    modifiers(&Cookie)
)]
struct Document;

struct Cookie;

impl Modify for Cookie {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            gate::COOKIE,
            "Given by signing in. What changes something must also bring the session's X-Loa-Csrf.",
        )));
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("session", cookie);
    }
}
