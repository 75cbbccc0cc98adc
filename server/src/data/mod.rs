//! The data folder. Here: what lies where, that nobody else can read it, and the keys. Not here: what is in the files.
//!
//! | in the folder | what |
//! | --- | --- |
//! | `loa.db` | the database, unless it is elsewhere |
//! | `originals/` | uploads as they came, one a bulletin |
//! | `programmes/` | their sound, ready to be sent (Ogg Opus) |
//! | `uploads/` | uploads that are still coming; emptied at the start, but for those in pieces, which go on |
//! | `keys/` | the server's keys: `signing.key` and those after it (`signing-<number>.key`), the vault's (`vault-<number>.key`), certificates |
//! | `bindings` | where receivers were last seen on the network |
//! | `record.head` | how the record ended a minute ago at most, signed |
//! | `lock` | held by the server that runs on the folder |

mod keys;
mod signer;
mod token;
mod vault;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

pub use keys::{fresh_token, random, record_key};
pub use signer::{KeyError, KeyPlace, Keyring, KnownKey, Signer};
pub use token::{Token, TokenSettings};
pub use vault::{Opened, Vault, VaultError, is_sealed};

/// The first line of a file with a secret, which only its owner may read.
///
/// # Errors
/// When others can read it, or it cannot be read.
pub fn secret_line(file: &Path) -> io::Result<String> {
    let mode = fs::metadata(file)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let text = format!("others can read it (mode {mode:o}): chmod 600");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    let text = fs::read_to_string(file)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// A data folder that is there.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// Opens the folder at `path`, creates what is missing, and shuts it to other users.
    ///
    /// # Errors
    /// When it cannot be created or shut.
    pub fn open(path: &Path) -> io::Result<Self> {
        let folder = Self(std::path::absolute(path)?);
        for path in [
            folder.0.clone(),
            folder.originals(),
            folder.programmes(),
            folder.uploads(),
            folder.keys(),
        ] {
            DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        }
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700))?;
        Ok(folder)
    }

    /// Removes uploads that never came to an end: for a server that starts. Those in pieces (`….part`) go on, for a day.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn sweep_uploads(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.uploads())? {
            let path = entry?.path();
            if path.extension().is_none_or(|kind| kind != "part") {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Removes originals and programmes of bulletins that `known` does not know by their identifier: for a server that
    /// starts, since a bulletin's files come before its row. Says how many.
    ///
    /// # Errors
    /// When a folder cannot be read or a file cannot be removed.
    pub fn sweep_bulletins(&self, known: impl Fn(&str) -> bool) -> io::Result<usize> {
        let mut removed = 0;
        for folder in [self.originals(), self.programmes()] {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if !path.file_stem().and_then(|stem| stem.to_str()).is_some_and(&known) {
                    fs::remove_file(path)?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    /// The URL of the database inside, which is created if missing, so that nobody else can read it.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn database_url(&self) -> io::Result<String> {
        use std::fmt::Write as _;
        use std::os::unix::ffi::OsStrExt as _;
        let path = self.0.join("loa.db");
        fs::File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        let mut url = String::from("sqlite://");
        for byte in path.as_os_str().as_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => url.push(char::from(*byte)),
                _ => write!(url, "%{byte:02X}").expect("a string takes all"),
            }
        }
        Ok(url + "?mode=rw")
    }

    /// Where uploads lie as they came.
    pub fn originals(&self) -> PathBuf {
        self.0.join("originals")
    }

    /// Where bulletins' programmes lie.
    pub fn programmes(&self) -> PathBuf {
        self.0.join("programmes")
    }

    /// Where uploads are collected.
    pub fn uploads(&self) -> PathBuf {
        self.0.join("uploads")
    }

    /// Where keys lie.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The file that a running server holds locked.
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The file that notes the record's end, signed.
    pub fn record_head(&self) -> PathBuf {
        self.0.join("record.head")
    }

    /// The file that keeps where receivers are.
    pub fn bindings(&self) -> PathBuf {
        self.0.join("bindings")
    }
}
