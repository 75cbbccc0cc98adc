//! The server's own secrets: made once, kept in files that only it can read; a file that others can read is refused.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use loa_protocol::SigningKey;
use rand::RngExt as _;

use super::DataFolder;

/// `N` bytes that nobody can guess.
pub fn random<const N: usize>() -> [u8; N] {
    rand::rng().random()
}

/// A token that nobody can guess: 64 hexadecimal digits.
pub fn fresh_token() -> String {
    let digits: [u8; 64] = loa_protocol::id::hex(&random::<32>());
    String::from_utf8(digits.to_vec()).expect("hexadecimal digits")
}

/// The key by which the record's end is signed where it is noted; not the one that commands are signed with, which may lie in
/// a token and changes.
///
/// # Errors
/// When it cannot be read, or made.
pub fn record_key(folder: &DataFolder) -> io::Result<SigningKey> {
    kept(&folder.keys().join("record.key")).map(|key| SigningKey::from_bytes(&key))
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
    let mut file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let text = format!("{}: others can read it (mode {mode:o}): chmod 600", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    file.read_to_end(&mut bytes)?;
    let wrong = |bytes: Vec<u8>| {
        let text = format!("{}: must hold 32 bytes, but holds {}", path.display(), bytes.len());
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    bytes.try_into().map_err(wrong)
}

/// Overwrites the file `path` and removes it; `false` if there was none. What the disk has kept elsewhere of it, stays.
pub(super) fn destroy(path: &Path) -> io::Result<bool> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    file.write_all(&[0; 32])?;
    file.sync_all()?;
    std::fs::remove_file(path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataFolder, KeyPlace};

    #[test]
    fn keys_are_made_once_and_shut_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(&folder.path().join("đài xã")).unwrap();
        let key = |data: &DataFolder| KeyPlace::Folder(data.keys()).make(1).map(|key| key.verifying_key());
        let made = key(&data).unwrap();
        assert_eq!(key(&data).unwrap(), made);
        let other = DataFolder::open(&folder.path().join("other")).unwrap();
        assert_ne!(key(&other).unwrap(), made);
        let file = data.keys().join("signing.key");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(&data.keys()), 0o700);
        assert_eq!(std::fs::read_dir(data.keys()).unwrap().count(), 1);

        for wide in [0o640, 0o604, 0o644] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(wide)).unwrap();
            let error = key(&data).err().unwrap().to_string();
            assert!(
                error.ends_with(&format!("others can read it (mode {wide:o}): chmod 600")),
                "{error}"
            );
        }
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&file, b"short").unwrap();
        let error = key(&data).err().unwrap().to_string();
        assert!(error.ends_with("must hold 32 bytes, but holds 5"), "{error}");
    }
}
