//! One upload to one programme. Here: limits, the order of the stages (the file is decoded twice, to be measured and to be
//! encoded: an hour of samples is kept nowhere), and that the programme appears under its name only when it is whole and
//! on the disk.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use loa_protocol::SAMPLE_RATE;
use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known as codec;
use symphonia::core::formats::FormatId;
use symphonia::core::formats::well_known as container;
use tempfile::NamedTempFile;

use super::IngestError;
use super::decode::Source;
use super::encode::{self, Written};
use super::level::{Leveller, Plan};
use super::peaks::Outline;
use super::resample::Resampler;
use super::survey::{Survey, Surveyor};

/// What an upload may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest file, in bytes.
    pub bytes: u64,
    /// Longest playing time: what bounds a file that unpacks to far more than it weighs.
    pub duration: Duration,
}

/// How programmes are made.
#[derive(Debug, Clone, Copy)]
pub struct Encoding {
    /// Bits per second, on average (variable bit rate).
    pub bitrate: u32,
    /// Milliseconds in a packet: 10, 20, 40, 60, 80, 100 or 120 (RFC 6716 §2.1.4).
    pub packet_ms: u32,
    /// How loud programmes are to be, in LUFS (EBU R 128), with no true peak over -1 dBTP; none: as loud as the upload.
    pub loudness: Option<i8>,
    /// Silence before the first and after the last sound is left out.
    pub trim: bool,
}

impl Encoding {
    /// Samples in a packet at 48 kHz.
    pub fn packet_samples(&self) -> usize {
        (SAMPLE_RATE / 1000 * self.packet_ms) as usize
    }
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            bitrate: 32_000,
            packet_ms: 60,
            loudness: Some(-16),
            trim: false,
        }
    }
}

/// What an uploaded file was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as the world names it")]
pub enum Format {
    Mp3,
    Aac,
    Flac,
    Wav,
    Vorbis,
    Opus,
    /// Another codec that symphonia decodes, such as ALAC.
    Other,
}

impl Format {
    /// The name shown to people and kept in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3",
            Self::Aac => "aac",
            Self::Flac => "flac",
            Self::Wav => "wav",
            Self::Vorbis => "vorbis",
            Self::Opus => "opus",
            Self::Other => "other",
        }
    }

    pub(super) fn of(codec: AudioCodecId, container: FormatId) -> Self {
        match codec {
            codec::CODEC_ID_MP1 | codec::CODEC_ID_MP2 | codec::CODEC_ID_MP3 => Self::Mp3,
            codec::CODEC_ID_AAC => Self::Aac,
            codec::CODEC_ID_FLAC => Self::Flac,
            codec::CODEC_ID_VORBIS => Self::Vorbis,
            _ if container == container::FORMAT_ID_WAVE => Self::Wav,
            _ => Self::Other,
        }
    }
}

/// A programme that was made, and the file that it was made from.
#[derive(Debug, Clone)]
pub struct Ingested {
    /// What the upload was.
    pub format: Format,
    /// Sample rate of the upload, in hertz.
    pub source_rate: u32,
    /// Channels of the upload.
    pub source_channels: usize,
    /// Samples of the programme at 48 kHz: `round(n × 48000 / rate)` for `n` samples in the upload, less the silence that
    /// was left out.
    pub samples: u64,
    /// Opus packets in the programme.
    pub packets: u64,
    /// Samples in each packet.
    pub packet_samples: u32,
    /// Decoded samples to drop before the first of the sound (RFC 7845 §4.2).
    pub pre_skip: u16,
    /// Size of the programme, in bytes.
    pub bytes: u64,
    /// Loudness of the upload, in LUFS; none if it is silent or shorter than 400 ms.
    pub source_loudness: Option<f64>,
    /// Loudness of the programme, in LUFS, as decoded; none like before, and where it was not levelled.
    pub loudness: Option<f64>,
    /// SHA-256 of the upload's sound: the same for files that differ in tags or lossless packing only.
    pub fingerprint: [u8; 32],
    /// The programme's outline: 1024 to 2048 peaks (fewer under 10 s), full scale being 255.
    pub peaks: Vec<u8>,
}

impl Ingested {
    /// Playing time.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.samples as f64 / f64::from(SAMPLE_RATE))
    }
}

