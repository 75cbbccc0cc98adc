//! `loa area`.

use anyhow::Context as _;
use clap::Subcommand;
use loa_protocol::AreaId;

use super::{Place, actor, say};
use crate::clock;
use crate::store::{Area, NewArea, Store};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Thêm địa bàn; in mã của địa bàn đó.
    /// Adds an area and prints its identifier.
    #[command(verbatim_doc_comment)]
    Add {
        /// Tên. Its name.
        name: String,
        /// Loại: province, group, commune, village … What kind of area.
        #[arg(long, default_value = "commune")]
        kind: String,
        /// Địa bàn cấp trên: mã hoặc mã hành chính. The area that it lies in: identifier or official code.
        #[arg(long, value_name = "AREA")]
        parent: Option<String>,
        /// Mã hành chính. Its official code.
        #[arg(long)]
        code: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Liệt kê địa bàn, mỗi địa bàn sau cấp trên của nó.
    /// Lists areas, each after the one that it lies in.
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
                kind,
                parent,
                code,
                place,
            } => {
                let (_, _, store) = place.open().await?;
                let parent = match parent {
                    Some(named) => Some(find(&store, &named).await?.id),
                    None => None,
                };
                let area = store
                    .add_area(
                        &actor(),
                        clock::now(),
                        NewArea {
                            parent,
                            kind,
                            name,
                            code,
                        },
                    )
                    .await?;
                say(&format!("{}\n", area.id))?;
                store.close().await;
            }
            Self::List { place } => {
                let (_, _, store) = place.open().await?;
                for area in store.areas().await? {
                    let indent = "  ".repeat(area.path.len() - 1);
                    let code = area.code.unwrap_or_default();
                    say(&format!("{}\t{}\t{code}\t{indent}{}\n", area.id, area.kind, area.name))?;
                }
                store.close().await;
            }
        }
        Ok(())
    }
}

/// The area with that identifier or official code.
pub(super) async fn find(store: &Store, named: &str) -> anyhow::Result<Area> {
    let id = AreaId::parse(named);
    let areas = store.areas().await?;
    let found = areas
        .into_iter()
        .find(|area| Some(area.id) == id || area.code.as_deref() == Some(named));
    found.with_context(|| format!("there is no area {named}; `loa area list` lists them"))
}
