//! `loa receiver`.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use arc_swap::ArcSwap;
use clap::Subcommand;
use loa_protocol::ReceiverId;
use loa_protocol::agreement::PrivateKey;
use loa_protocol::flash::Flash;

use super::{Place, actor, area, private_file, say};
use crate::clock;
use crate::data;
use crate::enrol;
use crate::http::VOLUME;
use crate::serve;
use crate::store::{Receiver, Store};

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
    /// Ghi danh lại, vào mạch cũ hoặc mạch thay thế: bí mật mới, bí mật cũ mất hiệu lực ngay; tên, địa bàn và lịch sử giữ nguyên.
    /// Enrols a receiver again, in the same hardware or in another: a new secret, the old one is dead at once; history stays.
    #[command(verbatim_doc_comment)]
    Replace {
        /// Mã cụm loa. The receiver's identifier.
        receiver: String,
        /// Tệp sẽ được ghi; phải chưa có. The file to write; it must not be there yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Tên hay địa chỉ mà cụm loa này gọi máy chủ, nếu khác public.host. What this receiver calls the server.
        #[arg(long, value_parser = crate::config::host)]
        host: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Thu hồi: cụm loa im ngay và mất bí mật; lịch sử giữ nguyên. Chỉ ghi danh lại mới dùng được tiếp.
    /// Revokes a receiver: silent at once, its secret destroyed, its history kept. Undone by `replace` alone.
    #[command(verbatim_doc_comment)]
    Revoke {
        /// Mã cụm loa. The receiver's identifier.
        receiver: String,
        #[command(flatten)]
        place: Place,
    },
    /// Thay bí mật của cụm loa qua mạng; nếu đang vắng mặt thì khi nó trở lại.
    /// Orders a new secret from a receiver over the network, now or when it comes.
    #[command(verbatim_doc_comment)]
    Rotate {
        /// Mã cụm loa. The receiver's identifier.
        receiver: String,
        #[command(flatten)]
        place: Place,
    },
    /// Ghi tệp cấu hình để nạp vào mọi mạch chưa ghi danh: chúng hiện mã và chờ được duyệt. Không có bí mật.
    /// Writes what every device without identity is flashed with: it shows a code and waits to be approved. No secret.
    #[command(verbatim_doc_comment)]
    ClaimConfig {
        /// Tệp sẽ được ghi; phải chưa có. The file to write; it must not be there yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Tạo sẵn khóa cho một mạch và in mã của nó; tệp chỉ dùng cho mạch đó.
        /// Makes one device's key beforehand and prints its code; the file is for that device alone.
        #[arg(long, verbatim_doc_comment)]
        device: bool,
        /// Tên hay địa chỉ mà mạch gọi máy chủ, nếu khác public.host. What the device calls the server.
        #[arg(long, value_parser = crate::config::host)]
        host: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Ghi ảnh UF2 có tệp ghi danh (hoặc cấu hình) bên trong, để kéo vào ổ USB của mạch RP2350.
    /// Writes a UF2 image with an enrolment (or a claim configuration) in it, for the USB drive of an RP2350 board.
    #[command(verbatim_doc_comment)]
    Image {
        /// Tệp ghi danh hoặc cấu hình. The enrolment or the claim configuration.
        #[arg(long, value_name = "FILE")]
        enrolment: PathBuf,
        /// Phần mềm (UF2) đi cùng. Firmware (UF2) to go with it.
        #[arg(long, value_name = "FILE")]
        firmware: Option<PathBuf>,
        /// Tệp sẽ được ghi; phải chưa có. The file to write; it must not be there yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Địa chỉ trong bộ nhớ. Address in flash.
        #[arg(long, default_value = "0x101f0000", value_parser = address)]
        address: u32,
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
                let (store, told) = open(&place, host.as_deref()).await?;
                let area = area::find(&store, &area).await?.id;
                let new = enrol::New {
                    name,
                    area,
                    volume,
                    position: None,
                };
                let actor = actor();
                let enrolled = enrol::enrol(&store, &told, &actor, clock::now(), new);
                say(&format!("{}\n", into_file(&out, enrolled).await?))?;
                store.close().await;
            }
            Self::Replace {
                receiver,
                out,
                host,
                place,
            } => {
                let (store, told) = open(&place, host.as_deref()).await?;
                let (id, actor) = (identifier(&receiver)?, actor());
                let enrolled = enrol::enrol_again(&store, &told, &actor, clock::now(), id);
                say(&format!("{}\n", into_file(&out, enrolled).await?))?;
                store.close().await;
            }
            Self::Revoke { receiver, place } => {
                let (_, _, store) = place.open().await?;
                store
                    .revoke_receiver(&actor(), clock::now(), identifier(&receiver)?)
                    .await?;
                store.close().await;
            }
            Self::Rotate { receiver, place } => {
                let (_, _, store) = place.open().await?;
                store
                    .order_rotation(&actor(), clock::now(), identifier(&receiver)?)
                    .await?;
                store.close().await;
            }
            Self::ClaimConfig {
                out,
                device,
                host,
                place,
            } => {
                let (store, told) = open(&place, host.as_deref()).await?;
                store.close().await;
                let key = device.then(|| PrivateKey::new(data::random()));
                let code = key.as_ref().map(|key| key.public().claim().code());
                let bytes = enrol::claim_configuration(&told, key)?;
                write(private_file(&out)?, &bytes).with_context(|| out.display().to_string())?;
                if let Some(code) = code {
                    say(&format!("{code}\n"))?;
                }
            }
            Self::Image {
                enrolment,
                firmware,
                out,
                address,
            } => {
                let read = |file: &PathBuf| std::fs::read(file).with_context(|| file.display().to_string());
                let bytes = read(&enrolment)?;
                ensure!(
                    matches!(Flash::decode(&bytes), Ok(Some(_))),
                    "{} is neither an enrolment nor a claim configuration",
                    enrolment.display()
                );
                let firmware = firmware.as_ref().map(read).transpose()?;
                let image = enrol::uf2::with_enrolment(firmware.as_deref(), &bytes, address)?;
                write(private_file(&out)?, &image).with_context(|| out.display().to_string())?;
            }
            Self::List { place } => {
                let (_, _, store) = place.open().await?;
                for it in store.list_receivers().await? {
                    let state = match (it.revoked, it.online) {
                        (Some(_), _) => "revoked",
                        (None, true) => "online",
                        (None, false) => "offline",
                    };
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

/// The database, and what receivers are told of the server.
async fn open(place: &Place, host: Option<&str>) -> anyhow::Result<(Store, enrol::Place)> {
    let (config, folder, store) = place.open().await?;
    let known = enrol::Known {
        keys: serve::keys::ring(&config, &folder, &store, clock::now()).await?,
        mqtt_port: config.mqtt_tls_listen.unwrap_or(config.mqtt_listen).port(),
        media_port: config.media_listen.port(),
        trusted: Arc::new(ArcSwap::from_pointee(serve::trusted(&config, &folder)?)),
    };
    let told = enrol::place(&config, &known, host)?;
    Ok((store, told))
}

/// Writes what is enrolled into a new file. First the file: a receiver whose enrolment nobody has would be of no use.
async fn into_file(
    out: &PathBuf,
    enrolled: impl Future<Output = Result<(Receiver, Vec<u8>), enrol::NotEnrolled>>,
) -> anyhow::Result<ReceiverId> {
    let file = private_file(out)?;
    match enrolled.await {
        Ok((receiver, bytes)) => {
            let id = receiver.id;
            write(file, &bytes)
                .with_context(|| format!("receiver {id} is enrolled, but {} cannot be written", out.display()))?;
            Ok(id)
        }
        Err(error) => {
            let _ = std::fs::remove_file(out);
            bail!(error);
        }
    }
}

fn write(mut file: std::fs::File, bytes: &[u8]) -> std::io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

fn identifier(text: &str) -> anyhow::Result<ReceiverId> {
    ReceiverId::parse(text)
        .with_context(|| format!("{text} is not a receiver's identifier; `loa receiver list` lists them"))
}

/// A number as one writes addresses: 0x101f0000, or in decimal.
fn address(text: &str) -> Result<u32, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| "an address such as 0x101f0000".into())
}
