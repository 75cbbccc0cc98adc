//! A file of any supported format, read from front to back. Here: which reader a file gets, and symphonia's readers
//! (MP3, AAC, ALAC, FLAC, WAV, Vorbis), with encoder delay and padding taken off. Not here: Opus files (`ogg_opus`).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use symphonia::core::codecs::audio::well_known::{CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::common::Limit;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{FORMAT_ID_ISOMP4, FORMAT_ID_WAVE};
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

use super::{Format, IngestError, downmix, mp4_edit, ogg_opus::OpusFile};

/// Supported sample rates, in hertz.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=96_000;
/// More channels than this no announcement has.
const MAX_CHANNELS: usize = 8;
/// A header's promise may be off by this much without the file being called cut short: encoders count their own delay
/// in different ways.
const SLACK: Duration = Duration::from_millis(250);
/// The longest stretch without anything decodable, in packets: beyond it the file is not what its first bytes said.
const MAX_DAMAGE_RUN: u32 = 250;

/// A file as mono sound at its own sample rate.
pub(super) enum Source {
    Opus(Box<OpusFile>),
    Other(Box<Decoded>),
}

impl Source {
    /// Opens `path`, finding out its format from its bytes; its name does not matter.
    pub(super) fn open(path: &Path) -> Result<Self, IngestError> {
        let mut head = Vec::with_capacity(64);
        File::open(path)?.take(64).read_to_end(&mut head)?;
        if head.is_empty() {
            return Err(IngestError::Empty);
        }
        if head.starts_with(b"OggS") && head.windows(8).any(|window| window == b"OpusHead") {
            return Ok(Self::Opus(Box::new(OpusFile::open(path)?)));
        }
        Ok(Self::Other(Box::new(Decoded::open(path)?)))
    }

    /// Sample rate of what [`Source::read`] gives, in hertz.
    pub(super) fn rate(&self) -> u32 {
        match self {
            Self::Opus(_) => loa_protocol::SAMPLE_RATE,
            Self::Other(decoded) => decoded.rate,
        }
    }

    /// Channels in the file.
    pub(super) fn channels(&self) -> usize {
        match self {
            Self::Opus(file) => file.channels(),
            Self::Other(decoded) => decoded.weights.len(),
        }
    }

    /// What the file is.
    pub(super) fn format(&self) -> Format {
        match self {
            Self::Opus(_) => Format::Opus,
            Self::Other(decoded) => decoded.format_name,
        }
    }

    /// Replaces `mono` by the next stretch of sound; `false` at the end of the file.
    pub(super) fn read(&mut self, mono: &mut Vec<f32>) -> Result<bool, IngestError> {
        match self {
            Self::Opus(file) => file.read(mono),
            Self::Other(decoded) => decoded.read(mono),
        }
    }
}

/// A file that symphonia reads.
pub(super) struct Decoded {
    format: Box<dyn FormatReader>,
    format_name: Format,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    rate: u32,
    weights: Vec<f32>,
    planes: Vec<Vec<f32>>,
    trim: Trim,
    /// Samples that the header promises after trimming, if it promises any.
    promised: Option<u64>,
    given: u64,
    damage_run: u32,
    damaged: u64,
}

