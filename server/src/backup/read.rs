//! Reading a backup from beginning to end. Here: decryption, and that every piece is where it may be and all are there.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use ring::digest::{Context, SHA256};
use serde_json::Value;

use super::{BackupError, Contents, FOLDERS, FORM, Manifest, SecretString, Totals};
use crate::store::dump::{self, Page};

/// How an encrypted one begins (age-encryption.org/v1).
const AGE: &[u8] = b"age-encryption.org/v1\n";
/// Work that a passphrase may cost at most, as a power of two (scrypt's N): a few seconds and a gigabyte.
const MAX_WORK: u8 = 20;
/// The largest piece that is held in memory, in bytes.
const MAX_PIECE: u64 = 64 << 20;

/// A piece of a backup.
pub(super) enum Piece<'a> {
    /// Rows.
    Page(Page),
    /// A file: folder, name, and what is in it.
    File(&'a str, &'a str, &'a mut dyn Read),
}

/// Reads all of the backup at `path` and checks that it is whole.
///
/// # Errors
/// When it is not, or cannot be read.
pub fn verify(path: &Path, passphrase: Option<&SecretString>) -> Result<Contents, BackupError> {
    walk(path, passphrase, &mut |_, piece| match piece {
        Piece::Page(_) => Ok(()),
        Piece::File(_, _, from) => io::copy(from, &mut io::sink()).map(drop).map_err(BackupError::damaged),
    })
}

/// Gives every piece to `take`, with the manifest; what it says at its end is checked last.
pub(super) fn walk(
    path: &Path,
    passphrase: Option<&SecretString>,
    take: &mut dyn FnMut(&Manifest, Piece<'_>) -> Result<(), BackupError>,
) -> Result<Contents, BackupError> {
    let mut archive = tar::Archive::new(open(path, passphrase)?);
    let mut sum = Context::new(&SHA256);
    let mut manifest: Option<Manifest> = None;
    let mut counted = Totals::default();
    let mut end: Option<Totals> = None;
    for entry in archive.entries().map_err(BackupError::damaged)? {
        let mut entry = entry.map_err(BackupError::damaged)?;
        let name = entry.path().map_err(BackupError::damaged)?;
        let name = name
            .to_str()
            .ok_or_else(|| BackupError::damaged("a name that is no text"))?
            .to_owned();
        if end.is_some() || entry.header().entry_type() != tar::EntryType::Regular {
            return Err(BackupError::damaged(format!("{name} is not to be there")));
        }
        let before = hex(sum.clone());
        let length = entry.size();
        begin(&mut sum, &name, length);
        let mut from = Summed {
            from: &mut entry,
            sum: &mut sum,
        };
        match (manifest.as_ref(), &*name.split('/').collect::<Vec<_>>()) {
            (None, ["manifest.json"]) => {
                let known: Manifest = serde_json::from_slice(&all(&mut from, length)?).map_err(BackupError::damaged)?;
                readable(&known)?;
                manifest = Some(known);
            }
            (None, _) => return Err(BackupError::damaged("it does not begin with its manifest")),
            (Some(manifest), ["database", table, file]) if is_plain(table) && file.ends_with(".jsonl") => {
                let page = page(table, &all(&mut from, length)?)?;
                *counted.tables.entry((*table).into()).or_default() += page.rows.len() as u64;
                take(manifest, Piece::Page(page))?;
            }
            (Some(manifest), [folder, file]) if FOLDERS.contains(folder) && is_plain(file) => {
                counted.files += 1;
                take(manifest, Piece::File(folder, file, &mut from))?;
                // What was not taken counts for the sum.
                io::copy(&mut from, &mut io::sink()).map_err(BackupError::damaged)?;
            }
            (Some(_), ["end.json"]) => {
                let totals: Totals = serde_json::from_slice(&all(&mut from, length)?).map_err(BackupError::damaged)?;
                if totals.sha256 != before {
                    return Err(BackupError::damaged("something in it was changed"));
                }
                end = Some(totals);
            }
            _ => return Err(BackupError::damaged(format!("{name} is not to be there"))),
        }
    }
    // To the very end, which alone shows that nothing was cut off.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(BackupError::damaged)?;
    let (Some(manifest), Some(totals)) = (manifest, end) else {
        return Err(BackupError::damaged("it ends too early"));
    };
    let rows = totals.tables.iter().filter(|(_, rows)| **rows > 0);
    if !rows.eq(counted.tables.iter()) || totals.files != counted.files {
        return Err(BackupError::damaged("not everything is there"));
    }
    Ok(Contents { manifest, totals })
}

/// Whether this program can read what that one wrote.
fn readable(manifest: &Manifest) -> Result<(), BackupError> {
    let newer = |what: String| BackupError::Newer {
        loa: manifest.loa.clone(),
        what,
    };
    if manifest.form > FORM {
        return Err(newer(format!("form {} of the file is not known here", manifest.form)));
    }
    let known = dump::known_versions();
    match manifest.migrations.iter().find(|it| !known.contains(it)) {
        Some(version) => Err(newer(format!("version {version} of the tables is not known here"))),
        None => Ok(()),
    }
}

fn open(path: &Path, passphrase: Option<&SecretString>) -> Result<Box<dyn Read>, BackupError> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(BackupError::at(path))?);
    if !file.fill_buf().map_err(BackupError::at(path))?.starts_with(AGE) {
        return Ok(Box::new(file));
    }
    let passphrase = passphrase.ok_or(BackupError::NoPassphrase)?;
    let mut identity = age::scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(MAX_WORK);
    let opening = age::Decryptor::new_buffered(file).map_err(wrong)?;
    let opened = opening
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .map_err(wrong)?;
    Ok(Box::new(opened))
}

fn wrong(error: age::DecryptError) -> BackupError {
    use age::DecryptError as E;
    match error {
        E::DecryptionFailed | E::KeyDecryptionFailed | E::NoMatchingKeys => BackupError::Passphrase,
        other => BackupError::damaged(other),
    }
}

fn all(from: &mut dyn Read, length: u64) -> Result<Vec<u8>, BackupError> {
    if length > MAX_PIECE {
        return Err(BackupError::damaged("a piece is too large"));
    }
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map_err(BackupError::damaged)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(BackupError::damaged("it ends too early")),
    }
}

fn page(table: &str, bytes: &[u8]) -> Result<Page, BackupError> {
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let columns = lines
        .next()
        .ok_or_else(|| BackupError::damaged("a table without columns"))?;
    let columns: Vec<String> = serde_json::from_slice(columns).map_err(BackupError::damaged)?;
    let row = |line: &[u8]| {
        let row: Vec<Value> = serde_json::from_slice(line).map_err(BackupError::damaged)?;
        match row.len() == columns.len() {
            true => Ok(row),
            false => Err(BackupError::damaged("a row of another length")),
        }
    };
    let rows = lines.map(row).collect::<Result<_, _>>()?;
    Ok(Page {
        table: table.into(),
        columns,
        rows,
    })
}

/// Whether `name` can be a file's in one of the folders, and nothing else.
pub(super) fn is_plain(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(fits)
}

/// Counts the name of a piece, and how long it is, into the sum.
pub(super) fn begin(sum: &mut Context, name: &str, length: u64) {
    sum.update(&(name.len() as u64).to_be_bytes());
    sum.update(name.as_bytes());
    sum.update(&length.to_be_bytes());
}

pub(super) fn hex(sum: Context) -> String {
    sum.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Summed<'a> {
    from: &'a mut dyn Read,
    sum: &'a mut Context,
}

impl Read for Summed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.sum.update(&buffer[..count]);
        Ok(count)
    }
}
