//! Second factors that are being set up or shown: what the server has asked and waits to be answered. Here: it is kept in
//! memory, for one session, for minutes; after a restart one begins again.

use std::collections::HashMap;
use std::sync::Mutex;

use loa_protocol::UnixMicros;
use webauthn_rs::prelude::{PasskeyAuthentication, PasskeyRegistration};
use zeroize::Zeroizing;

/// An answer is waited for so long, in microseconds.
const PATIENCE: u64 = 10 * 60 * 1_000_000;
/// Kept at most; the oldest goes first.
const MOST: usize = 10_000;

/// The secret of codes: 160 bits, as RFC 4226 §4 recommends.
pub(super) type CodeSecret = Zeroizing<[u8; 20]>;

/// What the server has asked.
pub(super) enum Asked {
    /// A code of this secret.
    Code(CodeSecret),
    /// A new passkey.
    NewPasskey(Box<PasskeyRegistration>),
    /// One of the user's passkeys.
    Passkey(Box<PasskeyAuthentication>),
}

/// All of them.
#[derive(Default)]
pub(super) struct Ceremonies(Mutex<HashMap<String, (UnixMicros, Asked)>>);

impl Ceremonies {
    /// Asks something of the session with that token's hash, in place of what was asked before.
    pub(super) fn ask(&self, now: UnixMicros, session: &str, asked: Asked) {
        let mut all = self.0.lock().expect("nothing panics while holding it");
        all.retain(|_, (at, _)| at.0 + PATIENCE > now.0);
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|it| it.1.0).map(|it| it.0.clone());
            oldest.and_then(|oldest| all.remove(&oldest));
        }
        all.insert(session.to_owned(), (now, asked));
    }

    /// What was asked of that session and not yet answered; it is not waited for any more.
    pub(super) fn take(&self, now: UnixMicros, session: &str) -> Option<Asked> {
        let mut all = self.0.lock().expect("nothing panics while holding it");
        let (at, asked) = all.remove(session)?;
        (at.0 + PATIENCE > now.0).then_some(asked)
    }
}
