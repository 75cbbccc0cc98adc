//! The server's keys at its start: the ring of signing keys, the authorities for the broker. Here: finding them where the settings
//! say, the first key at first start. Not here: changing them (`cli::key`).

use std::path::Path;
use std::sync::Arc;

use loa_protocol::UnixMicros;
use loa_protocol::succession::{FIRST, Trust};

use crate::config::Config;
use crate::data::{self, DataFolder, KeyError, KeyPlace, Keyring, KnownKey, Token, TokenSettings};
use crate::store::{self, Actor, Store};

/// Why there are no signing keys.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The newest cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// They are written down where they cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The token's PIN.
    #[error("key.pkcs11_pin_file = {file}: {reason}")]
    Pin {
        /// The file.
        file: String,
        /// Why.
        reason: std::io::Error,
    },
    /// Only a part of what leads to the token is set.
    #[error("key.pkcs11_module, key.pkcs11_label and key.pkcs11_pin_file go together: set all three or none")]
    Half,
}

/// Where signing keys lie.
///
/// # Errors
/// When the token cannot be opened.
pub(crate) fn place(config: &Config, data: &DataFolder) -> Result<KeyPlace, RingError> {
    let (module, label, pin) = (
        &config.key_pkcs11_module,
        &config.key_pkcs11_label,
        &config.key_pkcs11_pin_file,
    );
    match (module, label, pin) {
        (None, None, None) => Ok(KeyPlace::Folder(data.keys())),
        (Some(module), Some(label), Some(pin)) => Ok(KeyPlace::Token(Token::open(TokenSettings {
            module: module.clone(),
            label: label.clone(),
            pin: read_pin(pin)?,
        })?)),
        _ => Err(RingError::Half),
    }
}

fn read_pin(file: &Path) -> Result<String, RingError> {
    data::secret_line(file).map_err(|reason| RingError::Pin {
        file: file.display().to_string(),
        reason,
    })
}

/// The ring of signing keys; the first is made if there was none.
///
/// # Errors
/// When the newest cannot be used.
pub(crate) async fn ring(
    config: &Config,
    data: &DataFolder,
    store: &Store,
    now: UnixMicros,
) -> Result<Arc<Keyring>, RingError> {
    let place = place(config, data)?;
    let mut known = store.signing_keys().await?;
    if known.is_empty() {
        let first = KnownKey {
            trust: Trust {
                number: FIRST,
                key: place.make(FIRST)?.verifying_key(),
            },
            step: None,
        };
        match store.add_signing_key(&Actor::server(), now, &first).await {
            // Another process may have come first, and has written down the same.
            Ok(()) | Err(store::Error::Missing(_)) => {}
            Err(error) => return Err(error.into()),
        }
        known = store.signing_keys().await?;
    }
    Ok(Arc::new(Keyring::open(place, &known)?))
}
