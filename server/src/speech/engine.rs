//! What makes sound of text. Here: the one trait, its errors, and running a program that nothing keeps waiting for ever.
//! Not here: any engine.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::media::{self, IngestError};

/// A language, as its tag is written (RFC 5646): `vi`, `en`, `hmn`, `km`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language(String);

impl Language {
    /// Vietnamese.
    pub fn vietnamese() -> Self {
        Self("vi".into())
    }

    /// A tag of two or three letters and what narrows it down; `None` for anything else.
    pub fn parse(tag: &str) -> Option<Self> {
        let mut parts = tag.split('-');
        let first = parts.next()?;
        let fits = matches!(first.len(), 2 | 3)
            && first.bytes().all(|c| c.is_ascii_lowercase())
            && tag.len() <= 32
            && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_alphanumeric()));
        fits.then(|| Self(tag.into()))
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.0
    }

    /// Whether numbers and abbreviations in it are read as Vietnamese says them.
    pub fn is_vietnamese(&self) -> bool {
        self.0 == "vi" || self.0.starts_with("vi-")
    }
}

/// Why there is no sound.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// The settings do not name that engine.
    #[error("the engine {0} is not set up on this server")]
    NotConfigured(&'static str),
    /// There is no word in the text.
    #[error("there is nothing to say")]
    Nothing,
    /// The program is not there, or may not be run.
    #[error("{} cannot be started: {why}", .program.display())]
    Missing {
        /// Which.
        program: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// It took too long and was ended.
    #[error("{engine} took longer than {} s", .limit.as_secs())]
    Slow {
        /// Which engine.
        engine: &'static str,
        /// What it was given.
        limit: Duration,
    },
    /// It says that it cannot; the text is its own.
    #[error("{engine}: {why}")]
    Failed {
        /// Which engine.
        engine: &'static str,
        /// What it said.
        why: String,
    },
    /// What it gave is no sound.
    #[error("{engine} gave no sound: {why}")]
    NotSound {
        /// Which engine.
        engine: &'static str,
        /// Why not.
        why: IngestError,
    },
    /// A recording that is to be played cannot be.
    #[error("a recorded phrase cannot be read: {0}")]
    Phrase(IngestError),
    /// All of it together is longer than a bulletin may be.
    #[error("longer than the limit of {} s", .0.as_secs())]
    TooLong(Duration),
    /// The disk.
    #[error("file access failed: {0}")]
    Io(#[from] std::io::Error),
}

/// What makes sound of text.
pub trait Engine: Send + Sync {
    /// Its name, as people know it.
    fn name(&self) -> &'static str;

    /// Speaks `text`, one line of `language`, into `to`: a file of any kind that `media` reads.
    fn speak<'a>(
        &'a self,
        text: &'a str,
        language: &'a Language,
        to: &'a Path,
    ) -> BoxFuture<'a, Result<(), SpeechError>>;
}

/// The sound of what `engine` spoke into `file`, mono at 48 kHz, to `sink`.
pub(super) fn sound(
    engine: &'static str,
    file: &Path,
    longest: Duration,
    sink: impl FnMut(&[f32]) -> Result<(), IngestError>,
) -> Result<(), SpeechError> {
    let limits = media::Limits {
        bytes: LARGEST,
        duration: longest,
    };
    media::sound(file, limits, sink).map_err(|why| match why {
        IngestError::TooLong { limit } => SpeechError::TooLong(limit),
        IngestError::Io(error) if error.kind() != std::io::ErrorKind::NotFound => error.into(),
        why => SpeechError::NotSound { engine, why },
    })
}

/// Largest file of an engine, in bytes: two hours of anything.
pub(super) const LARGEST: u64 = 2 << 30;
/// So much of what a program complains is told.
const COMPLAINT: u64 = 500;

/// Runs a program to its end with `text` on its standard input, and ends it when it takes longer than `limit`.
pub(super) async fn run(
    engine: &'static str,
    program: &Path,
    arguments: &[&std::ffi::OsStr],
    text: &str,
    limit: Duration,
) -> Result<(), SpeechError> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Our settings may hold passwords.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOA_") {
            command.env_remove(name);
        }
    }
    let mut child = command.spawn().map_err(|why| SpeechError::Missing {
        program: program.to_owned(),
        why,
    })?;
    let (mut input, complaints) = (child.stdin.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input.take() {
            // Who does not want it says so by its status.
            let _ = input.write_all(text.as_bytes()).await;
            let _ = input.write_all(b"\n").await;
        }
    };
    let listen = async {
        let mut told = Vec::new();
        if let Some(complaints) = complaints {
            let mut some = complaints.take(COMPLAINT);
            let _ = some.read_to_end(&mut told).await;
            // The rest is taken, too, and thrown away: a full pipe would hold the program up.
            let _ = tokio::io::copy(&mut some.into_inner(), &mut tokio::io::sink()).await;
        }
        told
    };
    let all = async { tokio::join!(feed, listen, child.wait()) };
    let Ok((_, told, status)) = tokio::time::timeout(limit, all).await else {
        return Err(SpeechError::Slow { engine, limit });
    };
    if status?.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&told);
    let last = told
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("it failed without a word");
    Err(SpeechError::Failed {
        engine,
        why: last.trim().to_owned(),
    })
}
