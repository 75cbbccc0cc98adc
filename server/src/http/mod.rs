//! What people and programs reach by HTTP: the API under `/api/v1` (OpenAPI 3.1, made from this code), live events, the
//! console's files, health and metrics. Here: who may do what, and the shape of requests and answers. Not here: SQL
//! (`store`), what sounds when (`playout`): handlers call those, and tell the air what was accepted only once it is durable.

mod account;
mod accounts;
mod answers;
mod app;
mod approval;
mod areas;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod attempts;
mod audio;
mod bearer;
mod broadcasts;
mod bulletins;
mod calendar;
mod ceremonies;
mod claims;
mod console;
pub mod encoder;
mod error;
mod events;
mod factors;
mod feed;
mod forecast;
mod gate;
mod headers;
mod health;
mod history;
mod inbox;
mod limits;
pub mod links;
pub mod listen;
mod listening;
mod live;
pub mod metrics;
mod oidc;
mod pace;
pub mod password;
mod phrases;
mod plan;
mod playlists;
mod readings;
mod receipts;
mod receivers;
mod record;
mod relays;
mod repeats;
mod resumable;
mod rivals;
mod rules;
mod schedules;
mod sessions;
mod shapes;
mod shelf;
mod speech;
#[cfg(test)]
mod tests;
mod tokens;
mod tries;
mod upload;
mod users;
mod values;
mod view;

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler as _;
use axum::http::{HeaderValue, header};
use axum::{Router, middleware};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use app::{App, Https, Parts};
pub(crate) use gate::{fresh_token, hash};
pub(crate) use receivers::VOLUME;

/// Largest body of a request that is no upload, in bytes.
const BODY: usize = 64 << 10;

/// How hard the console's files are compressed, of 11: each is small, and a first visit is to cost 150 kB at most.
const CONSOLE_COMPRESSION: CompressionLevel = CompressionLevel::Precise(9);

/// The API's document, as committed in `server/openapi.json`.
pub fn document() -> String {
    let (_, mut api) = api().split_for_parts();
    bearer::mark(&mut api);
    answers::everywhere(&mut api);
    api.to_pretty_json().expect("a document is JSON") + "\n"
}

/// The document for who asks: making it takes tens of milliseconds, which nobody may cost us again and again.
fn made_once() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().into());
    DOCUMENT.clone()
}

/// Everything that is served.
pub fn router(app: App) -> Router {
    by_pace(app, pace::Window(pace::WINDOW))
}

/// Only how the server is, for whoever reaches it: for a listener of their own.
pub fn measures(app: App) -> Router {
    Router::new()
        .route("/metrics", axum::routing::get(metrics::open))
        .route("/healthz", axum::routing::get(health::open))
        .fallback(async || error::Problem::missing("address"))
        .layer(middleware::from_fn(error::speak))
        .layer(middleware::from_fn_with_state(app.clone(), headers::strict))
        .with_state(app)
}

