//! What a receiver sounded, kept in files. Here: a WAV file (48 kHz, mono, 16 bit) with exactly the samples handed out, in
//! order, and beside it an index that says when each stretch of it sounded. Not here: what the samples are worth
//! (`observer`).
//!
//! The index has a JSON object a line, in order, for each stretch of sound without a gap:
//! `{"at": microseconds since 1970, "broadcast": identifier or null, "first": sample in the WAV file, "samples": how many}`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use loa_protocol::{BroadcastId, SAMPLE_RATE, UnixMicros};
use serde::Serialize;

/// What stands in the WAV file between two stretches of one broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gaps {
    /// Nothing: the file is the samples handed out, to compare with others sample for sample.
    #[default]
    LeftOut,
    /// Silence as long as the gap: the file is what one would have heard.
    Silent,
}

/// Two stretches nearer than this are one, in microseconds: the receiver's clock was corrected in between.
const SEAM: i64 = 5_000;

/// Longest gap that is filled with silence, in samples: an hour.
const LONGEST_GAP: u64 = 3_600 * SAMPLE_RATE as u64;

/// Most samples in a WAV file, whose lengths have 32 bits.
const MOST: u64 = (u32::MAX as u64 - 1024) / 2;

/// A recording could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct RecordingError {
    path: PathBuf,
    source: std::io::Error,
}

/// A stretch of sound without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// When its first sample sounded, in microseconds since 1970.
    pub at: u64,
    /// The broadcast that it belongs to, if one is known.
    pub broadcast: Option<String>,
    /// Where it begins in the WAV file, in samples.
    pub first: u64,
    /// Its length, in samples.
    pub samples: u64,
}

impl Stretch {
    /// When it ends.
    fn end(&self) -> UnixMicros {
        UnixMicros(self.at + self.samples * 1_000_000 / u64::from(SAMPLE_RATE))
    }
}

/// Puts sound together to stretches.
#[derive(Debug, Default)]
pub struct Stretches {
    open: Option<(Option<BroadcastId>, Stretch)>,
}

impl Stretches {
    /// Adds `samples` that stand at `first` in the file and sound at `at`; gives the stretch before, if one has ended.
    pub fn add(&mut self, at: UnixMicros, broadcast: Option<BroadcastId>, first: u64, samples: u64) -> Option<Stretch> {
        if let Some((of, open)) = &mut self.open
            && *of == broadcast
            && at.since(open.end()).abs() < SEAM
        {
            open.samples += samples;
            return None;
        }
        let name = broadcast.map(|id| id.to_string());
        let next = Stretch {
            at: at.0,
            broadcast: name,
            first,
            samples,
        };
        self.open.replace((broadcast, next)).map(|(_, ended)| ended)
    }

    /// How long it was silent before `at` since sound of the same broadcast, in samples.
    #[must_use]
    pub fn gap(&self, at: UnixMicros, broadcast: Option<BroadcastId>) -> u64 {
        let Some((of, open)) = &self.open else { return 0 };
        let silent = at.since(open.end());
        match *of == broadcast && broadcast.is_some() && silent >= SEAM {
            true => (silent.unsigned_abs() * u64::from(SAMPLE_RATE) / 1_000_000).min(LONGEST_GAP),
            false => 0,
        }
    }

    /// The last stretch.
    pub fn finish(&mut self) -> Option<Stretch> {
        self.open.take().map(|(_, ended)| ended)
    }
}

/// A WAV file and its index, being written.
pub struct Recording {
    path: PathBuf,
    wav: hound::WavWriter<BufWriter<File>>,
    index: BufWriter<File>,
    gaps: Gaps,
    stretches: Stretches,
    samples: u64,
}

