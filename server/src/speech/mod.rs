//! Speech from text: a bulletin that was typed becomes sound. Here: what is said for what is written ([`reading`]), the
//! engines that say it ([`Engine`]: espeak-ng, Piper, a service by HTTP), which of them says what ([`Voices`]), and putting
//! parts in several languages and recorded phrases together ([`script`]). Not here: who may (`http`), what is kept
//! (`store`), and how the file becomes a programme, which is `media::ingest` as for any upload.

mod engine;
mod espeak;
mod piper;
pub mod reading;
pub mod script;
mod service;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

pub use engine::{Engine, Language, SpeechError};
use espeak::Espeak;
use piper::Piper;
use service::Service;

use reading::{Dialect, Table};

/// Which engine reads by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// espeak-ng, on this machine.
    #[default]
    Espeak,
    /// Piper, on this machine.
    Piper,
    /// A service, by HTTP.
    Http,
}

impl EngineKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Espeak, Self::Piper, Self::Http];

    /// Its name, in the settings and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Espeak => "espeak",
            Self::Piper => "piper",
            Self::Http => "http",
        }
    }

    /// The engine of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What the settings say of speech; the table of keys (`config`) explains each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is explained in the table of keys, for people to read")]
pub struct Settings {
    pub engine: EngineKind,
    pub languages: Vec<Language>,
    pub dialect: Dialect,
    pub rate: u32,
    pub timeout: Duration,
    pub max_characters: usize,
    pub espeak: PathBuf,
    pub piper: PathBuf,
    pub piper_model: Option<PathBuf>,
    pub url: Option<String>,
    pub headers: Option<PathBuf>,
    pub body: Option<Value>,
}

/// The engines of this server.
pub struct Voices {
    espeak: Espeak,
    piper: Option<Piper>,
    service: Option<Service>,
    preferred: EngineKind,
    /// Languages that the preferred engine reads; espeak-ng reads the others.
    languages: Vec<Language>,
    dialect: Dialect,
}

impl Voices {
    /// Those that are set up.
    pub fn new(settings: &Settings) -> Self {
        let (it, limit) = (settings.clone(), settings.timeout);
        Self {
            espeak: Espeak::new(it.espeak, it.rate, limit),
            piper: it.piper_model.map(|model| Piper::new(it.piper, model, limit)),
            service: it.url.map(|url| Service::new(url, it.headers, it.body, limit)),
            preferred: it.engine,
            languages: it.languages,
            dialect: it.dialect,
        }
    }

    /// What reads `language`: the engine that is `wanted`, else the preferred one for its languages, else espeak-ng.
    ///
    /// # Errors
    /// [`SpeechError::NotConfigured`] if the wanted engine is not set up.
    pub fn engine(&self, language: &Language, wanted: Option<EngineKind>) -> Result<&dyn Engine, SpeechError> {
        let preferred = if self.languages.contains(language) {
            self.preferred
        } else {
            EngineKind::Espeak
        };
        let missing = |kind: EngineKind| SpeechError::NotConfigured(kind.name());
        Ok(match wanted.unwrap_or(preferred) {
            EngineKind::Espeak => &self.espeak,
            kind @ EngineKind::Piper => self.piper.as_ref().ok_or_else(|| missing(kind))?,
            kind @ EngineKind::Http => self.service.as_ref().ok_or_else(|| missing(kind))?,
        })
    }

    /// What is said for `text`.
    pub fn said(&self, text: &str, language: &Language, table: &Table) -> String {
        match language.is_vietnamese() {
            true => reading::read(text, table, self.dialect),
            false => text.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }
}

/// The gap between parts unless another is asked for.
pub const GAP: Duration = Duration::from_millis(600);
