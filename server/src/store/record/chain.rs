//! What makes the record a chain. Here: the hash of an entry, the head, and walking the chain to see whether it is whole.
//!
//! The hash of an entry is SHA-256 over these fields, each with its length before it as a 64-bit number (big-endian):
//! `loa record 1`, the previous entry's hash (32 bytes; zeros before the first), number (64 bits, big-endian), at
//! (microseconds since 1970, 64 bits, big-endian), who, origin, what, subject, area, before, after, detail (UTF-8). A
//! field that is absent is the length 2⁶⁴−1 alone.

use std::fmt;
use std::str::FromStr;

use ring::digest::{self, SHA256};

use super::{Line, read};
use crate::store::pool::{self, Transaction};
use crate::store::row::Columns as _;
use crate::store::{Error, Store};

/// Entries read at once.
const PAGE: i64 = 2000;

/// The end of a chain: whoever notes it can tell later whether anything before it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the entry.
    pub number: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Why a chain is not whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An entry is missing.
    #[error("entry {expected} is missing; after entry {} comes {found}", .expected - 1)]
    Gap {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// An entry, or one before it, is not what it was.
    #[error("entry {0} was changed, or does not follow from the one before it")]
    Changed(u64),
    /// An entry cannot be read at all.
    #[error("entry {0} cannot be read: {1}")]
    Unreadable(u64, String),
    /// Entries are missing from the beginning, and no entry says that they were pruned.
    #[error("the entries up to {0} are missing, and no entry says that they were pruned")]
    Start(u64),
    /// The chain once had another entry there.
    #[error("entry {0} is not the one that was noted: the record was rewritten")]
    Rewritten(u64),
    /// The chain was once longer.
    #[error("the record ends with entry {last}, but entry {noted} was noted: its end was cut off")]
    Cut {
        /// The last entry that is there.
        last: u64,
        /// The one that was noted.
        noted: u64,
    },
}

impl Fault {
    /// The number of the first bad entry.
    pub fn entry(&self) -> u64 {
        match *self {
            Self::Gap { expected, .. } => expected,
            Self::Changed(number) | Self::Unreadable(number, _) | Self::Rewritten(number) => number,
            Self::Start(_) => 1,
            Self::Cut { last, .. } => last + 1,
        }
    }
}

/// What walking a chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What comes before the first entry that is there: number 0, or the last entry that was pruned.
    pub start: Head,
    /// The last entry up to which it is whole.
    pub head: Head,
    /// The first fault.
    pub fault: Option<Fault>,
}

impl Line {
    /// What its hash is if `previous` is the hash of the entry before it.
    pub fn hash_after(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut sum = digest::Context::new(&SHA256);
        let mut field = |bytes: Option<&[u8]>| {
            let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
            sum.update(&length.to_be_bytes());
            sum.update(bytes.unwrap_or_default());
        };
        field(Some(b"loa record 1"));
        field(Some(previous));
        field(Some(&self.number.to_be_bytes()));
        field(Some(&self.at.0.to_be_bytes()));
        for text in [&self.actor.who, &self.actor.origin, &self.what, &self.subject] {
            field(Some(text.as_bytes()));
        }
        field(self.area.map(|id| id.to_string()).as_deref().map(str::as_bytes));
        field(self.before.as_deref().map(str::as_bytes));
        field(self.after.as_deref().map(str::as_bytes));
        field(Some(self.detail.as_bytes()));
        sum.finish().as_ref().try_into().expect("32 bytes")
    }

    /// The head of a chain that ends with it.
    pub fn head(&self) -> Head {
        Head {
            number: self.number,
            hash: self.hash,
        }
    }
}

/// The end of the chain, inside the transaction that goes on from it.
pub(in crate::store) async fn tail(tx: &mut Transaction) -> Result<Head, Error> {
    let last = sqlx::query("SELECT number, hash FROM record ORDER BY number DESC LIMIT 1");
    match last.fetch_optional(&mut **tx).await? {
        Some(row) => Ok(Head {
            number: row.number("number")?,
            hash: row.id("hash", unhex)?,
        }),
        None => start(tx).await,
    }
}

