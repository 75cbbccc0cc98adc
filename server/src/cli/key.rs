//! `loa key`: the server's own keys.

use clap::{Subcommand, ValueEnum};

use super::{Place, actor, say};
use crate::clock;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Thay khóa bằng khóa mới; cũng dùng được khi máy chủ đang chạy.
    /// Puts a new key in place of one; also beside a running server.
    #[command(verbatim_doc_comment)]
    Rotate {
        /// Khóa nào. Which key.
        #[arg(value_enum)]
        key: Which,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Which {
    /// The key that secrets in the database are sealed under.
    Vault,
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Rotate {
                key: Which::Vault,
                place,
            } => {
                let (_, _, store) = place.open().await?;
                let rotated = store.rotate_vault(&actor(), clock::now()).await?;
                say(&format!(
                    "vault\t{}\t{} secrets sealed anew\n",
                    rotated.key, rotated.secrets
                ))?;
                store.close().await;
            }
        }
        Ok(())
    }
}
