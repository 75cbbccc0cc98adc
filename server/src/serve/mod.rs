//! One server, put together. Here: the order in which its parts start and end. Each part is a task that runs until the one
//! shutdown signal; what was accepted is durable at any instant, so that being killed differs from ending only in haste.

pub(crate) mod composer;
pub(crate) mod keys;
mod line;
mod measures;
mod planner;
pub(crate) mod record;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loa_protocol::UnixMicros;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::broker::{self, tls};
use crate::config::Config;
use crate::data::{self, DataFolder};
use crate::enrol::claims::Book;
use crate::http::listen::{self, Listener, Places};
use crate::http::{self, App, Parts};
use crate::https::{self, Https};
use crate::media::live::{JudgeLimits, Patience};
use crate::store::{self, Store};
use crate::{clock, enrol, oidc, playout};

pub use keys::RingError;
pub(crate) use line::trusted;

use line::Line;
use measures::Measures;

/// Who spoke and is gone may come back within this time: a browser that reloads, a line that changes.
const GONE: Duration = Duration::from_secs(15);
/// The link that makes the first administrator can be used for this long, in microseconds.
const SETUP: u64 = 24 * 3600 * 1_000_000;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder cannot be used.
    #[error("the data folder {folder}: {source}")]
    Data {
        /// Its path.
        folder: String,
        /// Why.
        source: io::Error,
    },
    /// Another server runs on it.
    #[error("another server runs on the data folder {0}")]
    Taken(String),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The embedded MQTT broker cannot listen.
    #[error(transparent)]
    Broker(#[from] broker::BindError),
    /// The certificates for MQTT cannot be had.
    #[error("MQTT certificates: {0}")]
    Certificates(#[from] tls::Error),
    /// The signing keys cannot be had.
    #[error(transparent)]
    Keys(#[from] RingError),
    /// What to trust on the way to the outside broker cannot be read.
    #[error("mqtt.ca = {file}: {source}")]
    Trust {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The settings of single sign-on.
    #[error(transparent)]
    Oidc(#[from] oidc::OpenError),
    /// There is nothing to show by HTTPS.
    #[error("HTTPS: {0}")]
    Https(#[from] https::Error),
    /// A port cannot be had.
    #[error("{key} = {address}: {source}")]
    Listen {
        /// The key of the setting.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A server that runs.
pub struct Running {
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where HTTPS is served, if it is.
    pub https: Option<SocketAddr>,
    /// Where metrics have a place of their own, if they have.
    pub metrics: Option<SocketAddr>,
    /// Where people open the console.
    pub url: String,
    /// Tells it to look at its certificate's files again.
    pub reload: Arc<Notify>,
    /// Where the media socket is bound.
    pub media: SocketAddr,
    /// The port of the MQTT broker that receivers are told.
    pub mqtt_port: u16,
    /// The link that makes the first administrator, as long as there is no user.
    pub setup: Option<String>,
    task: JoinHandle<bool>,
}

impl Running {
    /// Waits until the server has ended; `false` if it ended without having been told to, because a part of it failed (which has
    /// been logged).
    pub async fn ended(&mut self) -> bool {
        (&mut self.task).await.unwrap_or(false)
    }
}

/// Starts a server; it runs until `shutdown` turns true.
///
/// # Errors
/// When something that it needs cannot be had; nothing runs then.
pub async fn start(config: Config, shutdown: watch::Receiver<bool>) -> Result<Running, ServeError> {
    let folder = config.data.display().to_string();
    let wrong = |source| ServeError::Data {
        folder: folder.clone(),
        source,
    };
    let data = DataFolder::open(&config.data).map_err(wrong)?;
    let lock = lock(&data)
        .map_err(wrong)?
        .ok_or_else(|| ServeError::Taken(folder.clone()))?;
    data.sweep_uploads().map_err(wrong)?;
    let vault = data::Vault::open(&data).map_err(store::Error::from)?;

    let url = config
        .database_url
        .clone()
        .map_or_else(|| data.database_url(), Ok)
        .map_err(wrong)?;
    let store = Arc::new(Store::open(&url, &data.programmes(), vault).await?);
    store.forget_presence().await?;
    let now = clock::now();
    store.settle_late(now, UnixMicros(now.0 + planner::COME_BACK)).await?;
    sweep_files(&data, &store).await?;
    let keys = keys::ring(&config, &data, &store, clock::now()).await?;

    let Line {
        broker,
        embedded,
        port: mqtt_port,
        shown,
    } = line::open(&config, &data, clock::now())?;
    let (embedded, credentials) = embedded.unzip();
    let trusted = Arc::new(arc_swap::ArcSwap::from_pointee(line::trusted(&config, &data)?));
    let refresh = line::refresh(config.clone(), data.clone(), trusted.clone(), shown, clock::now);
    let claims = Arc::new(Mutex::new(Book::default()));
    let studio = Arc::new(playout::Studio::new(manner(&config), data.originals()));
    let ground = playout::Ground {
        broker,
        credentials: credentials.clone(),
        listen: config.media_listen,
        bindings: data.bindings(),
        keys: keys.clone(),
        trusted: trusted.clone(),
        refresh: Box::new(refresh),
        claims: claims.clone(),
        studio: studio.clone(),
        latency: config.media_latency,
        clock: clock::now,
    };
    let wrong_place = |key, address| move |source| ServeError::Listen { key, address, source };
    let prepared = playout::prepare(ground, store.clone());
    let (air, program) = prepared.map_err(wrong_place("media.listen", config.media_listen))?;
    let (plain, http) = bind("http.listen", config.http_listen).await?;
    let https = Https::open(&config, &data.keys(), clock::now())?;
    let secure = match config.https_listen {
        Some(address) => Some(bind("https.listen", address).await?),
        None => None,
    };
    let own = match config.metrics_listen {
        Some(address) => Some(bind("metrics.listen", address).await?),
        None => None,
    };
    let encoders = match config.encoder_listen {
        Some(address) => Some(bind("encoder.listen", address).await?.0),
        None => None,
    };
    let (https_at, metrics) = (secure.as_ref().map(|it| it.1), own.as_ref().map(|it| it.1));
    let url = console(&config, http, https_at);
    let setup = offer_setup(&store, &url, clock::now()).await?;
    let tls = https.as_ref().map(Https::tls).transpose().map_err(https::Error::from)?;
    let shown = https.as_ref().zip(https_at).map(|(https, at)| http::Https {
        port: at.port(),
        keeper: https.keeper.clone(),
        authority: https.authority.clone(),
    });
    let places = Places::new(config.limits_connections, config.limits_address_connections);
    let oidc = oidc::Provider::open(&config, oidc::PATIENCE)?;

    let known = enrol::Known {
        keys,
        mqtt_port,
        media_port: air.media.port(),
        trusted,
    };
    let measures = Measures {
        transmitted: air.transmitted,
        refused: air.refused,
        broker: credentials,
    };
    let (media, notifier) = (air.media, air.notifier);
    let wrong = |source| ServeError::Data {
        folder: data.keys().display().to_string(),
        source,
    };
    let record_key = data::record_key(&data).map_err(wrong)?;
    let keeper = record::Keeper {
        store: store.clone(),
        data: data.clone(),
        key: record_key,
        keep: config.record_keep,
        clock: clock::now,
    };
    let notifier = Arc::new(notifier);
    let planner = planner::Planner {
        store: store.clone(),
        clock: clock::now,
        tell: Box::new({
            let notifier = notifier.clone();
            move |notice| drop(notifier.tell(notice))
        }),
    };
    let encoding = config.encoding();
    let app = App::new(Parts {
        store: store.clone(),
        data,
        config: Arc::new(config),
        clock: clock::now,
        tell: Box::new(move |notice| notifier.tell(notice)),
        known,
        claims,
        studio,
        measure: Box::new(move |text| measures.write(text)),
        https: shown,
        oidc,
        shutdown: shutdown.clone(),
    });
    let composer = composer::Composer {
        store: store.clone(),
        encoding,
        decoding: app.decoding(),
        clock: clock::now,
    };
    // Each part a task of its own, so that none holds up another.
    let mut parts = JoinSet::new();
    if let Some(broker) = embedded {
        let shutdown = shutdown.clone();
        parts.spawn(async move { broker.run(shutdown).await });
    }
    let until = shutdown.clone();
    parts.spawn(async move {
        if let Err(error) = program.run(until).await {
            tracing::error!(%error, "the air has ended");
        }
    });
    parts.spawn(keeper.run(shutdown.clone()));
    parts.spawn(planner.run(shutdown.clone()));
    parts.spawn(composer.run(shutdown.clone()));
    let listener = |socket, router, tls: Option<rustls::ServerConfig>| Listener {
        socket,
        tls: tls.map(Arc::new),
        router,
        places: places.clone(),
        patience: listen::Patience::default(),
    };
    let router = http::router(app.clone());
    parts.spawn(listener(plain, router.clone(), None).run(app.clone(), shutdown.clone()));
    if let (Some((socket, _)), Some(tls)) = (secure, tls) {
        parts.spawn(listener(socket, router, Some(tls)).run(app.clone(), shutdown.clone()));
    }
    if let Some((socket, _)) = own {
        let measures = listener(socket, http::measures(app.clone()), None);
        parts.spawn(measures.run(app.clone(), shutdown.clone()));
    }
    if let Some(socket) = encoders {
        let encoders = http::encoder::Encoders {
            socket,
            app: app.clone(),
        };
        parts.spawn(encoders.run(shutdown.clone()));
    }
    let reload = Arc::new(Notify::new());
    if let Some(https) = https {
        parts.spawn(https.run(clock::now, reload.clone(), shutdown.clone()));
    }
    parts.spawn(async move { app.run().await });
    let task = tokio::spawn(async move {
        // A part that ends, or panics, before it was told to leaves a server that lies: better none, and a fresh start.
        parts.join_next().await;
        let told = *shutdown.borrow();
        match told {
            true => while parts.join_next().await.is_some() {},
            false => parts.shutdown().await,
        }
        store.close().await;
        // Held until here: nobody else may start on the folder before all is written.
        drop(lock);
        told
    });
    Ok(Running {
        http,
        https: https_at,
        metrics,
        url,
        reload,
        media,
        mqtt_port,
        setup,
        task,
    })
}

/// How live sound is dealt with.
fn manner(config: &Config) -> playout::Manner {
    playout::Manner {
        encoding: config.encoding(),
        limits: config.limits(),
        patience: Patience {
            silent: config.live_silence,
            gone: GONE.min(config.live_silence),
        },
        judge: JudgeLimits {
            silence: config.relay_silence,
        },
        allowed: config.relay_allow.clone(),
    }
}

/// The lock that keeps two servers off one data folder; `None` if another has it. It ends with the process, however that ends.
pub(crate) fn lock(data: &DataFolder) -> io::Result<Option<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(data.lock())?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Removes the files of uploads that were cut off before their row was kept.
async fn sweep_files(data: &DataFolder, store: &Store) -> Result<(), ServeError> {
    let known = store.bulletin_ids().await?;
    let removed = data.sweep_bulletins(|id| store::BulletinId::parse(id).is_some_and(|id| known.contains(&id)));
    match removed {
        Ok(0) => {}
        Ok(files) => tracing::info!(files, "files of uploads that were cut off are removed"),
        Err(error) => tracing::warn!(%error, "files of uploads that were cut off stay"),
    }
    Ok(())
}

/// Where people open the console.
pub(crate) fn console(config: &Config, http: SocketAddr, https: Option<SocketAddr>) -> String {
    if let Some(url) = &config.public_url {
        return url.clone();
    }
    let Some(https) = https else {
        return format!("http://{http}");
    };
    let names = config.https_acme_domains.first().or(config.public_host.as_ref());
    let host = match names {
        Some(name) if name.contains(':') => format!("[{name}]"),
        Some(name) => name.clone(),
        None if https.ip().is_unspecified() => "localhost".into(),
        None if https.is_ipv6() => format!("[{}]", https.ip()),
        None => https.ip().to_string(),
    };
    match https.port() {
        443 => format!("https://{host}"),
        port => format!("https://{host}:{port}"),
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let wrong = |source| ServeError::Listen { key, address, source };
    let socket = TcpListener::bind(address).await.map_err(wrong)?;
    let at = socket.local_addr().map_err(wrong)?;
    Ok((socket, at))
}

async fn offer_setup(store: &Store, url: &str, now: UnixMicros) -> Result<Option<String>, ServeError> {
    if !store.users().await?.is_empty() {
        return Ok(None);
    }
    let token = http::fresh_token();
    store
        .offer_setup(now, &http::hash(&token), UnixMicros(now.0 + SETUP))
        .await?;
    Ok(Some(format!("{url}/setup#{token}")))
}