/// What comes before the first entry that is there.
pub(super) async fn start(tx: &mut Transaction) -> Result<Head, Error> {
    let row = sqlx::query("SELECT number, hash FROM record_start WHERE id = 1")
        .fetch_one(&mut **tx)
        .await?;
    Ok(Head {
        number: row.number("number")?,
        hash: row.id("hash", unhex)?,
    })
}

impl Store {
    /// The end of the chain.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn head(&self) -> Result<Head, Error> {
        tail(&mut pool::snapshot(&self.pool, self.kind).await?).await
    }

    /// Whether the chain had this head once, as far as that can still be seen: what was pruned is past telling.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn had(&self, head: Head) -> Result<bool, Error> {
        let mut tx = pool::snapshot(&self.pool, self.kind).await?;
        let start = start(&mut tx).await?;
        if head.number <= start.number {
            return Ok(head.number < start.number || head == start);
        }
        let row = sqlx::query("SELECT hash FROM record WHERE number = $1").bind(head.number.cast_signed());
        let row = row.fetch_optional(&mut *tx).await?;
        Ok(row.is_some_and(|row| row.text("hash").is_ok_and(|hash| hash == hex(&head.hash))))
    }

    /// Walks the chain, and compares it with what was `noted` of it earlier.
    ///
    /// # Errors
    /// When the database cannot be read; a chain that is not whole is no error but a [`Fault`].
    pub async fn verify_record(&self, noted: &[Head]) -> Result<Verdict, Error> {
        let mut tx = pool::snapshot(&self.pool, self.kind).await?;
        walk(&mut tx, noted).await
    }
}

pub(in crate::store) async fn walk(tx: &mut Transaction, noted: &[Head]) -> Result<Verdict, Error> {
    let start = start(tx).await?;
    let mut head = start;
    let mut fault = None;
    let mut pruned_by_the_book = start.number == 0 && start.hash == [0; 32];
    let witness = serde_json::json!({ "number": start.number, "hash": hex(&start.hash) }).to_string();
    while fault.is_none() {
        let page = sqlx::query("SELECT * FROM record WHERE number > $1 ORDER BY number LIMIT $2")
            .bind(head.number.cast_signed())
            .bind(PAGE);
        let rows = page.fetch_all(&mut **tx).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let line = match read(row) {
                Ok(line) => line,
                Err(error) => {
                    fault = Some(Fault::Unreadable(head.number + 1, error.to_string()));
                    break;
                }
            };
            fault = follows(&head, &line, noted);
            if fault.is_some() {
                break;
            }
            head = line.head();
            pruned_by_the_book |= line.what == super::prune::WHAT && line.after.as_ref() == Some(&witness);
        }
    }
    if fault.is_none() && !pruned_by_the_book {
        fault = Some(Fault::Start(start.number));
    }
    let cut = noted
        .iter()
        .map(|noted| noted.number)
        .max()
        .filter(|noted| *noted > head.number);
    if let (None, Some(noted)) = (&fault, cut) {
        fault = Some(Fault::Cut {
            last: head.number,
            noted,
        });
    }
    Ok(Verdict { start, head, fault })
}

/// What is wrong with `line` after `head`.
pub fn follows(head: &Head, line: &Line, noted: &[Head]) -> Option<Fault> {
    let expected = head.number + 1;
    if line.number != expected {
        return Some(Fault::Gap {
            expected,
            found: line.number,
        });
    }
    if line.hash_after(&head.hash) != line.hash {
        return Some(Fault::Changed(line.number));
    }
    let differs = |noted: &&Head| noted.number == line.number && noted.hash != line.hash;
    noted.iter().find(differs).map(|noted| Fault::Rewritten(noted.number))
}

pub(in crate::store) fn hex(hash: &[u8; 32]) -> String {
    String::from_utf8(loa_protocol::id::hex::<64>(hash).to_vec()).expect("hexadecimal digits")
}

pub(in crate::store) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, hex(&self.hash))
    }
}

impl FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const RIGHT: &str = "must be NUMBER:HASH as `loa audit verify` prints it, the hash of 64 hexadecimal digits";
        let (number, hash) = text.split_once(':').ok_or(RIGHT)?;
        Ok(Self {
            number: number.parse().map_err(|_| RIGHT)?,
            hash: unhex(&hash.to_ascii_lowercase()).ok_or(RIGHT)?,
        })
    }
}
