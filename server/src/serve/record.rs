//! The record, kept by the server. Here: noting its end, signed, in the data folder, so that who owns the database alone can
//! neither rewrite nor shorten it without being found out; and retention, of receivers' history as well. Not here: the chain (`store::record`).
//!
//! `record.head` is one line: `loa record head 1`, `NUMBER:HASH`, when (microseconds since 1970), the signing key's public
//! half and the Ed25519 signature (hexadecimal) over everything before the last blank.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::{SigningKey, UnixMicros};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use tokio::sync::watch;

use crate::data::DataFolder;
use crate::store::record::Head;
use crate::store::{self, Actor, Store};

const FORM: &str = "loa record head 1";
/// How often the end is noted.
const NOTE: Duration = Duration::from_secs(60);
/// How many notes lie between two looks at what is too old.
const PRUNE: u32 = 60;

/// What lies in the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// Nothing.
    Nothing,
    /// This head, signed by this server.
    Head(Head),
    /// Something that this server's present key did not sign.
    Strange,
}

/// Reads what was noted.
pub(crate) fn noted(data: &DataFolder, key: &SigningKey) -> io::Result<Noted> {
    let text = match std::fs::read_to_string(data.record_head()) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Noted::Nothing),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(Noted::Strange),
        Err(error) => return Err(error),
    };
    Ok(opened(&text, key).map_or(Noted::Strange, Noted::Head))
}

fn opened(text: &str, key: &SigningKey) -> Option<Head> {
    let (said, signature) = text.trim_end().rsplit_once(' ')?;
    let (rest, signer) = said.rsplit_once(' ')?;
    let public = key.verifying_key().to_bytes();
    let signature = bytes::<64>(signature)?;
    let checked = UnparsedPublicKey::new(&ED25519, public).verify(said.as_bytes(), &signature);
    checked.ok().filter(|()| bytes::<32>(signer) == Some(public))?;
    let (head, _at) = rest.strip_prefix(FORM)?.trim_start().split_once(' ')?;
    head.parse().ok()
}

/// Notes `head`, whole or not at all.
pub(crate) fn note(data: &DataFolder, key: &SigningKey, head: Head, now: UnixMicros) -> io::Result<()> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&key.to_bytes()).expect("a signing key is 32 bytes");
    let said = format!("{FORM} {head} {} {}", now.0, hex(&key.verifying_key().to_bytes()));
    let signature = pair.sign(said.as_bytes());
    let path = data.record_head();
    let folder = path.parent().expect("it lies in the data folder");
    let mut half = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(half, "{said} {}", hex(signature.as_ref()))?;
    half.as_file().sync_all()?;
    half.persist(&path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Keeps the record until shutdown.
pub(super) struct Keeper {
    pub(super) store: Arc<Store>,
    pub(super) data: DataFolder,
    pub(super) key: SigningKey,
    /// How long entries are kept; `None`: for ever.
    pub(super) keep: Option<Duration>,
    pub(super) clock: fn() -> UnixMicros,
}

impl Keeper {
    pub(super) async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(NOTE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut until_pruning = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = shutdown.wait_for(|ending| *ending) => break,
            }
            if until_pruning == 0 {
                until_pruning = PRUNE;
                self.prune().await;
                if let Err(error) = self.store.sweep_history((self.clock)()).await {
                    tracing::error!(%error, "the old history of receivers could not be removed");
                }
            }
            until_pruning -= 1;
            self.note().await;
        }
        self.note().await;
    }

    async fn note(&self) {
        match self.try_note().await {
            Ok(true) => {}
            Ok(false) => tracing::error!(
                file = %self.data.record_head().display(),
                "the record is not the one that was noted here: it was rewritten or cut; `loa audit verify` says where"
            ),
            Err(error) => tracing::error!(%error, "the end of the record could not be noted"),
        }
    }

    /// `false`: what was noted contradicts the record, and stays.
    async fn try_note(&self) -> Result<bool, store::Error> {
        let wrong = |error| store::Error::Vault(crate::data::VaultError::Keys(error));
        let before = noted(&self.data, &self.key).map_err(wrong)?;
        let head = self.store.head().await?;
        if let Noted::Head(before) = before {
            if before == head {
                return Ok(true);
            }
            if !self.store.had(before).await? {
                return Ok(false);
            }
        }
        note(&self.data, &self.key, head, (self.clock)()).map_err(wrong)?;
        Ok(true)
    }

    async fn prune(&self) {
        let Some(keep) = self.keep else { return };
        let now = (self.clock)();
        let cutoff = UnixMicros(
            now.0
                .saturating_sub(u64::try_from(keep.as_micros()).unwrap_or(u64::MAX)),
        );
        match self.store.prune_record(&Actor::server(), now, cutoff).await {
            Ok(None) => {}
            Ok(Some(pruned)) => {
                tracing::info!(entries = pruned.entries, last = %pruned.last, "old entries of the record are pruned")
            }
            Err(error) => tracing::error!(%error, "old entries of the record could not be pruned"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_server_signed_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        assert_eq!(noted(&data, &key).unwrap(), Noted::Nothing);
        let head = Head {
            number: 7,
            hash: [3; 32],
        };
        note(&data, &key, head, UnixMicros(5)).unwrap();
        assert_eq!(noted(&data, &key).unwrap(), Noted::Head(head));
        assert_eq!(noted(&data, &other).unwrap(), Noted::Strange);
        let text = std::fs::read_to_string(data.record_head()).unwrap();
        for (old, new) in [(" 7:", " 8:"), ("0303", "0304"), (" 5 ", " 6 "), ("loa", "Loa")] {
            std::fs::write(data.record_head(), text.replacen(old, new, 1)).unwrap();
            assert_eq!(noted(&data, &key).unwrap(), Noted::Strange, "{old}");
        }
        std::fs::write(data.record_head(), "").unwrap();
        assert_eq!(noted(&data, &key).unwrap(), Noted::Strange);
    }
}
