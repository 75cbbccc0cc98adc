//! `loa key`: the server's own keys, one following the other. A running server notices within a second.

use anyhow::{Context as _, bail, ensure};
use clap::{Subcommand, ValueEnum};
use loa_protocol::report::fingerprint;
use loa_protocol::succession::FIRST;

use super::{Place, actor, say};
use crate::broker::tls;
use crate::clock;
use crate::serve;
use crate::store::{Entry, Receiver, Store};

/// Which keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Which {
    /// Khóa ký lệnh. The key that commands are signed with.
    Signing,
    /// Nơi cấp chứng thư cho máy chủ MQTT bên trong. The authority for the embedded broker's certificate.
    Authority,
    /// Bí mật của mọi cụm loa. The secrets of all receivers.
    Receivers,
    /// Khóa niêm phong các bí mật trong cơ sở dữ liệu. The key that secrets in the database are sealed under.
    Vault,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Liệt kê các khóa, và bao nhiêu cụm loa đã theo khóa nào.
    /// Lists keys, and how many receivers trust which.
    #[command(verbatim_doc_comment)]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Thay khóa: khóa cũ giới thiệu khóa mới; cụm loa vắng mặt theo sau khi trở lại.
    /// Replaces keys with an overlap: receivers follow when they are there, however long they were away.
    #[command(verbatim_doc_comment)]
    Rotate {
        which: Which,
        /// Hủy khóa ký cũ ngay. Destroys the old signing key at once.
        #[arg(long)]
        destroy: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Kết thúc việc thay khóa: khóa cũ bị hủy.
    /// Ends the overlap: old private keys are destroyed; the broker shows a certificate of the new authority.
    #[command(verbatim_doc_comment)]
    Finish {
        which: Which,
        /// Kể cả khi có cụm loa chưa biết nơi cấp chứng thư mới: chúng phải được ghi danh lại.
        /// Even if some receivers do not trust the new authority yet: they have to be enrolled again.
        #[arg(long, verbatim_doc_comment)]
        force: bool,
        #[command(flatten)]
        place: Place,
    },
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { place } => list(&place).await,
            Self::Rotate { which, destroy, place } => {
                ensure!(
                    !destroy || which == Which::Signing,
                    "--destroy is for the signing key: the others are needed until receivers have followed"
                );
                match which {
                    Which::Signing => rotate_signing(&place, destroy).await,
                    Which::Authority => rotate_authority(&place).await,
                    Which::Receivers => rotate_receivers(&place).await,
                    Which::Vault => rotate_vault(&place).await,
                }
            }
            Self::Finish { which, force, place } => match which {
                Which::Signing => finish_signing(&place).await,
                Which::Authority => finish_authority(&place, force).await,
                Which::Receivers => bail!("a receiver's old secret goes by itself, once it has used the new one"),
                Which::Vault => bail!("the vault's old key went when everything was sealed under the new one"),
            },
        }
    }
}

