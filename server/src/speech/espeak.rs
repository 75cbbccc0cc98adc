//! espeak-ng, as a process: over a hundred languages, on any machine. Text goes to it by its standard input only.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::engine::{Engine, Language, SpeechError, run};

pub(super) struct Espeak {
    program: PathBuf,
    /// Words a minute.
    rate: u32,
    limit: Duration,
}

impl Espeak {
    pub(super) fn new(program: PathBuf, rate: u32, limit: Duration) -> Self {
        Self { program, rate, limit }
    }
}

impl Engine for Espeak {
    fn name(&self) -> &'static str {
        "espeak-ng"
    }

    fn speak<'a>(
        &'a self,
        text: &'a str,
        language: &'a Language,
        to: &'a Path,
    ) -> BoxFuture<'a, Result<(), SpeechError>> {
        Box::pin(async move {
            // Two brackets would begin phonemes.
            let text = text.replace("[[", "[ [");
            let rate = self.rate.to_string();
            let arguments = ["-v", language.tag(), "-s", &rate, "-b", "1", "--stdin", "-w"].map(AsRef::as_ref);
            let arguments = [&arguments[..], &[to.as_os_str()]].concat();
            run(self.name(), &self.program, &arguments, &text, self.limit).await
        })
    }
}
