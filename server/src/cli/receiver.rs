//! `loa receiver`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use super::{Place, actor, area, private_file, say};
use crate::clock;
use crate::data;
use crate::enrol;
use crate::http::VOLUME;
use crate::serve;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ghi danh cụm loa: in mã và ghi tệp để nạp vào bộ nhớ của nó. Tệp chứa bí mật và chỉ được ghi một lần.
    /// Enrols a receiver: prints its identifier and writes what goes into its flash, which holds its secret, this once.
    #[command(verbatim_doc_comment)]
    Add {
        /// Tên. Its name.
        name: String,
        /// Địa bàn: mã hoặc mã hành chính. The area that it lies in: identifier or official code.
        #[arg(long)]
        area: String,
        /// Tệp sẽ được ghi; phải chưa có. The file to write; it must not be there yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Âm lượng, phần trăm. Its volume, in per cent.
        #[arg(long, default_value_t = VOLUME, value_parser = clap::value_parser!(u8).range(0..=100))]
        volume: u8,
        /// Tên hay địa chỉ mà cụm loa này gọi máy chủ, nếu khác public.host. What this receiver calls the server.
        #[arg(long, value_parser = crate::config::host)]
        host: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Liệt kê cụm loa.
    /// Lists receivers.
    #[command(verbatim_doc_comment)]
    List {
        #[command(flatten)]
        place: Place,
    },
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add {
                name,
                area,
                out,
                volume,
                host,
                place,
            } => {
                let (config, folder, store) = place.open().await?;
                let key = data::signing_key(&folder).context("the signing key")?;
                let known = enrol::Known {
                    server_key: key.verifying_key(),
                    mqtt_port: config.mqtt_tls_listen.unwrap_or(config.mqtt_listen).port(),
                    media_port: config.media_listen.port(),
                    mqtt_ca: serve::authority(&config, &folder)?,
                };
                let told = enrol::place(&config, &known, host.as_deref())?;
                let area = area::find(&store, &area).await?.id;
                // First the file: a receiver whose enrolment nobody has would be of no use.
                let mut file = private_file(&out)?;
                let new = enrol::New { name, area, volume };
                let receiver = match enrol::enrol(&store, &told, &actor(), clock::now(), new).await {
                    Ok((receiver, bytes)) => {
                        file.write_all(&bytes).and_then(|()| file.sync_all()).with_context(|| {
                            format!(
                                "receiver {} is enrolled, but {} cannot be written",
                                receiver.id,
                                out.display()
                            )
                        })?;
                        receiver
                    }
                    Err(error) => {
                        let _ = std::fs::remove_file(&out);
                        bail!(error);
                    }
                };
                say(&format!("{}\n", receiver.id))?;
                store.close().await;
            }
            Self::List { place } => {
                let (_, _, store) = place.open().await?;
                for it in store.list_receivers().await? {
                    let state = if it.online { "online" } else { "offline" };
                    say(&format!(
                        "{}\t{}\t{state}\t{} %\t{}\n",
                        it.id, it.area, it.volume, it.name
                    ))?;
                }
                store.close().await;
            }
        }
        Ok(())
    }
}
