//! Piper, as a process with an ONNX voice of its own: text by its standard input, one line, a WAV file out. A voice speaks one
//! language, so that which one is not told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::engine::{Engine, Language, SpeechError, run};

pub(super) struct Piper {
    program: PathBuf,
    model: PathBuf,
    limit: Duration,
}

impl Piper {
    pub(super) fn new(program: PathBuf, model: PathBuf, limit: Duration) -> Self {
        Self { program, model, limit }
    }
}

impl Engine for Piper {
    fn name(&self) -> &'static str {
        "Piper"
    }

    fn speak<'a>(&'a self, text: &'a str, _: &'a Language, to: &'a Path) -> BoxFuture<'a, Result<(), SpeechError>> {
        Box::pin(async move {
            // Both generations of the program know these.
            let arguments = [
                "--model".as_ref(),
                self.model.as_os_str(),
                "--output_file".as_ref(),
                to.as_os_str(),
            ];
            run(self.name(), &self.program, &arguments, text, self.limit).await
        })
    }
}