/// Makes the programme `destination` (Ogg Opus, mono) of the file `upload`; blocking, one core for about 30 s per hour
/// of sound. `destination` exists afterwards if and only if this returns `Ok`, whole and synced to the disk; a file of
/// that name is replaced.
pub fn ingest(upload: &Path, destination: &Path, encoding: Encoding, limits: Limits) -> Result<Ingested, IngestError> {
    if std::fs::metadata(upload)?.len() > limits.bytes {
        return Err(IngestError::TooLarge { limit: limits.bytes });
    }
    let mut source = Source::open(upload)?;
    let mut surveyor = Surveyor::new();
    sound_of(&mut source, limits, |mono| {
        surveyor.push(mono);
        Ok(())
    })?;
    let survey = surveyor.finish();
    let directory = directory(destination);

    let mut plan = encoding.loudness.map(|lufs| Plan::new(f64::from(lufs), &survey));
    let (half, written, peaks) = loop {
        let made = encode(upload, directory, (encoding, limits), &survey, plan)?;
        plan = plan.zip(made.1.heard).and_then(|(plan, heard)| plan.after(heard));
        if plan.is_none() {
            break made;
        }
    };

    let bytes = settle(half, destination)?;
    Ok(Ingested {
        format: source.format(),
        source_rate: source.rate(),
        source_channels: source.channels(),
        samples: written.samples,
        packets: written.packets,
        packet_samples: encoding.packet_samples() as u32,
        pre_skip: written.pre_skip,
        bytes,
        source_loudness: survey.loudness,
        loudness: written.heard.and_then(|heard| heard.loudness),
        fingerprint: survey.fingerprint,
        peaks,
    })
}

/// Gives a file that is whole its name, so that it is on the disk under it when this returns; gives its size in bytes.
pub(super) fn settle(half: NamedTempFile, destination: &Path) -> Result<u64, IngestError> {
    half.as_file().sync_all()?;
    let bytes = half.as_file().metadata()?.len();
    half.persist(destination).map_err(|error| error.error)?;
    File::open(directory(destination))?.sync_all()?;
    Ok(bytes)
}

/// The folder that a file lies in.
pub(super) fn directory(file: &Path) -> &Path {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Gives the sound of the file `path`, mono at 48 kHz, to `sink` from front to back; blocking.
pub fn sound(
    path: &Path,
    limits: Limits,
    sink: impl FnMut(&[f32]) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    if std::fs::metadata(path)?.len() > limits.bytes {
        return Err(IngestError::TooLarge { limit: limits.bytes });
    }
    sound_of(&mut Source::open(path)?, limits, sink)
}

/// One attempt: a file in `directory` that has no name yet, what is in it, and its outline.
fn encode(
    upload: &Path,
    directory: &Path,
    (encoding, limits): (Encoding, Limits),
    survey: &Survey,
    plan: Option<Plan>,
) -> Result<(NamedTempFile, Written, Vec<u8>), IngestError> {
    let mut half = NamedTempFile::new_in(directory)?;
    let mut writer = encode::Writer::new(BufWriter::new(half.as_file_mut()), encoding, plan.is_some())?;
    let mut outline = Outline::new();
    let mut leveller = plan.map_or(Leveller::Gain(1.0), |plan| plan.leveller());
    let mut levelled = Vec::new();
    let span = match encoding.trim {
        true => survey.sounding(),
        false => 0..survey.samples,
    };
    let mut at = 0;
    let mut source = Source::open(upload)?;
    sound_of(&mut source, limits, |mono| {
        let within = |place: u64| (place.saturating_sub(at)).min(mono.len() as u64) as usize;
        let kept = &mono[within(span.start)..within(span.end)];
        at += mono.len() as u64;
        leveller.push(kept, &mut levelled);
        outline.push(&levelled);
        writer.push(&levelled)
    })?;
    leveller.finish(&mut levelled);
    outline.push(&levelled);
    writer.push(&levelled)?;
    let (mut output, written) = writer.finish()?;
    output.flush()?;
    drop(output);
    Ok((half, written, outline.finish()))
}

/// Gives the sound of `source`, mono at 48 kHz, to `sink` from front to back.
pub(super) fn sound_of(
    source: &mut Source,
    limits: Limits,
    mut sink: impl FnMut(&[f32]) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let mut resampler = Resampler::new(source.rate())?;
    let most = (limits.duration.as_secs_f64() * f64::from(SAMPLE_RATE)) as u64;
    let (mut native, mut wide, mut total) = (Vec::new(), Vec::new(), 0u64);
    while source.read(&mut native)? {
        wide.clear();
        resampler.push(&native, &mut wide);
        total += wide.len() as u64;
        if total > most {
            return Err(IngestError::TooLong { limit: limits.duration });
        }
        sink(&wide)?;
    }
    wide.clear();
    resampler.finish(&mut wide);
    if total + wide.len() as u64 == 0 {
        return Err(IngestError::Damaged("there is no sound in it".into()));
    }
    sink(&wide)
}