impl Recording {
    /// Begins `name.wav` and `name.jsonl` in `folder`, which must be there.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn create(folder: &Path, name: &str, gaps: Gaps) -> Result<Self, RecordingError> {
        let path = folder.join(format!("{name}.wav"));
        let format = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let wav = hound::WavWriter::create(&path, format).map_err(|error| failed(&path, error))?;
        let index = folder.join(format!("{name}.jsonl"));
        let index = File::create(&index).map_err(|source| RecordingError { path: index, source })?;
        let (index, stretches) = (BufWriter::new(index), Stretches::default());
        Ok(Self {
            path,
            wav,
            index,
            gaps,
            stretches,
            samples: 0,
        })
    }

    /// Adds sound of which the first sample sounds at `at`. What no longer fits into a WAV file (12 hours) is left out.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn sound(&mut self, at: UnixMicros, of: Option<BroadcastId>, pcm: &[i16]) -> Result<(), RecordingError> {
        let gap = match self.gaps {
            Gaps::LeftOut => 0,
            Gaps::Silent => self.stretches.gap(at, of),
        };
        let length = pcm.len() as u64;
        if self.samples + gap + length > MOST {
            return Ok(());
        }
        for sample in (0..gap).map(|_| 0).chain(pcm.iter().copied()) {
            self.wav
                .write_sample(sample)
                .map_err(|error| failed(&self.path, error))?;
        }
        let ended = self.stretches.add(at, of, self.samples + gap, length);
        self.samples += gap + length;
        self.write(ended)
    }

    /// Makes the files whole as they are: whoever reads them now finds all sound so far.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn flush(&mut self) -> Result<(), RecordingError> {
        let ended = self.stretches.finish();
        self.write(ended)?;
        self.wav.flush().map_err(|error| failed(&self.path, error))?;
        self.index.flush().map_err(|source| RecordingError {
            path: self.path.clone(),
            source,
        })
    }

    fn write(&mut self, ended: Option<Stretch>) -> Result<(), RecordingError> {
        let Some(ended) = ended else { return Ok(()) };
        let line = serde_json::to_string(&ended).expect("numbers and text are always JSON");
        writeln!(self.index, "{line}").map_err(|source| RecordingError {
            path: self.path.clone(),
            source,
        })
    }
}

fn failed(path: &Path, error: hound::Error) -> RecordingError {
    let source = match error {
        hound::Error::IoError(source) => source,
        other => std::io::Error::other(other),
    };
    RecordingError {
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Option<BroadcastId> = Some(BroadcastId([1; 16]));
    const TWO: Option<BroadcastId> = Some(BroadcastId([2; 16]));

    /// Writes 20 ms each at these times (ms) of these broadcasts, and reads back samples and index.
    fn written(gaps: Gaps, sounds: &[(u64, Option<BroadcastId>)]) -> (Vec<i16>, Vec<serde_json::Value>) {
        let folder = tempfile::tempdir().unwrap();
        let mut recording = Recording::create(folder.path(), "a", gaps).unwrap();
        for (n, (at, of)) in sounds.iter().enumerate() {
            let pcm: Vec<i16> = (0..960).map(|i| (n * 1000 + i + 1) as i16).collect();
            recording.sound(UnixMicros(at * 1000), *of, &pcm).unwrap();
        }
        recording.flush().unwrap();
        // Read before it is dropped: a flushed recording is whole.
        let mut wav = hound::WavReader::open(folder.path().join("a.wav")).unwrap();
        assert_eq!(
            (wav.spec().channels, wav.spec().sample_rate, wav.spec().bits_per_sample),
            (1, 48_000, 16)
        );
        let index = std::fs::read_to_string(folder.path().join("a.jsonl")).unwrap();
        (
            wav.samples().map(Result::unwrap).collect(),
            index.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        )
    }

    #[test]
    fn samples_are_kept_as_handed_out_and_gaps_stand_in_the_index() {
        let (samples, index) = written(Gaps::LeftOut, &[(1000, ONE), (1020, ONE), (1100, ONE), (1120, TWO)]);
        let expected: Vec<i16> = (0..4).flat_map(|n| (0..960).map(move |i| n * 1000 + i + 1)).collect();
        assert_eq!(samples, expected);
        let one = "01010101-0101-0101-0101-010101010101";
        let two = "02020202-0202-0202-0202-020202020202";
        let line = |at: u64, of: &str, first: u64, samples: u64| serde_json::json!({ "at": at, "broadcast": of, "first": first, "samples": samples });
        assert_eq!(
            index,
            [
                line(1_000_000, one, 0, 1920),
                line(1_100_000, one, 1920, 960),
                line(1_120_000, two, 2880, 960)
            ]
        );
    }

    #[test]
    fn gaps_within_a_broadcast_become_silence_if_ordered() {
        let (samples, index) = written(Gaps::Silent, &[(1000, ONE), (1100, ONE), (9000, TWO)]);
        assert_eq!(samples.len(), 960 + 80 * 48 + 960 + 960);
        assert!(samples[960..960 + 80 * 48].iter().all(|sample| *sample == 0));
        assert_eq!(index[1]["first"], 960 + 80 * 48);
        assert_eq!(index[2]["first"], 960 + 80 * 48 + 960);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Recording::create(Path::new("/nowhere/at/all"), "a", Gaps::LeftOut)
            .err()
            .unwrap();
        assert!(error.to_string().contains("/nowhere/at/all/a.wav"), "{error}");
    }
}
