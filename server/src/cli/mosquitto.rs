//! `loa mosquitto` and `loa emqx`: what an outside broker needs to know of the receivers, as files.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use super::{Place, say};
use crate::broker::{SERVER, mosquitto};
use crate::data;
use crate::playout::Archive as _;

#[derive(Debug, Args)]
pub(super) struct Mosquitto {
    /// Thư mục để ghi `acl` và `passwd`. The folder for `acl` and `passwd`.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Mosquitto {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (config, _, store) = self.place.open().await?;
        let url = config
            .mqtt_url
            .context("mqtt.url is not set: the embedded broker needs no files")?;
        if url.username != SERVER {
            bail!("mqtt.url must name the user {SERVER}: the access list gives the server's rights to that name");
        }
        let mut passwords = mosquitto::server_line(&url.password, &data::random());
        passwords += &mosquitto::claim_line(&data::random());
        for row in store.receivers().await? {
            // One password a user: while a secret is being replaced the receiver still comes in by the old one.
            passwords += &mosquitto::receiver_line(row.id, &row.secret, &data::random());
        }
        store.close().await;
        std::fs::create_dir_all(&self.out).with_context(|| self.out.display().to_string())?;
        for (name, text) in [("acl", mosquitto::access_list()), ("passwd", passwords)] {
            let file = self.out.join(name);
            replace(&file, &text).with_context(|| file.display().to_string())?;
            say(&format!("{}\n", file.display()))?;
        }
        Ok(())
    }
}

/// Puts the whole file in place or leaves the old one; only its owner can read it.
pub(super) fn replace(file: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut half = tempfile::NamedTempFile::new_in(file.parent().expect("it lies in a folder"))?;
    half.write_all(text.as_bytes())?;
    half.as_file().sync_all()?;
    half.persist(file).map_err(|error| error.error)?;
    Ok(())
}
