//! One server, put together. Here: the order in which its parts start and end. Each part is a task that runs until the one
//! shutdown signal; what was accepted is durable at any instant, so that being killed differs from ending only in haste.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::UnixMicros;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::data::{self, DataFolder};
use crate::http::{self, App, Parts};
use crate::store::{self, Store};
use crate::{clock, enrol};

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
    /// The link that makes the first administrator, as long as there is no user.
    pub setup: Option<String>,
    task: JoinHandle<()>,
}

impl Running {
    /// Waits until the server has ended, after its shutdown signal.
    pub async fn ended(self) {
        // A task that panicked has said so already.
        let _ = self.task.await;
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

    let url = config
        .database_url
        .clone()
        .map_or_else(|| data.database_url(), Ok)
        .map_err(wrong)?;
    let store = Arc::new(Store::open(&url, &data.programmes()).await?);
    store.forget_presence().await?;
    sweep_files(&data, &store).await?;

    let listen = |source| ServeError::Listen {
        key: "http.listen",
        address: config.http_listen,
        source,
    };
    let listener = TcpListener::bind(config.http_listen).await.map_err(listen)?;
    let http = listener.local_addr().map_err(listen)?;
    let setup = offer_setup(&store, &config, http, clock::now()).await?;
    let place = enrol::place(&config, key.verifying_key(), enrol::Ports::of(&config), None);
    let app = App::new(Parts {
        store: store.clone(),
        data,
        config: Arc::new(config),
        clock: clock::now,
        tell: Box::new(|_| {}),
        place,
        measure: Box::new(|_| {}),
        shutdown: shutdown.clone(),
    });
    let task = tokio::spawn(run(app, store, listener, lock, shutdown));
    Ok(Running { http, setup, task })
}

async fn run(app: App, store: Arc<Store>, listener: TcpListener, lock: File, shutdown: watch::Receiver<bool>) {
    let web = serve_http(app.clone(), listener, shutdown);
    tokio::join!(web, app.run());
    store.close().await;
    drop(lock);
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
