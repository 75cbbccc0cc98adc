//! The vault: secrets that are kept in the database are sealed under a key that is not. Here: AES-256-GCM under the newest
//! key in the keys' folder, the purpose and the owner's identifier bound in, so that a sealed text opens only in its own
//! place. Not here: which columns hold sealed texts (`store::sealed`).
//!
//! A sealed text is `v1.<key number>.<base64url of nonce ‖ ciphertext ‖ tag>`; keys lie in `vault-<number>.key`.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::{fmt, fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::DataFolder;
use super::keys::{kept, random, read};

/// Seals and opens what the database keeps; clones are the same vault. Not printed by `Debug`.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    /// Where keys lie; `None`: only those in memory.
    folder: Option<PathBuf>,
    keys: RwLock<BTreeMap<u32, LessSafeKey>>,
}

/// What was sealed. Not printed by `Debug`; wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened(Zeroizing<Vec<u8>>);

/// Why something was not sealed or not opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The keys cannot be read or written.
    #[error("the vault's keys: {0}")]
    Keys(#[from] io::Error),
    /// It was never sealed by a vault.
    #[error("not a sealed text of this version")]
    Form,
    /// It was sealed under a key that is not there.
    #[error("sealed under key {0} of the vault, which is not in the keys' folder")]
    Missing(u32),
    /// Another key, another place, or it was changed.
    #[error("a sealed text does not open: it was changed or moved, or its key {0} is another server's")]
    Refused(u32),
}

impl Vault {
    /// The vault whose keys lie in `data`; the first key is made at the first call.
    ///
    /// # Errors
    /// When the keys cannot be read or written.
    pub fn open(data: &DataFolder) -> Result<Self, VaultError> {
        let folder = data.keys();
        if numbers(&folder)?.is_empty() {
            kept(&file(&folder, 1))?;
        }
        let vault = Self(Arc::new(Inner {
            folder: Some(folder),
            keys: RwLock::default(),
        }));
        vault.refresh()?;
        Ok(vault)
    }

    /// A vault with one key that lies in no folder.
    pub fn of_key(key: [u8; 32]) -> Self {
        Self(Arc::new(Inner {
            folder: None,
            keys: RwLock::new([(1, aead(&key))].into()),
        }))
    }

    /// Seals `secret` for `purpose` (a fixed word, such as `receiver secret`) and the row `id`. To be called inside the
    /// transaction that keeps the text: so a rotation at the same time either re-seals it or comes first.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub fn seal(&self, purpose: &str, id: &str, secret: &[u8]) -> Result<String, VaultError> {
        self.refresh()?;
        let keys = self.0.keys.read().expect("nothing panics while holding it");
        let (number, key) = keys.last_key_value().expect("a vault has a key");
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = Zeroizing::new(secret.to_vec());
        let aad = Aad::from(bound(*number, purpose, id));
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .expect("a secret is not gigabytes long");
        let whole = [&nonce, sealed.as_slice(), tag.as_ref()].concat();
        Ok(format!("v1.{number}.{}", URL_SAFE_NO_PAD.encode(whole)))
    }

    /// Opens what was sealed for `purpose` and `id`.
    ///
    /// # Errors
    /// When `sealed` is no such text, or was sealed for something else, or its key is not there.
    pub fn open_sealed(&self, purpose: &str, id: &str, sealed: &str) -> Result<Opened, VaultError> {
        let (number, body) = split(sealed).ok_or(VaultError::Form)?;
        let mut body = Zeroizing::new(URL_SAFE_NO_PAD.decode(body).map_err(|_| VaultError::Form)?);
        if body.len() < NONCE_LEN {
            return Err(VaultError::Form);
        }
        if !self.has(number) {
            self.refresh()?;
        }
        let keys = self.0.keys.read().expect("nothing panics while holding it");
        let key = keys.get(&number).ok_or(VaultError::Missing(number))?;
        let (nonce, rest) = body.split_at_mut(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).expect("it has that length");
        let opened = key
            .open_in_place(nonce, Aad::from(bound(number, purpose, id)), rest)
            .map_err(|_| VaultError::Refused(number))?;
        Ok(Opened(Zeroizing::new(opened.to_vec())))
    }

    /// Makes the next key; from now on every process seals under it. What was sealed before still opens.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn advance(&self) -> Result<u32, VaultError> {
        let Some(folder) = &self.0.folder else {
            return Err(io::Error::from(io::ErrorKind::Unsupported).into());
        };
        let next = numbers(folder)?.last().map_or(1, |last| last + 1);
        kept(&file(folder, next))?;
        self.refresh()?;
        Ok(next)
    }

    /// Destroys the keys before `number`: nothing may be sealed under them any more.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub(crate) fn forget_before(&self, number: u32) -> Result<(), VaultError> {
        if let Some(folder) = &self.0.folder {
            for old in numbers(folder)?.into_iter().filter(|old| *old < number) {
                fs::remove_file(file(folder, old))?;
            }
            fs::File::open(folder)?.sync_all()?;
        }
        let mut keys = self.0.keys.write().expect("nothing panics while holding it");
        keys.retain(|it, _| *it >= number);
        Ok(())
    }

    fn has(&self, number: u32) -> bool {
        let keys = self.0.keys.read().expect("nothing panics while holding it");
        keys.contains_key(&number)
    }

    /// Takes up keys that another process has made.
    fn refresh(&self) -> Result<(), VaultError> {
        let Some(folder) = &self.0.folder else { return Ok(()) };
        for number in numbers(folder)? {
            if self.has(number) {
                continue;
            }
            let key = match read(&file(folder, number)) {
                Ok(key) => aead(&Zeroizing::new(key)),
                // Destroyed after the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let mut keys = self.0.keys.write().expect("nothing panics while holding it");
            keys.insert(number, key);
        }
        Ok(())
    }
}