/// Receivers that are not revoked.
async fn receivers(store: &Store) -> anyhow::Result<Vec<Receiver>> {
    let all = store.list_receivers().await?;
    Ok(all.into_iter().filter(|it| it.revoked.is_none()).collect())
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn list(place: &Place) -> anyhow::Result<()> {
    let (config, data, store) = place.open().await?;
    let ring = serve::keys::ring(&config, &data, &store, clock::now()).await?;
    let receivers = receivers(&store).await?;
    let newest = ring.trust().number;
    for key in store.signing_keys().await? {
        let number = key.trust.number;
        let trusting = receivers.iter().filter(|it| it.key_number.unwrap_or(FIRST) == number);
        let state = if number == newest { "signs" } else { "superseded" };
        say(&format!(
            "signing {number}\t{}\t{state}\t{} receivers\n",
            digits(key.trust.key.as_bytes()),
            trusting.count()
        ))?;
    }
    let trusted = serve::trusted(&config, &data)?;
    for (certificate, state) in [(&trusted.current, "shown"), (&trusted.next, "next")] {
        let Some(certificate) = certificate else { continue };
        let print = fingerprint(certificate);
        let trusting = receivers.iter().filter(|it| it.authority == Some(print)).count();
        say(&format!(
            "authority {}\t{state}\t{trusting} receivers\n",
            digits(&print)
        ))?;
    }
    let rotating = receivers.iter().filter(|it| it.rotating).count();
    say(&format!("receivers\t{}\t{rotating} being rotated\n", receivers.len()))?;
    store.close().await;
    Ok(())
}

async fn rotate_signing(place: &Place, destroy: bool) -> anyhow::Result<()> {
    let (config, data, store) = place.open().await?;
    let ring = serve::keys::ring(&config, &data, &store, clock::now()).await?;
    let old = ring.trust().number;
    let next = ring.succeed()?;
    store.add_signing_key(&actor(), clock::now(), &next).await?;
    if destroy {
        ring.place().destroy(old)?;
    }
    say(&format!(
        "signing {}\t{}\n",
        next.trust.number,
        digits(next.trust.key.as_bytes())
    ))?;
    store.close().await;
    Ok(())
}

async fn finish_signing(place: &Place) -> anyhow::Result<()> {
    let (config, data, store) = place.open().await?;
    let ring = serve::keys::ring(&config, &data, &store, clock::now()).await?;
    let newest = ring.trust().number;
    for number in FIRST..newest {
        if ring.place().destroy(number)? {
            note(&store, "key.destroy", format!("signing {number}")).await?;
            say(&format!("signing {number}\tdestroyed\n"))?;
        }
    }
    let behind = receivers(&store).await?;
    let behind = behind
        .iter()
        .filter(|it| it.key_number.is_some_and(|number| number < newest))
        .count();
    // What leads them there is kept for ever.
    say(&format!(
        "{behind} receivers have yet to follow, and will when they come\n"
    ))?;
    store.close().await;
    Ok(())
}

async fn rotate_authority(place: &Place) -> anyhow::Result<()> {
    let (config, data, store) = place.open().await?;
    ensure!(
        config.mqtt_url.is_none() && config.mqtt_tls_listen.is_some(),
        "the authority is not this server's: put the certificate of the next one behind the present one in the file of mqtt.ca"
    );
    let next = tls::prepare_next(&data.keys())?;
    let print = digits(&fingerprint(&next));
    note(&store, "key.rotate", format!("authority {print}")).await?;
    say(&format!("authority {print}\tnext\n"))?;
    store.close().await;
    Ok(())
}

async fn finish_authority(place: &Place, force: bool) -> anyhow::Result<()> {
    let (_, data, store) = place.open().await?;
    let next = tls::next(&data.keys())?.context("no authority is to follow: `loa key rotate authority` makes one")?;
    let print = fingerprint(&next);
    let receivers = receivers(&store).await?;
    let mut behind = receivers.iter().filter(|it| it.authority != Some(print)).peekable();
    if behind.peek().is_some() && !force {
        let names: Vec<_> = behind.map(|it| format!("  {} {}", it.id, it.name)).collect();
        bail!(
            "these receivers do not trust the new authority yet, and could not connect any more (wait until they were there, or \
             --force and enrol them again):\n{}",
            names.join("\n")
        );
    }
    tls::finish_next(&data.keys())?;
    note(&store, "key.finish", format!("authority {}", digits(&print))).await?;
    say(&format!("authority {}\tshown\n", digits(&print)))?;
    store.close().await;
    Ok(())
}

async fn rotate_receivers(place: &Place) -> anyhow::Result<()> {
    let (_, _, store) = place.open().await?;
    let receivers = receivers(&store).await?;
    for it in &receivers {
        store.order_rotation(&actor(), clock::now(), it.id).await?;
    }
    say(&format!("{} receivers\tordered\n", receivers.len()))?;
    store.close().await;
    Ok(())
}

async fn rotate_vault(place: &Place) -> anyhow::Result<()> {
    let (_, _, store) = place.open().await?;
    let rotated = store.rotate_vault(&actor(), clock::now()).await?;
    say(&format!(
        "vault\t{}\t{} secrets sealed anew\n",
        rotated.key, rotated.secrets
    ))?;
    store.close().await;
    Ok(())
}

async fn note(store: &Store, what: &'static str, subject: String) -> anyhow::Result<()> {
    let (at, actor) = (clock::now(), actor());
    let entry = Entry {
        at,
        actor: &actor,
        what,
        subject,
        detail: String::new(),
    };
    Ok(store.note_change(entry).await?)
}
