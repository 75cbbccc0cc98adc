//! Sound that comes in without an end, decoded while it comes. Here: MP3, AAC, Vorbis, FLAC (symphonia) and Opus, mixed to mono at
//! 48 kHz. A listener to a station begins in its middle: what cannot be decoded is passed over. Not here: files (`media::decode`).

use std::io::Read;

use loa_protocol::SAMPLE_RATE;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::ReadOnlySource;

use super::Inflow;
use crate::media::decode::{codec_of, mix, probe};
use crate::media::downmix;
use crate::media::live::{FRAME, Wire};
use crate::media::resample::Resampler;

/// Packets in a row that may fail: beyond it the stream is not what it said.
const MAX_DAMAGE_RUN: u32 = 250;
/// 120 ms: the longest that an Opus packet lasts.
const MAX_OPUS: usize = 5760;

/// Decodes `source` until it ends, and gives its sound to `sink` until that wants no more.
///
/// # Errors
/// Why it cannot be decoded.
pub fn decode(source: impl Read + Send + Sync + 'static, mut sink: impl FnMut(&[i16]) -> bool) -> Result<(), String> {
    let mut format = probe(Box::new(ReadOnlySource::new(source))).map_err(|error| error.to_string())?;
    loop {
        let mut voice = Voice::of(&*format)?;
        if !voice.follow(&mut *format, &mut sink)? {
            return Ok(());
        }
        // Another piece begins, in a stream of its own, as Ogg has it.
    }
}

/// Passes on what is 48 kHz mono already.
pub(super) fn raw(mut source: Inflow, wire: &Wire, plug: u64) -> Result<(), String> {
    let mut bytes = [0; 2 * FRAME];
    let mut filled = 0;
    loop {
        match source.read(&mut bytes[filled..]) {
            Ok(0) | Err(_) => return Ok(()),
            Ok(length) => filled += length,
        }
        if filled < bytes.len() {
            continue;
        }
        filled = 0;
        let samples: Vec<_> = bytes
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        if !wire.offer(plug, &samples) {
            return Ok(());
        }
    }
}

/// A track being decoded.
struct Voice {
    track: u32,
    codec: Codec,
    /// For the rate that it has, once that is known.
    resampler: Option<(u32, Resampler)>,
    damage_run: u32,
}

enum Codec {
    Opus(opus::Decoder),
    Other(Box<dyn AudioDecoder>),
}

impl Voice {
    fn of(format: &dyn FormatReader) -> Result<Self, String> {
        let track = format
            .default_track(TrackType::Audio)
            .ok_or("there is no sound in it")?;
        let codec = codec_of(format).map_err(|error| error.to_string())?;
        Ok(Self {
            track: track.id,
            codec: Codec::of(&codec)?,
            resampler: None,
            damage_run: 0,
        })
    }

    /// Until the track ends (`true`), or nobody wants more (`false`).
    fn follow(&mut self, format: &mut dyn FormatReader, sink: &mut impl FnMut(&[i16]) -> bool) -> Result<bool, String> {
        let (mut mono, mut wide) = (Vec::new(), Vec::new());
        loop {
            let packet = match format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                Err(Error::ResetRequired) => return Ok(true),
                Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(error) => return Err(error.to_string()),
            };
            if packet.track_id != self.track {
                continue;
            }
            let Some(rate) = self.codec.decode(&packet, &mut mono) else {
                self.damage_run += 1;
                if self.damage_run > MAX_DAMAGE_RUN {
                    return Err("nothing in it can be decoded".into());
                }
                continue;
            };
            self.damage_run = 0;
            if self.resampler.as_ref().is_none_or(|it| it.0 != rate) {
                let resampler = Resampler::new(rate).map_err(|error| error.to_string())?;
                self.resampler = Some((rate, resampler));
            }
            wide.clear();
            if let Some((_, resampler)) = &mut self.resampler {
                resampler.push(&mono, &mut wide);
            }
            let whole = |sample: &f32| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
            let samples: Vec<_> = wide.iter().map(whole).collect();
            if !sink(&samples) {
                return Ok(false);
            }
        }
    }
}

impl Codec {
    fn of(codec: &AudioCodecParameters) -> Result<Self, String> {
        if codec.codec == CODEC_ID_OPUS {
            // It mixes to mono by itself.
            let decoder = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono);
            return decoder.map(Self::Opus).map_err(|error| error.to_string());
        }
        let codecs = symphonia::default::get_codecs();
        let decoder = codecs.make_audio_decoder(codec, &AudioDecoderOptions::default());
        decoder.map(Self::Other).map_err(|error| error.to_string())
    }

    /// Decodes one packet to mono and gives its rate; none if it is damaged.
    fn decode(&mut self, packet: &symphonia::core::packet::Packet, mono: &mut Vec<f32>) -> Option<u32> {
        match self {
            Self::Opus(decoder) => {
                mono.resize(MAX_OPUS, 0.0);
                let length = decoder.decode_float(&packet.data, mono, false).ok()?;
                mono.truncate(length);
                Some(SAMPLE_RATE)
            }
            Self::Other(decoder) => {
                let audio = decoder.decode(packet).ok().filter(|audio| audio.num_planes() > 0)?;
                let weights = downmix::weights(audio.spec().channels());
                let mut planes = Vec::new();
                audio.copy_to_vecs_planar::<f32>(&mut planes);
                mix(&planes, &weights, mono);
                Some(audio.spec().rate())
            }
        }
    }
}
