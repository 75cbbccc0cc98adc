//! `loa audit`: the record, read, checked and taken elsewhere.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use loa_protocol::UnixMicros;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Place, private_file, say};
use crate::data;
use crate::serve::record::{Noted, noted};
use crate::store::record::{Filter, Head, Line, cell, steers, visible};

/// Entries read at once.
const PAGE: u32 = 2000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Kiểm tra nhật ký có nguyên vẹn không; in số và mã băm của mục cuối để ghi lại ở nơi khác.
    /// Checks whether the record is whole; prints the number and hash of its last entry, to be noted elsewhere.
    #[command(verbatim_doc_comment)]
    Verify {
        /// Mục cuối đã ghi lại trước đây. What was printed earlier and noted elsewhere; may be given more than once.
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Vec<Head>,
        #[command(flatten)]
        place: Place,
    },
    /// Liệt kê, mới nhất trước.
    /// Lists entries, the newest first.
    #[command(verbatim_doc_comment)]
    List {
        #[command(flatten)]
        which: Which,
        /// Nhiều nhất bao nhiêu mục. How many at most.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        place: Place,
    },
    /// Xuất ra tệp, cũ nhất trước.
    /// Exports entries, the oldest first.
    #[command(verbatim_doc_comment)]
    Export {
        /// Dạng tệp. What kind of file.
        #[arg(long, value_enum)]
        format: Format,
        /// Tệp sẽ được ghi; phải chưa có. Không có: đầu ra chuẩn. The file to write, which must not be there yet; absent: the output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// A table for spreadsheets (RFC 4180, UTF-8).
    Csv,
    /// A JSON object a line, hashes included.
    Jsonl,
}

/// Which entries.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Từ ngày (UTC) hoặc thời điểm. From this day (UTC) or instant on: 2026-05-19 or 2026-05-19T06:00:00+07:00.
    #[arg(long, value_parser = instant)]
    since: Option<UnixMicros>,
    /// Trước ngày (UTC) hoặc thời điểm. Before this day (UTC) or instant.
    #[arg(long, value_parser = instant)]
    until: Option<UnixMicros>,
    /// Của ai. Of this user name.
    #[arg(long)]
    who: Option<String>,
    /// Việc gì, hoặc phần đầu. What, or how it begins: broadcast, receiver.volume …
    #[arg(long)]
    what: Option<String>,
    /// Về mã này. About this identifier.
    #[arg(long)]
    subject: Option<String>,
}

impl Which {
    fn filter(self) -> Filter {
        Filter {
            before: None,
            since: self.since,
            until: self.until,
            who: self.who,
            what: self.what,
            subject: self.subject,
        }
    }
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Verify { head, place } => verify(head, place).await,
            Self::List { which, limit, place } => {
                let (_, _, store) = place.open().await?;
                for line in store.entries(&which.filter(), limit).await? {
                    say(&row(&line))?;
                }
                store.close().await;
                Ok(())
            }
            Self::Export {
                format,
                out,
                which,
                place,
            } => {
                let (_, _, store) = place.open().await?;
                let mut to: Box<dyn std::io::Write> = match &out {
                    Some(path) => Box::new(BufWriter::new(private_file(path)?)),
                    None => Box::new(BufWriter::new(std::io::stdout())),
                };
                if matches!(format, Format::Csv) {
                    to.write_all(HEADER.as_bytes())?;
                }
                let filter = which.filter();
                let mut after = 0;
                loop {
                    let page = store.entries_after(&filter, after, PAGE).await?;
                    let Some(last) = page.last() else { break };
                    after = last.number;
                    for line in &page {
                        let text = match format {
                            Format::Csv => csv(line),
                            Format::Jsonl => jsonl(line),
                        };
                        to.write_all(text.as_bytes())?;
                    }
                }
                to.flush()?;
                store.close().await;
                Ok(())
            }
        }
    }
}

async fn verify(mut heads: Vec<Head>, place: Place) -> anyhow::Result<()> {
    let (_, folder, store) = place.open().await?;
    let key = data::signing_key(&folder).context("the signing key")?;
    match noted(&folder, &key).context("record.head in the data folder")? {
        Noted::Head(head) => heads.push(head),
        Noted::Nothing => say("record.head\tnone: no server has noted how the record ends here\n")?,
        Noted::Strange => say("record.head\tnot signed by this server's key: not used\n")?,
    }
    let verdict = store.verify_record(&heads).await?;
    store.close().await;
    if let Some(fault) = &verdict.fault {
        say(&format!("whole up to\t{}\n", verdict.head))?;
        bail!(
            "Nhật ký không nguyên vẹn / the record is not whole: first bad entry {}: {fault}",
            fault.entry()
        );
    }
    let first = verdict.start.number + 1;
    say(&format!(
        "Nguyên vẹn / whole\t{first} – {}\thead\t{}\n",
        verdict.head.number, verdict.head
    ))?;
    Ok(())
}

