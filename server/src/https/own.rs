//! A certificate by the server's own authority, for as long as there is no better one. Browsers believe it where the
//! authority was installed; they take certificates for at most 825 days, so this one is made anew every year.

use std::path::Path;
use std::time::Duration;

use loa_protocol::UnixMicros;
use rustls::sign::CertifiedKey;

use super::{Error, Keeper, Source, Validity, certified, until};
use crate::broker::tls::Authority;

/// The server's own.
pub(super) struct Own {
    authority: Authority,
    names: Vec<String>,
}

impl Own {
    /// Opens the authority, or makes it.
    pub(super) fn open(keys: &Path, names: Vec<String>) -> Result<Self, Error> {
        let authority = Authority::open(keys)?;
        Ok(Self { authority, names })
    }

    /// The authority's certificate (DER).
    pub(super) fn authority(&self) -> Vec<u8> {
        self.authority.certificate().to_vec()
    }

    /// What to show: the one in the folder as long as a third of its life is left, then another.
    pub(super) fn certified(&self, now: UnixMicros) -> Result<CertifiedKey, Error> {
        let pem = self.authority.website(&self.names, now)?;
        let (certified, _) = certified(pem.as_bytes(), pem.as_bytes()).map_err(rustls::Error::General)?;
        Ok(certified)
    }

    pub(super) async fn run(self, keeper: &Keeper, clock: fn() -> UnixMicros) {
        loop {
            let due = match Validity::of(&keeper.certificate()) {
                Ok(validity) => validity.renew(),
                Err(_) => clock(),
            };
            until(due, clock).await;
            match self.certified(clock()) {
                Ok(certified) => keeper.show(certified, Source::Own),
                Err(error) => {
                    keeper.stays();
                    tracing::error!(%error, "the HTTPS certificate could not be made anew");
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                }
            }
        }
    }
}
