//! Sign-ins that have gone to the provider and are to come back. Here: in memory, for minutes, each once; after a restart one begins
//! again. In memory, since nobody who is not signed in shall write into the database.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use loa_protocol::UnixMicros;
use url::Url;

use crate::store::UserId;

/// It is waited for so long, in microseconds.
const PATIENCE: u64 = 15 * 60 * 1_000_000;
/// Waited for at most; the oldest goes first.
const MOST: usize = 10_000;

/// What a sign-in is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To come in.
    SignIn,
    /// To come in the first time, by the invitation whose token has this hash.
    Invitation(String),
    /// To link the account there to this user.
    Link(UserId),
}

/// A sign-in that was begun.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What it is for.
    pub purpose: Purpose,
    /// The hash of what only the browser that began it can show.
    pub(super) browser: String,
    /// Must be in the token.
    pub(super) nonce: String,
    /// Shows that the code is exchanged by who asked for it.
    pub(super) verifier: String,
    /// Where the browser is sent back to.
    pub(super) back: Url,
}

/// All of them, by their state.
#[derive(Default)]
pub(super) struct Waiting(Mutex<HashMap<String, (UnixMicros, Asked)>>);

impl Waiting {
    pub(super) fn ask(&self, now: UnixMicros, state: String, asked: Asked) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (at, _)| at.0 + PATIENCE > now.0);
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|it| it.1.0).map(|it| it.0.clone());
            oldest.and_then(|oldest| all.remove(&oldest));
        }
        all.insert(state, (now, asked));
    }

    /// The one with that state; it is not waited for any more.
    pub(super) fn take(&self, now: UnixMicros, state: &str) -> Option<Asked> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, asked) = all.remove(state)?;
        (at.0 + PATIENCE > now.0).then_some(asked)
    }
}
