//! Restoring. Here: the whole file is read and checked before anything is touched; then a data folder is built beside, and
//! takes its place at the very end. A database inside the folder comes with it; one at a URL is filled in one transaction.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use loa_protocol::UnixMicros;
use tokio::runtime::Handle;

use super::read::{Piece, verify, walk};
use super::{BackupError, Contents, SecretString, head};
use crate::data::{self, DataFolder, Vault};
use crate::serve;
use crate::store::dump::Filling;
use crate::store::{Actor, Entry, More, Store};

/// What is to be restored where.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The backup.
    pub file: PathBuf,
    /// Its passphrase, if it has one.
    pub passphrase: Option<SecretString>,
    /// The data folder.
    pub data: PathBuf,
    /// The database, if it is not in the data folder.
    pub database: Option<String>,
    /// Put it in the place of what is there.
    pub force: bool,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What was in the backup.
    pub contents: Contents,
    /// Where the data folder is now that was there before.
    pub before: Option<PathBuf>,
}

/// Restores a backup.
///
/// # Errors
/// When it is not whole, there is something already where it should go, or it cannot be written there; nothing was
/// changed then.
pub async fn restore(plan: Plan, actor: Actor, now: UnixMicros) -> Result<Restored, BackupError> {
    let handle = Handle::current();
    let work = move || run(&plan, &actor, now, &handle);
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| BackupError::damaged(format!("restoring broke off: {error}")))?
}

fn run(plan: &Plan, actor: &Actor, now: UnixMicros, handle: &Handle) -> Result<Restored, BackupError> {
    let passphrase = plan.passphrase.as_ref();
    let contents = verify(&plan.file, passphrase)?;
    let target = std::path::absolute(&plan.data).map_err(BackupError::at(&plan.data))?;
    let name = target.display().to_string();
    let full = is_full(&target)?;
    let mut lock = None;
    if full {
        if !plan.force {
            return Err(BackupError::NotEmpty(format!("the data folder {name}")));
        }
        let there = DataFolder::open(&target).map_err(BackupError::at(&target))?;
        lock = serve::lock(&there).map_err(BackupError::at(&target))?;
        if lock.is_none() {
            return Err(BackupError::Running(name));
        }
    }
    let sibling = |word: &str| {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{word}-{}", now.0));
        target.with_file_name(name)
    };
    let half = Half(sibling("restore"));
    if let Some(parent) = half.0.parent() {
        fs::create_dir_all(parent).map_err(BackupError::at(parent))?;
    }
    DirBuilder::new()
        .mode(0o700)
        .create(&half.0)
        .map_err(BackupError::at(&half.0))?;
    build(plan, &contents, &half.0, actor, now, handle)?;

    let mut before = None;
    if full {
        let kept = sibling("before");
        fs::rename(&target, &kept).map_err(BackupError::at(&target))?;
        before = Some(kept);
    }
    fs::rename(&half.0, &target).map_err(BackupError::at(&target))?;
    let parent = target.parent().unwrap_or(Path::new("/"));
    sync(parent)?;
    drop(lock);
    Ok(Restored { contents, before })
}

/// A folder that goes unless it got its name.
struct Half(PathBuf);

impl Drop for Half {
    fn drop(&mut self) {
        // After the rename there is nothing left to remove.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_full(folder: &Path) -> Result<bool, BackupError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(BackupError::at(folder)(error)),
    }
}

fn build(
    plan: &Plan,
    contents: &Contents,
    half: &Path,
    actor: &Actor,
    now: UnixMicros,
    handle: &Handle,
) -> Result<(), BackupError> {
    let folder = DataFolder::open(half).map_err(BackupError::at(half))?;
    let url = match &plan.database {
        Some(url) => url.clone(),
        None => folder.database_url().map_err(BackupError::at(half))?,
    };
    let versions = &contents.manifest.migrations;
    let filling = handle.block_on(Filling::begin(&url, versions, plan.force))?;
    let mut filling = filling.ok_or_else(|| BackupError::NotEmpty("the database".into()))?;
    let again = walk(&plan.file, plan.passphrase.as_ref(), &mut |_, piece| match piece {
        Piece::Page(page) => Ok(handle.block_on(filling.add(&page))?),
        Piece::File(kind, name, from) => write(&half.join(kind).join(name), from),
    })?;
    if again != *contents {
        return Err(BackupError::damaged("it was changed while it was read"));
    }
    let verdict = handle.block_on(filling.verify_record(&[head(&contents.manifest)?]))?;
    if let Some(fault) = verdict.and_then(|verdict| verdict.fault) {
        return Err(BackupError::Record(fault.to_string()));
    }
    let vault = Vault::open(&folder)?;
    handle.block_on(filling.check(&vault))?;
    for kind in super::FOLDERS {
        sync(&half.join(kind))?;
    }
    handle.block_on(filling.finish())?;
    handle.block_on(settle(contents, &folder, &url, vault, actor, now))?;
    sync(half)
}

/// Brings the tables up to date, and writes down what was done.
async fn settle(
    contents: &Contents,
    folder: &DataFolder,
    url: &str,
    vault: Vault,
    actor: &Actor,
    now: UnixMicros,
) -> Result<(), BackupError> {
    let store = Store::open(url, &folder.programmes(), vault).await?;
    let manifest = &contents.manifest;
    let entry = Entry {
        at: now,
        actor,
        what: "backup.restore",
        subject: String::new(),
        detail: match manifest.keys {
            true => String::new(),
            false => "without keys".into(),
        },
    };
    let after = serde_json::json!({ "at": manifest.at, "head": manifest.head, "loa": manifest.loa });
    let more = More {
        after: Some(after),
        ..More::default()
    };
    store.note_more(entry, more).await?;
    let end = store.head().await?;
    store.close().await;
    let path = folder.record_head();
    let key = data::signing_key(folder).map_err(BackupError::at(folder.keys()))?;
    serve::record::note(folder, &key, end, now).map_err(BackupError::at(path))
}

fn write(path: &Path, from: &mut dyn Read) -> Result<(), BackupError> {
    let wrong = || BackupError::at(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(wrong())?;
    io::copy(from, &mut file).map_err(wrong())?;
    file.sync_all().map_err(wrong())
}

fn sync(folder: &Path) -> Result<(), BackupError> {
    File::open(folder)
        .and_then(|it| it.sync_all())
        .map_err(BackupError::at(folder))
}
