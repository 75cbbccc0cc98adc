//! `loa emqx`: what an outside EMQX needs to know of the receivers, as files.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;

use super::mosquitto::replace;
use super::{Place, say};
use crate::broker::{SERVER, emqx};
use crate::data;
use crate::playout::Archive as _;

#[derive(Debug, Args)]
pub(super) struct Emqx {
    /// Thư mục để ghi `acl.conf` và `users.json`. The folder for `acl.conf` and `users.json`.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Emqx {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (config, _, store) = self.place.open().await?;
        let url = config
            .mqtt_url
            .context("mqtt.url is not set: the embedded broker needs no files")?;
        if url.username != SERVER {
            bail!("mqtt.url must name the user {SERVER}: the access list gives the server's rights to that name");
        }
        let mut users = vec![
            emqx::server(&url.password, &data::random()),
            emqx::claimants(&data::random()),
        ];
        for row in store.receivers().await? {
            users.push(emqx::receiver(row.id, &row.secret, &data::random()));
        }
        store.close().await;
        std::fs::create_dir_all(&self.out).with_context(|| self.out.display().to_string())?;
        let users = Value::from(users).to_string();
        for (name, text) in [("acl.conf", emqx::access_list()), ("users.json", users)] {
            let file = self.out.join(name);
            replace(&file, &text).with_context(|| file.display().to_string())?;
            say(&format!("{}\n", file.display()))?;
        }
        Ok(())
    }
}
