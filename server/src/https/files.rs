//! A certificate that was given as files. Here: reading and judging them, at the start and whenever they change. One that
//! is not right never takes the place of one that is.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use loa_protocol::UnixMicros;
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;

use super::{Error, Keeper, Source, certified};

/// How often it is looked whether the files have changed.
const LOOK: Duration = Duration::from_secs(2);

/// Where the files are.
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What tells a file from its predecessor.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Files {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key }
    }

    /// What they hold. One that has expired will do at the start only: better a warning in the browser than no server.
    pub(super) fn load(&self, now: UnixMicros, at_start: bool) -> Result<CertifiedKey, Error> {
        let wrong = |path: &Path, why: String| Error::File {
            file: path.display().to_string(),
            why,
        };
        let read = |path: &Path| std::fs::read(path).map_err(|error| wrong(path, error.to_string()));
        let (chain, key) = (read(&self.certificate)?, read(&self.key)?);
        let both = || format!("{} and {}", self.certificate.display(), self.key.display());
        let (certified, validity) = certified(&chain, &key).map_err(|why| Error::File { file: both(), why })?;
        if validity.until < now {
            let why = "the certificate has expired".to_owned();
            match at_start {
                true => tracing::warn!(file = %self.certificate.display(), "{why}: browsers will warn"),
                false => return Err(wrong(&self.certificate, why)),
            }
        }
        Ok(certified)
    }

    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let meta = path.metadata().ok()?;
            Some((meta.modified().ok()?, meta.len()))
        })
    }

    /// Shows what they hold whenever they change.
    pub(super) async fn run(self, keeper: &Keeper, clock: fn() -> UnixMicros, changed: &Notify) {
        let (mut known, mut last) = (self.stamp(), self.stamp());
        loop {
            let told = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                () = changed.notified() => true,
            };
            let stamp = self.stamp();
            // While they still change somebody is at work on them.
            let settled = stamp == std::mem::replace(&mut last, stamp);
            if !told && (stamp == known || !settled) {
                continue;
            }
            known = stamp;
            match self.load(clock(), false) {
                Ok(certified) => {
                    keeper.show(certified, Source::Given);
                    tracing::info!(file = %self.certificate.display(), "HTTPS shows the new certificate");
                }
                Err(error) => {
                    keeper.stays();
                    tracing::error!(%error, "the new HTTPS certificate is not right: the old one stays");
                }
            }
        }
    }
}