impl Decoded {
    fn open(path: &Path) -> Result<Self, IngestError> {
        let mut format = probe(Box::new(File::open(path)?))?;
        let mut codec = codec_of(&*format)?;
        let mpeg = matches!(codec.codec, CODEC_ID_MP1 | CODEC_ID_MP2 | CODEC_ID_MP3);
        if mpeg {
            // Of a seekable MP3 without a Xing header the reader guesses the length from its bit rate, and cuts there.
            format = probe(Box::new(ReadOnlySource::new(File::open(path)?)))?;
            codec = codec_of(&*format)?;
        }
        // MP3 is trimmed here, since the decoder cuts at the promised length what was glued on behind it.
        let options = AudioDecoderOptions::default().gapless(!mpeg);
        let mut decoder = symphonia::default::get_codecs()
            .make_audio_decoder(&codec, &options)
            .map_err(refused)?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or(IngestError::NoAudioTrack)?
            .clone();

        let isomp4 = format.format_info().format == FORMAT_ID_ISOMP4;
        let layout = if isomp4 {
            mp4_edit::layout(path)?
        } else {
            mp4_edit::Layout::default()
        };
        if let (Some(present), Some(base), Some(ticks)) = (layout.present, track.time_base, track.duration) {
            // Symphonia reads nothing of media data that is not all there.
            let promised = ticks.get() as f64 / f64::from(base.denom.get());
            return Err(IngestError::Truncated {
                found: Duration::from_secs_f64(promised * present),
                promised: Duration::from_secs_f64(promised),
            });
        }
        let (rate, first, weights) = first_packet(&mut *format, &mut *decoder, track.id)?;
        let mut promised = track.num_frames;
        let mut trim = Trim::default();
        if mpeg {
            trim = Trim::new(track.delay.unwrap_or(0) as usize, track.padding.unwrap_or(0) as usize);
        } else if isomp4 {
            // Symphonia reads no edit lists, which are what tells an encoder's priming from the sound.
            let timescale = track.time_base.map_or(rate, |base| base.denom.get());
            let at_rate = |ticks: u64| (u128::from(ticks) * u128::from(rate) / u128::from(timescale)) as u64;
            let start = layout.start.map_or(0, at_rate);
            promised = track.duration.map(|ticks| at_rate(ticks.get()).saturating_sub(start));
            trim = Trim::new(start as usize, 0).until(promised);
        } else if format.format_info().format == FORMAT_ID_WAVE {
            let frame_bytes = u64::from(codec.bits_per_sample.unwrap_or(16).div_ceil(8)) * weights.len() as u64;
            // A WAV written to a pipe carries the largest length there is: no promise.
            promised = promised.filter(|frames| frames.saturating_mul(frame_bytes) < 0x7FFF_0000);
        }
        let mut decoded = Self {
            format_name: Format::of(codec.codec, format.format_info().format),
            format,
            decoder,
            track: track.id,
            rate,
            weights,
            planes: first,
            trim,
            promised,
            given: 0,
            damage_run: 0,
            damaged: 0,
        };
        decoded.check_layout()?;
        Ok(decoded)
    }

    fn check_layout(&mut self) -> Result<(), IngestError> {
        if !RATES.contains(&self.rate) {
            return Err(IngestError::UnsupportedRate(self.rate));
        }
        match self.weights.len() {
            1..=MAX_CHANNELS => Ok(()),
            other => Err(IngestError::UnsupportedChannels(other)),
        }
    }

    fn read(&mut self, mono: &mut Vec<f32>) -> Result<bool, IngestError> {
        mono.clear();
        if !self.planes.is_empty() {
            // The packet that opening decoded, to learn rate and channels.
            let first = std::mem::take(&mut self.planes);
            mix(&first, &self.weights, mono);
        } else if !self.next_packet(mono)? {
            self.check_promise()?;
            return Ok(false);
        }
        self.trim.apply(mono);
        self.given += mono.len() as u64;
        Ok(true)
    }

    fn next_packet(&mut self, mono: &mut Vec<f32>) -> Result<bool, IngestError> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) | Err(Error::ResetRequired) => return Ok(false),
                Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(Error::IoError(error)) => return Err(error.into()),
                Err(error) => return Err(IngestError::Damaged(error.to_string())),
            };
            if packet.track_id != self.track {
                continue;
            }
            match self.decoder.decode(&packet) {
                Ok(audio) => {
                    if audio.spec().rate() != self.rate || audio.num_planes() != self.weights.len() {
                        return Err(IngestError::Unsupported(
                            "rate or channels change within the file".into(),
                        ));
                    }
                    self.damage_run = 0;
                    let mut planes = Vec::new();
                    audio.copy_to_vecs_planar::<f32>(&mut planes);
                    mix(&planes, &self.weights, mono);
                }
                // What cannot be decoded is silence of its length, so that what follows stays in place.
                Err(Error::DecodeError(what)) => {
                    self.damage_run += 1;
                    self.damaged += 1;
                    if self.damage_run > MAX_DAMAGE_RUN {
                        return Err(IngestError::Damaged(what.to_owned()));
                    }
                    mono.resize(packet.dur.get().min(u64::from(self.rate)) as usize, 0.0);
                }
                Err(error) => return Err(refused(error)),
            }
            if !mono.is_empty() {
                return Ok(true);
            }
        }
    }

    fn check_promise(&self) -> Result<(), IngestError> {
        let seconds = |samples: u64| Duration::from_secs_f64(samples as f64 / f64::from(self.rate));
        let found = seconds(self.given);
        match self.promised.map(seconds) {
            Some(promised) if found + SLACK < promised => Err(IngestError::Truncated { found, promised }),
            _ => Ok(()),
        }
    }
}

