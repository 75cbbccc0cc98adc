//! Making a backup. Here: what goes in, in which order, so that it is of one instant: the database as one snapshot; of
//! sound the files that the snapshot knows, held by links of their own from then on; keys read before and after, since
//! they may be rotated meanwhile.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use loa_protocol::UnixMicros;
use ring::digest::{Context, SHA256};
use zeroize::Zeroizing;

use super::read::verify;
use super::{BackupError, Contents, FORM, Manifest, SecretString, Totals};
use crate::data::DataFolder;
use crate::store::Store;

/// Where what is written goes.
pub(super) enum Sink {
    Plain(BufWriter<File>),
    Sealed(Box<age::stream::StreamWriter<BufWriter<File>>>),
}

/// The archive, as far as it is written.
pub(super) struct Archive {
    tar: tar::Builder<Sink>,
    sum: Context,
    pub(super) totals: Totals,
}

/// Writes a backup to `path`, which must not be there yet: whole, synced and read back before it has that name. Without a
/// passphrase everything secret is left out.
///
/// # Errors
/// When something cannot be read or written; nothing is left at `path` then.
pub async fn make(
    data: &DataFolder,
    store: &Store,
    path: &Path,
    passphrase: Option<&SecretString>,
    now: UnixMicros,
) -> Result<Contents, BackupError> {
    if path.exists() {
        return Err(BackupError::Exists(path.display().to_string()));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let half = tempfile::Builder::new()
        .prefix(".loa-backup-")
        .tempfile_in(folder)
        .map_err(BackupError::at(folder))?;
    let wrong = || BackupError::at(path);
    let file = BufWriter::with_capacity(1 << 16, half.reopen().map_err(wrong())?);
    let sink = match passphrase {
        None => Sink::Plain(file),
        Some(passphrase) => {
            let sealing = age::Encryptor::with_user_passphrase(passphrase.clone());
            Sink::Sealed(Box::new(sealing.wrap_output(file).map_err(wrong())?))
        }
    };
    let archive = Archive::new(sink);
    fill(archive, data, store, passphrase.is_some(), path, now).await?;
    // A backup is worth what can be read of it.
    let contents = verify(half.path(), passphrase)?;
    half.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(path.display().to_string()),
        _ => BackupError::at(path)(error.error),
    })?;
    File::open(folder)
        .and_then(|it| it.sync_all())
        .map_err(BackupError::at(folder))?;
    Ok(contents)
}

async fn fill(
    mut archive: Archive,
    data: &DataFolder,
    store: &Store,
    secrets: bool,
    path: &Path,
    now: UnixMicros,
) -> Result<(), BackupError> {
    let wrong = || BackupError::at(path);
    let mut keys = BTreeMap::new();
    if secrets {
        read_keys(&data.keys(), &mut keys)?;
    }
    let mut snapshot = store.snapshot().await?;
    if secrets {
        read_keys(&data.keys(), &mut keys)?;
    }
    let held = hold(data, snapshot.bulletins().await?, &mut archive.totals.missing)?;

    let manifest = Manifest {
        form: FORM,
        loa: env!("CARGO_PKG_VERSION").into(),
        at: now.0,
        database: store.kind_name().into(),
        migrations: snapshot.versions().await?,
        head: snapshot.head().await?.to_string(),
        keys: secrets,
    };
    let manifest = serde_json::to_vec(&manifest).expect("it is JSON");
    archive.add("manifest.json", &manifest).map_err(wrong())?;
    for table in snapshot.tables().await? {
        let mut number = 0;
        let rows = snapshot.rows::<BackupError>(&table, secrets, |page| {
            let mut text = serde_json::to_string(&page.columns).expect("it is JSON") + "\n";
            for row in &page.rows {
                text += &serde_json::to_string(row).expect("it is JSON");
                text.push('\n');
            }
            number += 1;
            let name = format!("database/{table}/{number:06}.jsonl");
            archive.add(&name, text.as_bytes()).map_err(wrong())
        });
        let rows = rows.await?;
        archive.totals.tables.insert(table, rows);
    }
    drop(snapshot);
    for (name, bytes) in &keys {
        archive.add(&format!("keys/{name}"), bytes).map_err(wrong())?;
        archive.totals.files += 1;
    }
    for (name, path) in &held.files {
        let file = File::open(path).map_err(BackupError::at(path))?;
        archive.add_file(name, file).map_err(wrong())?;
        archive.totals.files += 1;
    }
    archive.finish().map_err(wrong())
}