/// Whether `text` looks like a sealed one.
pub fn is_sealed(text: &str) -> bool {
    split(text).is_some()
}

fn split(text: &str) -> Option<(u32, &str)> {
    let (number, body) = text.strip_prefix("v1.")?.split_once('.')?;
    Some((number.parse().ok()?, body))
}

fn aead(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key"))
}

/// What is authenticated with a secret: each part with its length before it, so that no two places look alike.
fn bound(number: u32, purpose: &str, id: &str) -> Vec<u8> {
    let mut bytes = b"loa vault 1".to_vec();
    bytes.extend(number.to_be_bytes());
    for part in [purpose, id] {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

fn file(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("vault-{number}.key"))
}

/// The numbers of the keys in `folder`, the oldest first.
fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| {
            let number = name.strip_prefix("vault-")?.strip_suffix(".key")?;
            number.parse::<u32>().ok()
        });
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

impl Deref for Opened {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened(…)")
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const SECRET: &[u8] = b"thirty-two bytes that nobody has";

    fn vault() -> (tempfile::TempDir, DataFolder, Vault) {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        let vault = Vault::open(&data).unwrap();
        (folder, data, vault)
    }

    #[test]
    fn what_is_sealed_opens_in_its_own_place_alone() {
        let (_folder, data, vault) = vault();
        let sealed = vault.seal("receiver secret", "a", SECRET).unwrap();
        assert!(sealed.starts_with("v1.1.") && is_sealed(&sealed), "{sealed}");
        assert_ne!(vault.seal("receiver secret", "a", SECRET).unwrap(), sealed);
        let again = Vault::open(&data).unwrap();
        assert_eq!(*again.open_sealed("receiver secret", "a", &sealed).unwrap(), *SECRET);

        for (purpose, id) in [("receiver secret", "b"), ("totp", "a"), ("receiver secreta", "")] {
            let refused = vault.open_sealed(purpose, id, &sealed);
            assert!(matches!(refused, Err(VaultError::Refused(1))), "{purpose} {id}");
        }
        let mut letters: Vec<_> = sealed.chars().collect();
        for index in 5..letters.len() {
            let old = std::mem::replace(
                &mut letters[index],
                if sealed[index..].starts_with('A') { 'B' } else { 'A' },
            );
            let text: String = letters.iter().collect();
            assert!(vault.open_sealed("receiver secret", "a", &text).is_err(), "{text}");
            letters[index] = old;
        }
        for text in [
            "",
            "v1.",
            "v1.1.",
            "v1.1.AA",
            "v2.1.AAAA",
            "v1.x.AAAA",
            &"ab".repeat(32),
        ] {
            let wrong = vault.open_sealed("receiver secret", "a", text);
            assert!(matches!(wrong, Err(VaultError::Form)), "{text}");
        }
        let other = Vault::of_key([9; 32]);
        assert!(matches!(
            other.open_sealed("receiver secret", "a", &sealed),
            Err(VaultError::Refused(1))
        ));
    }

    #[test]
    fn keys_follow_each_other_in_every_process() {
        let (_folder, data, vault) = vault();
        let other = Vault::open(&data).unwrap();
        let old = vault.seal("p", "a", SECRET).unwrap();
        assert_eq!(vault.advance().unwrap(), 2);
        let new = other.seal("p", "a", SECRET).unwrap();
        assert!(new.starts_with("v1.2."), "{new}");
        for text in [&old, &new] {
            assert_eq!(*vault.open_sealed("p", "a", text).unwrap(), *SECRET);
        }
        vault.forget_before(2).unwrap();
        let late = Vault::open(&data).unwrap();
        for vault in [&vault, &late] {
            assert!(matches!(vault.open_sealed("p", "a", &old), Err(VaultError::Missing(1))));
            assert_eq!(*vault.open_sealed("p", "a", &new).unwrap(), *SECRET);
        }
        let mode = fs::metadata(file(&data.keys(), 2)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(data.keys()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_secret_is_printed() {
        let (_folder, _data, vault) = vault();
        let sealed = vault.seal("p", "a", SECRET).unwrap();
        let opened = vault.open_sealed("p", "a", &sealed).unwrap();
        assert_eq!(format!("{opened:?} {vault:?}"), "Opened(…) Vault(…)");
    }
}
