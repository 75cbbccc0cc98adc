//! Devices that were claimed. Here: the public keys by which each is answered, until it has reported under its new secret. The
//! secret itself is the receiver's. Not here: those that still ask (`enrol::claims`).

use loa_protocol::agreement::PublicKey;
use loa_protocol::{ClaimId, ReceiverId, UnixMicros};

use super::pool::Transaction;
use super::record::chain::{hex, unhex};
use super::row::{Columns as _, micros};
use super::{Change, Error, Store};
use crate::playout::ClaimRow;

/// The public keys that a claimed device's secret follows from, and what it is told besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimKeys {
    /// The device's.
    pub device: PublicKey,
    /// The server's, made for this device.
    pub server: PublicKey,
    /// Host and UDP port of the media socket.
    pub media: (String, u16),
}

pub(super) async fn keep(
    tx: &mut Transaction,
    receiver: ReceiverId,
    keys: &ClaimKeys,
    now: UnixMicros,
) -> Result<(), Error> {
    // The same device may have been approved for something else before.
    let id = keys.device.claim().to_string();
    sqlx::query("DELETE FROM claims WHERE id = $1")
        .bind(id.clone())
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "INSERT INTO claims (id, receiver_id, device, server, media_host, media_port, approved) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(receiver.to_string())
    .bind(hex(&keys.device.0))
    .bind(hex(&keys.server.0))
    .bind(keys.media.0.clone())
    .bind(i64::from(keys.media.1))
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Nobody is to become this receiver by a claim any more: it has come, or has another secret.
pub(super) async fn forget(tx: &mut Transaction, receiver: ReceiverId) -> Result<(), Error> {
    sqlx::query("DELETE FROM claims WHERE receiver_id = $1")
        .bind(receiver.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl Store {
    /// Tells who is watching that others ask to be enrolled than before.
    pub fn tell_claims(&self) {
        self.tell(Change::Claims);
    }

    /// Devices that were approved and have not come as receivers yet.
    pub(super) async fn approved_claims(&self) -> Result<Vec<ClaimRow>, Error> {
        let rows = sqlx::query("SELECT * FROM claims").fetch_all(&self.pool).await?;
        let row = |row: &sqlx::any::AnyRow| {
            Ok(ClaimRow {
                id: row.id("id", ClaimId::parse)?,
                receiver: row.id("receiver_id", ReceiverId::parse)?,
                device: PublicKey(row.id("device", unhex)?),
                server: PublicKey(row.id("server", unhex)?),
                media: (
                    row.text("media_host")?,
                    u16::try_from(row.number("media_port")?).map_err(|_| Error::Corrupt("media_port"))?,
                ),
            })
        };
        rows.iter().map(row).collect()
    }
}