/// Keys are small; what was read stays in memory only as long as it must.
fn read_keys(folder: &Path, keys: &mut BTreeMap<String, Zeroizing<Vec<u8>>>) -> Result<(), BackupError> {
    let wrong = || BackupError::at(folder);
    for entry in fs::read_dir(folder).map_err(wrong())? {
        let entry = entry.map_err(wrong())?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !entry.file_type().map_err(wrong())?.is_file() || !super::read::is_plain(&name) {
            continue;
        }
        match fs::read(entry.path()) {
            Ok(bytes) => _ = keys.insert(name, Zeroizing::new(bytes)),
            // Rotated away since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(BackupError::at(entry.path())(error)),
        }
    }
    Ok(())
}

/// Files that stay, whoever removes them meanwhile.
struct Held {
    files: Vec<(String, PathBuf)>,
    _folder: tempfile::TempDir,
}

fn hold(data: &DataFolder, bulletins: Vec<String>, missing: &mut Vec<String>) -> Result<Held, BackupError> {
    let originals = data.originals();
    let root = originals.parent().expect("it lies in the data folder");
    let folder = tempfile::Builder::new()
        .prefix(".backup-")
        .tempdir_in(root)
        .map_err(BackupError::at(root))?;
    let mut files = Vec::new();
    for id in bulletins {
        let (programme, original) = (format!("{id}.opus"), id.clone());
        for (kind, name) in [("programmes", programme), ("originals", original)] {
            let path = root.join(kind).join(&name);
            let link = folder.path().join(format!("{kind}-{name}"));
            let held = match fs::hard_link(&path, &link) {
                Ok(()) => link,
                // On another disk.
                Err(_) if path.exists() => path,
                Err(_) => {
                    missing.push(format!("{kind}/{name}"));
                    continue;
                }
            };
            files.push((format!("{kind}/{name}"), held));
        }
    }
    Ok(Held { files, _folder: folder })
}

impl Archive {
    pub(super) fn new(sink: Sink) -> Self {
        Self {
            tar: tar::Builder::new(sink),
            sum: Context::new(&SHA256),
            totals: Totals::default(),
        }
    }

    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.add_from(name, bytes.len() as u64, bytes)
    }

    fn add_file(&mut self, name: &str, file: File) -> io::Result<()> {
        let length = file.metadata()?.len();
        self.add_from(name, length, file)
    }

    fn add_from(&mut self, name: &str, length: u64, from: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_size(length);
        header.set_mode(0o600);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        super::read::begin(&mut self.sum, name, length);
        let mut summed = Summed {
            from: from.take(length),
            sum: &mut self.sum,
        };
        self.tar.append_data(&mut header, name, &mut summed)?;
        match summed.from.limit() {
            0 => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{name} became shorter"),
            )),
        }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.totals.sha256 = super::read::hex(self.sum.clone());
        let end = serde_json::to_vec(&self.totals).expect("it is JSON");
        self.add("end.json", &end)?;
        let file = match self.tar.into_inner()? {
            Sink::Plain(file) => file,
            Sink::Sealed(sealed) => sealed.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

struct Summed<'a, R> {
    from: io::Take<R>,
    sum: &'a mut Context,
}

impl<R: Read> Read for Summed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.sum.update(&buffer[..count]);
        Ok(count)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Sealed(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Sealed(file) => file.flush(),
        }
    }
}