/// Takes an encoder's delay off the front and its padding off the end.
#[derive(Default)]
struct Trim {
    skip: usize,
    /// Samples held back: the last `padding` of all there are, dropped at the end.
    padding: usize,
    held: Vec<f32>,
    /// Samples that may still pass, when the container tells the end.
    left: Option<u64>,
}

impl Trim {
    fn new(skip: usize, padding: usize) -> Self {
        Self {
            skip,
            padding,
            ..Self::default()
        }
    }

    fn until(self, samples: Option<u64>) -> Self {
        Self { left: samples, ..self }
    }

    fn apply(&mut self, mono: &mut Vec<f32>) {
        let skipped = self.skip.min(mono.len());
        mono.drain(..skipped);
        self.skip -= skipped;
        if self.padding > 0 {
            self.held.append(mono);
            let ready = self.held.len().saturating_sub(self.padding);
            mono.extend(self.held.drain(..ready));
        }
        if let Some(left) = &mut self.left {
            mono.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= mono.len() as u64;
        }
    }
}

pub(super) fn probe(source: Box<dyn MediaSource>) -> Result<Box<dyn FormatReader>, IngestError> {
    let stream = MediaSourceStream::new(source, Default::default());
    // Pictures in tags are read past, never kept.
    let meta = MetadataOptions::default().limit_visual_bytes(Limit::Maximum(0));
    symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), meta)
        .map_err(|error| match error {
            Error::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => error.into(),
            _ => IngestError::NotAudio,
        })
}

pub(super) fn codec_of(
    format: &dyn FormatReader,
) -> Result<symphonia::core::codecs::audio::AudioCodecParameters, IngestError> {
    let track = format
        .default_track(TrackType::Audio)
        .ok_or(IngestError::NoAudioTrack)?;
    track
        .codec_params
        .as_ref()
        .and_then(|params| params.audio())
        .cloned()
        .ok_or_else(|| IngestError::Unsupported("codec unknown".into()))
}

/// Sample rate, samples by channel, and the weight of each channel in mono.
type FirstPacket = (u32, Vec<Vec<f32>>, Vec<f32>);

/// Decodes up to the first packet with sound: only that tells rate and channels for sure.
fn first_packet(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track: u32,
) -> Result<FirstPacket, IngestError> {
    let mut refused_packets = 0;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) if packet.track_id == track => packet,
            Ok(Some(_)) => continue,
            Ok(None) | Err(_) => return Err(IngestError::Damaged("nothing in it could be decoded".into())),
        };
        match decoder.decode(&packet) {
            Ok(audio) if audio.num_planes() > 0 => {
                let mut planes = Vec::new();
                audio.copy_to_vecs_planar::<f32>(&mut planes);
                return Ok((audio.spec().rate(), planes, downmix::weights(audio.spec().channels())));
            }
            Ok(_) => {}
            Err(Error::DecodeError(_)) if refused_packets < MAX_DAMAGE_RUN => refused_packets += 1,
            Err(Error::DecodeError(what)) => return Err(IngestError::Damaged(what.to_owned())),
            Err(error) => return Err(refused(error)),
        }
    }
}

pub(super) fn mix(planes: &[Vec<f32>], weights: &[f32], mono: &mut Vec<f32>) {
    let frames = planes.first().map_or(0, Vec::len);
    mono.clear();
    mono.resize(frames, 0.0);
    for (plane, weight) in planes.iter().zip(weights) {
        for (sum, sample) in mono.iter_mut().zip(plane) {
            *sum += sample * weight;
        }
    }
}

fn refused(error: Error) -> IngestError {
    match error {
        Error::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => error.into(),
        Error::Unsupported(what) => IngestError::Unsupported(what.to_owned()),
        other => IngestError::Damaged(other.to_string()),
    }
}