fn by_pace(app: App, window: pace::Window) -> Router {
    let (api, _) = api().split_for_parts();
    let foreign = middleware::from_fn_with_state(app.clone(), gate::refuse_foreign);
    let no_store = SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    api.route(
        "/api/openapi.json",
        axum::routing::get(|| async { ([(header::CONTENT_TYPE, "application/json")], made_once()) }),
    )
    .route(
        "/api/{*rest}",
        axum::routing::any(async || error::Problem::missing("address")),
    )
    .layer(foreign)
    .route(headers::AUTHORITY, axum::routing::get(headers::authority))
    .layer(no_store)
    // The console alone is compressed: a first visit over a slow line. Sound is already, and events must not wait.
    .fallback(console::file.layer(CompressionLayer::new().quality(CONSOLE_COMPRESSION)))
    .layer(DefaultBodyLimit::max(BODY))
    .layer(middleware::from_fn_with_state((app.clone(), window), pace::bodies))
    .layer(middleware::from_fn_with_state(app.clone(), limits::limit))
    .layer(middleware::from_fn_with_state(app.clone(), headers::door))
    .layer(middleware::from_fn(error::speak))
    .layer(middleware::from_fn_with_state(app.clone(), headers::strict))
    .with_state(app)
}

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(sessions::set_up))
        .routes(routes!(sessions::sign_in, sessions::who_am_i, sessions::sign_out))
        .routes(routes!(oidc::ways))
        .routes(routes!(oidc::begin))
        .routes(routes!(oidc::finish))
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
        .routes(routes!(oidc::begin_linking))
        .routes(routes!(oidc::link))
        .routes(routes!(oidc::unlink))
        .routes(routes!(users::list, users::invite))
        .routes(routes!(users::change))
        .routes(routes!(users::link))
        .routes(routes!(links::look))
        .routes(routes!(links::choose))
        .routes(routes!(tokens::list, tokens::make))
        .routes(routes!(tokens::remove))
        .routes(routes!(areas::list, areas::add))
        .routes(routes!(areas::change))
        .routes(routes!(areas::merge))
        .routes(routes!(rules::of_area, rules::set))
        .routes(routes!(rules::presets))
        .routes(routes!(rules::list, rules::ask))
        .routes(routes!(rules::approve))
        .routes(routes!(rules::withdraw))
        .routes(routes!(schedules::list, schedules::add))
        .routes(routes!(schedules::check))
        .routes(routes!(schedules::change, schedules::remove))
        .routes(routes!(schedules::once))
        .routes(routes!(calendar::export))
        .routes(routes!(calendar::import))
        .routes(routes!(receivers::list, receivers::enrol))
        .routes(routes!(receivers::change))
        .routes(routes!(receivers::reboot))
        .routes(routes!(history::history))
        .routes(routes!(receivers::revoke))
        .routes(routes!(receivers::enrol_again))
        .routes(routes!(receivers::rotate))
        .routes(routes!(plan::plan))
        .routes(routes!(plan::why))
        .routes(routes!(claims::list))
        .routes(routes!(claims::approve))
        .routes(routes!(claims::refuse))
        .routes(routes!(bulletins::list))
        .merge(upload::routes())
        .routes(routes!(resumable::begin))
        .routes(routes!(resumable::progress, resumable::piece, resumable::end))
        .routes(routes!(resumable::bulletin))
        .routes(routes!(bulletins::change, bulletins::delete))
        .routes(routes!(bulletins::peaks))
        .routes(routes!(approval::submit))
        .routes(routes!(approval::approve))
        .routes(routes!(approval::refuse))
        .routes(routes!(inbox::inbox))
        .routes(routes!(inbox::send))
        .routes(routes!(inbox::deliveries))
        .routes(routes!(inbox::accept))
        .routes(routes!(inbox::refuse))
        .routes(routes!(rivals::list))
        .routes(routes!(rivals::order))
        .routes(routes!(playlists::list, playlists::add))
        .routes(routes!(playlists::change, playlists::remove))
        .routes(routes!(audio::audio))
        .routes(routes!(speech::preview))
        .routes(routes!(speech::make))
        .routes(routes!(speech::text))
        .routes(routes!(readings::list, readings::add))
        .routes(routes!(readings::remove))
        .routes(routes!(phrases::list, phrases::add))
        .routes(routes!(phrases::change, phrases::remove))
        .routes(routes!(broadcasts::list, broadcasts::accept))
        .routes(routes!(broadcasts::stop))
        .routes(routes!(listening::listen))
        .routes(routes!(receipts::receipts))
        .routes(routes!(live::speak))
        .routes(routes!(live::sound))
        .routes(routes!(accounts::accounts))
        .routes(routes!(record::list))
        .routes(routes!(events::events))
        .routes(routes!(health::healthz))
        .routes(routes!(metrics::metrics))
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Loa", description = "Hệ thống truyền thanh. An IP loudspeaker network for communes."),
    components(schemas(error::Error, shapes::Class)),
    modifiers(&Schemes)
)]
struct Document;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            gate::COOKIE,
            "Given by signing in. What changes something must also bring the session's X-Loa-Csrf.",
        )));
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("loa_…");
        let token = token.description(Some(
            "An API token, made by who is signed in. Not together with a session's cookie; no X-Loa-Csrf is asked for.",
        ));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("session", cookie);
        components.add_security_scheme(bearer::SCHEME, SecurityScheme::Http(token.build()));
    }
}
