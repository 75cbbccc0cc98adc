//! One server, put together. Here: the order in which its parts start and end. Each part is a task that runs until the one
//! shutdown signal; what was accepted is durable at any instant, so that being killed differs from ending only in haste.

mod line;
mod measures;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::UnixMicros;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::broker::{self, tls};
use crate::config::Config;
use crate::data::{self, DataFolder};
use crate::http::{self, App, Parts};
use crate::store::{self, Store};
use crate::{clock, enrol, playout};

pub(crate) use line::authority;

use line::Line;
use measures::Measures;

/// Requests under way at the end may take this long.
const GRACE: Duration = Duration::from_secs(5);
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
    /// What to trust on the way to the outside broker cannot be read.
    #[error("mqtt.ca = {file}: {source}")]
    Trust {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
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
    let key = data::signing_key(&data).map_err(wrong)?;
    let vault = data::Vault::open(&data).map_err(store::Error::from)?;

    let url = config
        .database_url
        .clone()
        .map_or_else(|| data.database_url(), Ok)
        .map_err(wrong)?;
    let store = Arc::new(Store::open(&url, &data.programmes(), vault).await?);
    store.forget_presence().await?;
    sweep_files(&data, &store).await?;

    let Line {
        broker,
        embedded,
        port: mqtt_port,
    } = line::open(&config, &data, clock::now())?;
    let (embedded, credentials) = embedded.unzip();
    let ground = playout::Ground {
        broker,
        credentials: credentials.clone(),
        listen: config.media_listen,
        bindings: data.bindings(),
        key: key.clone(),
        latency: config.media_latency,
        clock: clock::now,
    };
    let listen = |key, address| move |source| ServeError::Listen { key, address, source };
    let prepared = playout::prepare(ground, store.clone());
    let (air, program) = prepared.map_err(listen("media.listen", config.media_listen))?;
    let listener = TcpListener::bind(config.http_listen)
        .await
        .map_err(listen("http.listen", config.http_listen))?;
    let http = listener
        .local_addr()
        .map_err(listen("http.listen", config.http_listen))?;
    let setup = offer_setup(&store, &config, http, clock::now()).await?;

    let known = enrol::Known {
        server_key: key.verifying_key(),
        mqtt_port,
        media_port: air.media.port(),
        mqtt_ca: authority(&config, &data)?,
    };
    let measures = Measures {
        transmitted: air.transmitted,
        refused: air.refused,
        broker: credentials,
    };
    let (media, notifier) = (air.media, air.notifier);
    let app = App::new(Parts {
        store: store.clone(),
        data,
        config: Arc::new(config),
        clock: clock::now,
        tell: Box::new(move |notice| notifier.tell(notice)),
        known,
        measure: Box::new(move |text| measures.write(text)),
        shutdown: shutdown.clone(),
    });
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
    parts.spawn(serve_http(app.clone(), listener, shutdown.clone()));
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
        media,
        mqtt_port,
        setup,
        task,
    })
}

async fn serve_http(app: App, listener: TcpListener, mut shutdown: watch::Receiver<bool>) {
    let service = http::router(app).into_make_service_with_connect_info::<SocketAddr>();
    let mut ending = shutdown.clone();
    let served = axum::serve(listener, service).with_graceful_shutdown(async move {
        // Whoever could signal being gone is a signal as well.
        let _ = ending.wait_for(|ending| *ending).await;
    });
    let late = async {
        let _ = shutdown.wait_for(|ending| *ending).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = served => if let Err(error) = served { tracing::error!(%error, "HTTP has ended") },
        () = late => tracing::warn!("requests that were still under way were broken off"),
    }
}

/// The lock that keeps two servers off one data folder; `None` if another has it. It ends with the process, however that ends.
fn lock(data: &DataFolder) -> io::Result<Option<File>> {
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

async fn offer_setup(
    store: &Store,
    config: &Config,
    http: SocketAddr,
    now: UnixMicros,
) -> Result<Option<String>, ServeError> {
    if !store.users().await?.is_empty() {
        return Ok(None);
    }
    let token = http::fresh_token();
    store
        .offer_setup(now, &http::hash(&token), UnixMicros(now.0 + SETUP))
        .await?;
    let url = config.public_url.clone().unwrap_or_else(|| format!("http://{http}"));
    Ok(Some(format!("{url}/setup#{token}")))
}
