//! Parts one after the other, in one file. Here: a script of things to say and recordings to play, with a gap of silence
//! between two, becomes a WAV file that `media::ingest` takes like any upload. Not here: what is said (`reading`).

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loa_protocol::SAMPLE_RATE;
use tempfile::NamedTempFile;

use super::engine::{Engine, LARGEST, Language, SpeechError, sound};
use crate::media::{self, IngestError};

/// One part.
pub enum Step<'a> {
    /// Somebody says something.
    Say {
        /// Who.
        engine: &'a dyn Engine,
        /// What: one line.
        text: String,
        /// In which language.
        language: Language,
    },
    /// A recording is played.
    Play(PathBuf),
}

/// Plays `steps` into a WAV file in `folder`, with `gap` between two; together at most `longest`.
///
/// # Errors
/// The first step that does not sound.
pub async fn perform(
    steps: Vec<Step<'_>>,
    gap: Duration,
    longest: Duration,
    folder: &Path,
) -> Result<NamedTempFile, SpeechError> {
    let file = NamedTempFile::new_in(folder)?;
    let mut tape = Some(Tape::new(file.reopen()?, longest)?);
    for (number, step) in steps.into_iter().enumerate() {
        let spoken = NamedTempFile::new_in(folder)?;
        let (path, engine) = match &step {
            Step::Say { text, .. } if !text.contains(char::is_alphanumeric) => return Err(SpeechError::Nothing),
            Step::Say { engine, text, language } => {
                engine.speak(text, language, spoken.path()).await?;
                (spoken.path().to_owned(), Some(engine.name()))
            }
            Step::Play(path) => (path.clone(), None),
        };
        let mut running = tape.take().expect("it is put back below");
        let work = tokio::task::spawn_blocking(move || {
            if number > 0 {
                running.silence(gap)?;
            }
            match engine {
                Some(engine) => sound(engine, &path, longest, |samples| running.push(samples))?,
                None => {
                    let limits = media::Limits {
                        bytes: LARGEST,
                        duration: longest,
                    };
                    media::sound(&path, limits, |samples| running.push(samples)).map_err(SpeechError::Phrase)?;
                }
            }
            Ok::<_, SpeechError>(running)
        });
        tape = Some(work.await.map_err(std::io::Error::other)??);
    }
    tape.expect("it was put back").finish()?;
    Ok(file)
}

/// A WAV file being written: 48 kHz, mono, 16 bits.
struct Tape {
    writer: hound::WavWriter<BufWriter<std::fs::File>>,
    written: u64,
    longest: Duration,
}

impl Tape {
    fn new(file: std::fs::File, longest: Duration) -> Result<Self, SpeechError> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        Ok(Self {
            writer: hound::WavWriter::new(BufWriter::new(file), spec).map_err(std::io::Error::other)?,
            written: 0,
            longest,
        })
    }

    fn push(&mut self, samples: &[f32]) -> Result<(), IngestError> {
        self.written += samples.len() as u64;
        if Duration::from_secs_f64(self.written as f64 / f64::from(SAMPLE_RATE)) > self.longest {
            return Err(IngestError::TooLong { limit: self.longest });
        }
        for sample in samples {
            let sample = (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
            self.writer.write_sample(sample).map_err(std::io::Error::other)?;
        }
        Ok(())
    }

    fn silence(&mut self, length: Duration) -> Result<(), SpeechError> {
        let samples = (length.as_secs_f64() * f64::from(SAMPLE_RATE)).round() as usize;
        self.push(&vec![0.0; samples])
            .map_err(|_| SpeechError::TooLong(self.longest))
    }

    fn finish(self) -> Result<(), SpeechError> {
        let mut writer = self.writer;
        writer.flush().map_err(std::io::Error::other)?;
        writer.finalize().map_err(std::io::Error::other)?;
        Ok(())
    }
}