const HEADER: &str = "number,at,who,origin,what,subject,area,before,after,detail,hash\r\n";

fn area(line: &Line) -> String {
    line.area.map_or_else(String::new, |id| id.to_string())
}

fn hash(line: &Line) -> String {
    let head = line.head().to_string();
    head.split_once(':').map_or(String::new(), |it| it.1.to_owned())
}

fn at(line: &Line) -> String {
    let nanos = i128::from(line.at.0) * 1000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
    at.and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| line.at.0.to_string())
}

fn csv(line: &Line) -> String {
    let cells = [
        line.number.to_string(),
        at(line),
        line.actor.who.clone(),
        line.actor.origin.clone(),
        line.what.clone(),
        line.subject.clone(),
        area(line),
        line.before.clone().unwrap_or_default(),
        line.after.clone().unwrap_or_default(),
        line.detail.clone(),
        hash(line),
    ];
    cells.map(|text| cell(&text)).join(",") + "\r\n"
}

fn jsonl(line: &Line) -> String {
    let value = |text: &Option<String>| {
        let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        text.as_ref().map(value)
    };
    let object = json!({
        "number": line.number,
        "hash": hash(line),
        "at": at(line),
        "at_micros": line.at.0,
        "who": line.actor.who,
        "origin": line.actor.origin,
        "what": line.what,
        "subject": line.subject,
        "area": line.area.map(|id| id.to_string()),
        "before": value(&line.before),
        "after": value(&line.after),
        "detail": line.detail,
    });
    let mut safe = String::new();
    // Only inside strings can such a character stand, where this is the same one.
    for c in object.to_string().chars() {
        match steers(c) {
            true => safe += &format!("\\u{:04x}", u32::from(c)),
            false => safe.push(c),
        }
    }
    safe + "\n"
}

fn row(line: &Line) -> String {
    let change = match (&line.before, &line.after) {
        (None, None) => String::new(),
        (before, after) => {
            let side = |side: &Option<String>| side.clone().unwrap_or_default();
            format!("{} → {}", side(before), side(after))
        }
    };
    let cells = [
        line.number.to_string(),
        at(line),
        line.actor.who.clone(),
        line.actor.origin.clone(),
        line.what.clone(),
        line.subject.clone(),
        line.detail.clone(),
        change,
    ];
    cells.map(|text| visible(&text).into_owned()).join("\t") + "\n"
}

fn instant(text: &str) -> Result<UnixMicros, String> {
    let right = "a day such as 2026-05-19 or an instant such as 2026-05-19T06:00:00+07:00";
    // A day is the instant at which it begins.
    let whole = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    let at = OffsetDateTime::parse(&whole, &Rfc3339).map_err(|_| right.to_owned())?;
    u64::try_from(at.unix_timestamp_nanos() / 1000)
        .map(UnixMicros)
        .map_err(|_| right.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Actor;

    fn line() -> Line {
        Line {
            number: 1,
            hash: [0xab; 32],
            at: UnixMicros(1_800_000_000_123_456),
            actor: Actor {
                who: "=1+1\n2\t2026-01-01T00:00:00Z\thoa".into(),
                origin: "192.0.2.1".into(),
            },
            what: "area.add".into(),
            subject: "\u{202e}x".into(),
            area: None,
            before: None,
            after: Some("{\"name\":\"\u{2028}\"}".into()),
            detail: "a,\"b\"\r\n".into(),
        }
    }

    #[test]
    fn an_entry_is_one_line_in_every_form() {
        for text in [csv(&line()), row(&line()), jsonl(&line())] {
            let body = text.trim_end_matches(['\r', '\n']);
            assert!(!body.chars().any(|c| steers(c) && c != '\t'), "{text:?}");
        }
        assert_eq!(row(&line()).matches('\t').count(), 7);
        let json: Value = serde_json::from_str(&jsonl(&line())).unwrap();
        assert_eq!(json["who"], line().actor.who);
        assert_eq!(json["subject"], "\u{202e}x");
        assert_eq!(json["after"]["name"], "\u{2028}");
        assert_eq!(json["at"], "2027-01-15T08:00:00.123456Z");
        let cells = csv(&line());
        assert!(cells.contains(",\"'=1+1\\n2\\t2026"), "{cells}");
        assert!(cells.contains(",\"a,\"\"b\"\"\\r\\n\","), "{cells}");
    }

    #[test]
    fn days_and_instants_are_read() {
        assert_eq!(instant("1970-01-02"), Ok(UnixMicros(86_400_000_000)));
        assert_eq!(instant("1970-01-02T07:00:00.5+07:00"), Ok(UnixMicros(86_400_500_000)));
        for wrong in ["", "yesterday", "2026-13-01", "1969-12-31", "2026-05-19T06:00:00"] {
            assert!(instant(wrong).is_err(), "{wrong}");
        }
    }
}
