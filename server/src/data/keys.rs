//! The server's own secrets: made once, kept in files that only it can read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use loa_protocol::SigningKey;
use rand::RngExt as _;

use super::DataFolder;

/// `N` bytes that nobody can guess.
pub fn random<const N: usize>() -> [u8; N] {
    rand::rng().random()
}

/// The key that commands to receivers are signed with; made at the first call.
///
/// # Errors
/// When its file cannot be read or written, or holds something else.
pub fn signing_key(data: &DataFolder) -> io::Result<SigningKey> {
    Ok(SigningKey::from_bytes(&kept(&data.keys().join("signing.key"))?))
}

/// The 32 bytes in the file `path`, random ones if it is not there yet. Appears whole or not at all.
pub(super) fn kept(path: &Path) -> io::Result<[u8; 32]> {
    if !path.exists() {
        let key: [u8; 32] = random();
        let half = path.with_extension(format!("new{}", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&half)?;
        file.write_all(&key)?;
        file.sync_all()?;
        // Not a rename: of two processes that come here at once, the second keeps what the first has made.
        match std::fs::hard_link(&half, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => std::fs::remove_file(&half)?,
        }
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    }
    read(path)
}

/// The 32 bytes in the file `path`.
pub(super) fn read(path: &Path) -> io::Result<[u8; 32]> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let wrong = |bytes: Vec<u8>| {
        let text = format!("{}: must hold 32 bytes, but holds {}", path.display(), bytes.len());
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    bytes.try_into().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn keys_are_made_once_and_shut_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(&folder.path().join("đài xã")).unwrap();
        let key = signing_key(&data).unwrap();
        assert_eq!(signing_key(&data).unwrap().to_bytes(), key.to_bytes());
        let other = DataFolder::open(&folder.path().join("other")).unwrap();
        assert_ne!(signing_key(&other).unwrap().to_bytes(), key.to_bytes());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data.keys().join("signing.key")), 0o600);
        assert_eq!(mode(&data.keys()), 0o700);
        assert_eq!(std::fs::read_dir(data.keys()).unwrap().count(), 1);

        std::fs::write(data.keys().join("signing.key"), b"short").unwrap();
        let error = signing_key(&data).unwrap_err().to_string();
        assert!(error.ends_with("must hold 32 bytes, but holds 5"), "{error}");
    }
}
