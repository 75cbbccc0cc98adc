//! Backup: everything that a server needs to go on elsewhere, in one file. Here: the file's form, making it beside a
//! running server, reading it back, restoring. Not here: SQL (`store::dump`), the command line (`cli::backup`).
//!
//! The file is a tar archive, encrypted with a passphrase in the age format (scrypt), or, without keys, as it is. In it:
//!
//! | name | what |
//! | --- | --- |
//! | `manifest.json` | first: [`Manifest`] |
//! | `database/<table>/<number>.jsonl` | columns, then a row a line, as JSON arrays |
//! | `keys/…`, `programmes/…`, `originals/…` | files of the data folder |
//! | `end.json` | last: how many rows and files there are, and SHA-256 over all names and contents before |

mod make;
mod read;
mod restore;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use age::secrecy::SecretString;
pub use make::make;
pub use read::verify;
pub use restore::{Plan, Restored, restore};

use crate::data::VaultError;
use crate::store;

/// The form of the file that this program writes, and the newest that it reads.
const FORM: u32 = 1;
/// The folders whose files are in a backup.
const FOLDERS: [&str; 3] = ["keys", "programmes", "originals"];

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the file.
    pub form: u32,
    /// The version of Loa that made it.
    pub loa: String,
    /// When, in microseconds since 1970.
    pub at: u64,
    /// The kind of database that it comes from.
    pub database: String,
    /// The migrations that made its tables.
    pub migrations: Vec<i64>,
    /// The end of the record, `NUMBER:HASH`.
    pub head: String,
    /// Whether keys and secrets are in it.
    pub keys: bool,
}

/// How much is in a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
    /// Files.
    pub files: u64,
    /// Bulletins whose sound was not there.
    pub missing: Vec<String>,
    /// SHA-256 over names and contents of everything before, hexadecimal.
    pub sha256: String,
}

/// A backup, looked through from beginning to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// What it says of itself.
    pub manifest: Manifest,
    /// How much is in it.
    pub totals: Totals,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is there already.
    #[error("{0} is there already; choose another name")]
    Exists(String),
    /// It is encrypted, and no passphrase was given.
    #[error("the backup is encrypted: its passphrase is needed (--passphrase-file, LOA_BACKUP_PASSPHRASE, or typed)")]
    NoPassphrase,
    /// The passphrase is not its.
    #[error("the passphrase is not this backup's, or the beginning of the file is damaged")]
    Passphrase,
    /// It is not whole.
    #[error("the backup is damaged, cut off, or no backup of Loa: {0}")]
    Damaged(String),
    /// A newer program made it.
    #[error("the backup was made by a newer Loa ({loa}): {what}; restore it with that version or a newer one")]
    Newer {
        /// Its version.
        loa: String,
        /// What is not known here.
        what: String,
    },
    /// Where it should go there is something.
    #[error("{0} is not empty; restore into an empty one, or with --force put the backup in its place")]
    NotEmpty(String),
    /// A server runs there.
    #[error("a server runs on the data folder {0}; stop it first")]
    Running(String),
    /// The record in it is not whole.
    #[error("the record in the backup is not whole: {0}")]
    Record(String),
    /// The database cannot.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The vault cannot.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl BackupError {
    fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            path: path.display().to_string(),
            source,
        }
    }

    fn damaged(why: impl std::fmt::Display) -> Self {
        Self::Damaged(why.to_string())
    }
}

/// What `Manifest::head` says.
fn head(manifest: &Manifest) -> Result<store::record::Head, BackupError> {
    manifest.head.parse().map_err(BackupError::damaged)
}
