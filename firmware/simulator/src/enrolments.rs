//! Where simulated receivers come from: files with an enrolment each, as they lie in a board's flash.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use loa_protocol::flash::Flash;

/// Enrolments that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum WrongEnrolments {
    /// A folder or file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{} is no enrolment file: it begins neither with LOA1 nor, as a claim configuration, with LOA0", path.display())]
    Other {
        /// Which.
        path: PathBuf,
    },
    /// A file is damaged.
    #[error("the enrolment in {} is damaged: {error}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: loa_protocol::Error,
    },
    /// There are not as many as were asked for.
    #[error("{} holds {found} enrolments, but {wanted} receivers were asked for; enrol more, or ask for fewer", folder.display())]
    TooFew {
        /// Where.
        folder: PathBuf,
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
}

/// Reads the first `wanted` enrolment files of `folder` in the order of their names, or all of them; says in which file
/// each lies. Hidden files and folders are passed over.
///
/// # Errors
/// A file that is no enrolment, or not enough of them.
pub fn read(folder: &Path, wanted: Option<usize>) -> Result<Vec<(PathBuf, Flash)>, WrongEnrolments> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| WrongEnrolments::Unreadable { path, source }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    if let Some(wanted) = wanted.filter(|wanted| *wanted > paths.len()) {
        return Err(WrongEnrolments::TooFew {
            folder: folder.into(),
            found: paths.len(),
            wanted,
        });
    }
    paths.truncate(wanted.unwrap_or(usize::MAX));
    paths
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).map_err(unreadable(&path))?;
            match Flash::decode(&bytes) {
                Ok(Some(flash)) => Ok((path, flash)),
                Ok(None) => Err(WrongEnrolments::Other { path }),
                Err(error) => Err(WrongEnrolments::Damaged { path, error }),
            }
        })
        .collect()
}

/// Puts `flash` into the file `path` in place of what was there: whenever the power fails, one or the other is there, whole.
///
/// # Errors
/// The disk's; what was there is there then.
pub fn keep(path: &Path, flash: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.new"));
    let mut file = File::create(&new)?;
    file.write_all(flash)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use loa_protocol::key::Secret;
    use loa_protocol::{ReceiverId, SigningKey};
    use loa_receiver::Enrolment;

    fn enrolment(n: u8) -> Enrolment {
        Enrolment {
            receiver: ReceiverId([n; 16]),
            secret: Secret([n; 32]),
            server_key: SigningKey::from_bytes(&[1; 32]).verifying_key(),
            areas: Default::default(),
            mqtt_host: "localhost".try_into().unwrap(),
            mqtt_port: 1883,
            mqtt_ca: None,
            media_host: "localhost".try_into().unwrap(),
            media_port: 5004,
            key_number: 1,
            next_ca: None,
            epoch: 0,
            unfinished: None,
        }
    }

    #[test]
    fn what_is_kept_takes_the_place_of_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.loa");
        let mut bytes = [0; 2048];
        for n in [1, 2] {
            let length = enrolment(n).encode(&mut bytes).unwrap();
            keep(&path, &bytes[..length]).unwrap();
            let read = read(folder.path(), None).unwrap();
            assert_eq!(read, [(path.clone(), Flash::Enrolled(enrolment(n)))]);
        }
        assert!(keep(&folder.path().join("nowhere/1.loa"), b"").is_err());
    }

    #[test]
    fn the_first_files_by_name_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = [0; 2048];
        for n in [3, 1, 2] {
            let length = enrolment(n).encode(&mut bytes).unwrap();
            std::fs::write(folder.path().join(format!("{n}.loa")), &bytes[..length]).unwrap();
        }
        std::fs::write(folder.path().join(".note"), "not one of them").unwrap();
        let names = |wanted| {
            let read = read(folder.path(), wanted).unwrap();
            read.into_iter()
                .map(|(_, flash)| match flash {
                    Flash::Enrolled(enrolment) => enrolment.receiver.0[0],
                    Flash::Claiming(_) => 0,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Some(2)), [1, 2]);
        assert_eq!(names(None), [1, 2, 3]);
        let error = read(folder.path(), Some(4)).unwrap_err().to_string();
        assert!(error.contains("holds 3 enrolments, but 4"), "{error}");
        std::fs::write(folder.path().join("0.txt"), "something else").unwrap();
        assert!(
            read(folder.path(), None)
                .unwrap_err()
                .to_string()
                .contains("0.txt is no enrolment file")
        );
        std::fs::write(folder.path().join("0.txt"), b"LOA1\0\x05\xA1\0").unwrap();
        assert!(read(folder.path(), None).unwrap_err().to_string().contains("cut short"));
    }
}
