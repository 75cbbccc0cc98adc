//! `loa backup` and `loa restore`.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use zeroize::Zeroizing;

use super::{Place, actor, say};
use crate::backup::{self, BackupError, Contents, Plan, SecretString};
use crate::clock;
use crate::store::{Entry, More};

/// Where a passphrase may stand.
const VARIABLE: &str = "LOA_BACKUP_PASSPHRASE";
/// Shortest passphrase of a new backup, in characters.
const SHORTEST: usize = 12;

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// Tệp sẽ được ghi; phải chưa có. The file to write; it must not be there yet.
    file: PathBuf,
    /// Chỉ đọc và kiểm tra tệp. Only reads the file and checks that it is whole.
    #[arg(long, conflicts_with = "without_keys")]
    verify: bool,
    /// Không mã hóa, và bỏ mọi bí mật: khóa, bí mật của cụm loa, mật khẩu. Not encrypted, with everything secret left out: keys,
    /// receivers' secrets, passwords. Receivers must be enrolled anew after restoring it.
    #[arg(long)]
    without_keys: bool,
    #[command(flatten)]
    passphrase: Passphrase,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// Tệp sao lưu. The backup.
    file: PathBuf,
    /// Thay thế thư mục dữ liệu hiện có, được giữ lại dưới tên khác. Puts it in the place of the data folder that is there, which is kept under another
    /// name; a database at a URL is emptied first, in the same transaction.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    passphrase: Passphrase,
    #[command(flatten)]
    place: Place,
}

/// Where the passphrase is; never an argument, since arguments can be read by every user of the machine.
#[derive(Debug, Args)]
pub(super) struct Passphrase {
    /// Tệp có mật khẩu ở dòng đầu. A file with the passphrase in its first line. Or the variable LOA_BACKUP_PASSPHRASE; or it is asked for.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Backup {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.verify {
            let passphrase = self.passphrase.old(&self.file)?;
            let contents = backup::verify(&self.file, passphrase.as_ref())?;
            return tell("whole", &contents);
        }
        let passphrase = match self.without_keys {
            true => None,
            false => Some(self.passphrase.chosen()?),
        };
        let (_, data, store) = self.place.open().await?;
        let now = clock::now();
        let contents = backup::make(&data, &store, &self.file, passphrase.as_ref(), now).await?;
        let entry = Entry {
            at: now,
            actor: &actor(),
            what: "backup.make",
            subject: String::new(),
            detail: if self.without_keys { "without keys" } else { "" }.into(),
        };
        let more = More {
            after: Some(serde_json::json!({ "head": contents.manifest.head, "sha256": contents.totals.sha256 })),
            ..More::default()
        };
        store.note_more(entry, more).await?;
        store.close().await;
        tell("made", &contents)?;
        if self.without_keys {
            say("Không có khóa và bí mật / left out: keys, receivers' secrets, passwords, tokens, second factors\n")?;
        }
        Ok(())
    }
}

impl Restore {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.config()?;
        let plan = Plan {
            passphrase: self.passphrase.old(&self.file)?,
            file: self.file,
            data: config.data,
            database: config.database_url,
            force: self.force,
        };
        let restored = backup::restore(plan, actor(), clock::now()).await?;
        tell("restored", &restored.contents)?;
        if let Some(before) = &restored.before {
            say(&format!(
                "Dữ liệu trước đây / what was there before\t{}\n",
                before.display()
            ))?;
        }
        say("Mọi người phải đăng nhập lại / everybody must sign in again\n")?;
        if !restored.contents.manifest.keys {
            say("Không có khóa: ghi danh lại mọi cụm loa, đặt lại mật khẩu (`loa user passwd`)\n")?;
            say("There were no keys in it: enrol every receiver anew, set passwords (`loa user passwd`)\n")?;
        }
        Ok(())
    }
}

fn tell(what: &str, it: &Contents) -> anyhow::Result<()> {
    let rows: u64 = it.totals.tables.values().sum();
    let (manifest, totals) = (&it.manifest, &it.totals);
    say(&format!(
        "{what}\t{} tables, {rows} rows, {} files\tfrom {} by loa {}\trecord {}\n",
        totals.tables.len(),
        totals.files,
        manifest.database,
        manifest.loa,
        manifest.head
    ))?;
    for missing in &totals.missing {
        say(&format!("missing\t{missing}: was not there when the backup was made\n"))?;
    }
    Ok(())
}

impl Passphrase {
    /// The passphrase of a new backup.
    fn chosen(&self) -> anyhow::Result<SecretString> {
        let passphrase = match self.given()? {
            Some(given) => given,
            None if !std::io::stdin().is_terminal() => bail!(
                "a backup holds keys and needs a passphrase: --passphrase-file FILE or {VARIABLE}; or leave out all that is secret: --without-keys"
            ),
            None => {
                let first = Zeroizing::new(rpassword::prompt_password(
                    "Mật khẩu của tệp sao lưu / Passphrase of the backup: ",
                )?);
                let second = Zeroizing::new(rpassword::prompt_password("Nhập lại / Again: ")?);
                if *first != *second {
                    bail!("the two passphrases differ; nothing was written");
                }
                first
            }
        };
        if passphrase.chars().count() < SHORTEST {
            bail!(
                "a passphrase of at least {SHORTEST} characters is needed: whoever has the file can try as many as they like"
            );
        }
        Ok(SecretString::from(passphrase.as_str().to_owned()))
    }

    /// The passphrase of a backup that is there; none if it needs none.
    fn old(&self, file: &std::path::Path) -> anyhow::Result<Option<SecretString>> {
        if let Some(given) = self.given()? {
            return Ok(Some(SecretString::from(given.as_str().to_owned())));
        }
        let mut beginning = [0; 4];
        let opened = std::fs::File::open(file).with_context(|| file.display().to_string())?;
        let read = opened.take(4).read(&mut beginning)?;
        if &beginning[..read] != b"age-" {
            return Ok(None);
        }
        if !std::io::stdin().is_terminal() {
            bail!(BackupError::NoPassphrase);
        }
        let typed = rpassword::prompt_password("Mật khẩu của tệp sao lưu / Passphrase of the backup: ")?;
        Ok(Some(SecretString::from(typed)))
    }

    fn given(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        if let Some(path) = &self.passphrase_file {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let text = Zeroizing::new(text);
            let line = text.lines().next().unwrap_or_default();
            return Ok(Some(Zeroizing::new(line.to_owned())));
        }
        Ok(std::env::var(VARIABLE).ok().map(Zeroizing::new))
    }
}
