//! What TLS shows at this moment. Here: one certificate, replaced at once and for new connections only; and those that
//! answer an ACME directory's question (RFC 8737). Not here: where they come from.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The protocol by which a directory asks (RFC 8737 §6.2).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Files of the settings.
    Given,
    /// A directory that every browser trusts.
    Public,
    /// A directory that whoever installed its root trusts.
    Private,
    /// The server's own authority.
    Own,
}

/// Keeps what TLS shows.
#[derive(Debug)]
pub struct Keeper {
    shown: ArcSwap<(Arc<CertifiedKey>, Source)>,
    answers: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    taken: AtomicU64,
    refused: AtomicU64,
}

impl Keeper {
    /// Shows `certified`.
    pub fn new(certified: CertifiedKey, source: Source) -> Self {
        Self {
            shown: ArcSwap::from_pointee((Arc::new(certified), source)),
            answers: Mutex::default(),
            taken: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Shows `certified` from now on; connections that are open go on.
    pub fn show(&self, certified: CertifiedKey, source: Source) {
        self.shown.store(Arc::new((Arc::new(certified), source)));
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Another could not be had; what is shown stays.
    pub fn stays(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Where what is shown comes from.
    pub fn source(&self) -> Source {
        self.shown.load().1
    }

    /// What is shown (DER).
    pub fn certificate(&self) -> Vec<u8> {
        self.shown
            .load()
            .0
            .cert
            .first()
            .map(|it| it.to_vec())
            .unwrap_or_default()
    }

    /// How often another was taken, and could not be had.
    pub fn changes(&self) -> (u64, u64) {
        (self.taken.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// Answers a directory's question about `domain`, or with `None` no longer.
    pub(super) fn answer(&self, domain: &str, with: Option<CertifiedKey>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match with {
            Some(certified) => _ = answers.insert(domain.to_owned(), Arc::new(certified)),
            None => _ = answers.remove(domain),
        }
    }
}

impl ResolvesServerCert for Keeper {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello
            .alpn()
            .is_some_and(|mut offered| offered.any(|one| one == ACME_TLS))
        {
            let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            return answers.get(hello.server_name()?).cloned();
        }
        Some(self.shown.load().0.clone())
    }
}
