//! Opus files that people upload (RFC 7845), decoded. Here: pre-skip, output gain, end trimming, mapping families 0
//! and 1. Not here: writing (`encode`) and sending without decoding (`programme`).

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ogg::PacketReader;

use super::{IngestError, downmix};

/// 120 ms at 48 kHz: the longest that one packet lasts (RFC 6716 §2.1.4).
const MAX_PACKET_SAMPLES: usize = 5760;
/// Packets in a row that may fail to decode before the file is called damaged.
const MAX_DAMAGE_RUN: u32 = 250;

/// An Ogg Opus file being read.
pub(super) struct OpusFile {
    packets: PacketReader<BufReader<File>>,
    decoder: opus::MSDecoder,
    weights: Vec<f32>,
    serial: u32,
    skip: u64,
    gain: f32,
    interleaved: Vec<f32>,
    /// Samples decoded so far, pre-skip included: what granule positions count.
    position: u64,
    damage_run: u32,
    done: bool,
}

impl OpusFile {
    pub(super) fn open(path: &Path) -> Result<Self, IngestError> {
        let mut packets = PacketReader::new(BufReader::new(File::open(path)?));
        let head = packets.read_packet().map_err(refused)?.ok_or(IngestError::NotAudio)?;
        let serial = head.stream_serial();
        let Head {
            channels,
            pre_skip,
            gain,
            streams,
            coupled,
            mapping,
        } = Head::parse(&head.data)?;
        // The comment header: who it is by does not matter here.
        packets.read_packet().map_err(refused)?;
        let decoder = opus::MSDecoder::new(loa_protocol::SAMPLE_RATE, streams, coupled, &mapping)
            .map_err(|_| IngestError::Damaged("the Opus header contradicts itself".into()))?;
        Ok(Self {
            packets,
            decoder,
            weights: downmix::vorbis_order_weights(channels),
            serial,
            skip: u64::from(pre_skip),
            gain,
            interleaved: vec![0.0; MAX_PACKET_SAMPLES * channels],
            position: 0,
            damage_run: 0,
            done: false,
        })
    }

    pub(super) fn channels(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn read(&mut self, mono: &mut Vec<f32>) -> Result<bool, IngestError> {
        mono.clear();
        while mono.is_empty() {
            if self.done {
                return Ok(false);
            }
            let packet = match self.packets.read_packet() {
                Ok(Some(packet)) if packet.stream_serial() != self.serial => continue,
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                Err(ogg::OggReadError::ReadError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Ok(false);
                }
                Err(error) => return Err(refused(error)),
            };
            let samples = match self.decoder.decode_float(&packet.data, &mut self.interleaved, false) {
                Ok(samples) => {
                    self.damage_run = 0;
                    samples
                }
                Err(_) if self.damage_run < MAX_DAMAGE_RUN => {
                    self.damage_run += 1;
                    continue;
                }
                Err(error) => return Err(IngestError::Damaged(error.to_string())),
            };
            let frames = self.interleaved[..samples * self.weights.len()].chunks_exact(self.weights.len());
            mono.extend(frames.map(|frame| {
                frame
                    .iter()
                    .zip(&self.weights)
                    .map(|(sample, weight)| sample * weight)
                    .sum::<f32>()
                    * self.gain
            }));
            self.position += samples as u64;
            if packet.last_in_stream() {
                // The last page's granule position may lie before the end of its last packet: end trimming.
                let excess = self.position.saturating_sub(packet.absgp_page()) as usize;
                mono.truncate(mono.len().saturating_sub(excess));
                self.done = true;
            }
            let skipped = self.skip.min(mono.len() as u64);
            mono.drain(..skipped as usize);
            self.skip -= skipped;
        }
        Ok(true)
    }
}

/// The identification header (RFC 7845 §5.1).
pub(super) struct Head {
    pub(super) channels: usize,
    pub(super) pre_skip: u16,
    gain: f32,
    streams: u8,
    coupled: u8,
    mapping: Vec<u8>,
}

impl Head {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, IngestError> {
        let damaged = || IngestError::Damaged("the Opus header is malformed".into());
        let (magic, rest) = bytes.split_at_checked(8).ok_or_else(damaged)?;
        let &[version, channels, p0, p1, _, _, _, _, g0, g1, family, ref table @ ..] = rest else {
            return Err(damaged());
        };
        if magic != b"OpusHead" || version > 15 || channels == 0 {
            return Err(damaged());
        }
        let (streams, coupled, mapping) = match (family, channels, table) {
            (0, 1, _) => (1, 0, vec![0]),
            (0, 2, _) => (1, 1, vec![0, 1]),
            (1, 1..=8, [streams, coupled, mapping @ ..]) if mapping.len() >= usize::from(channels) => {
                (*streams, *coupled, mapping[..usize::from(channels)].to_vec())
            }
            (1, 1..=8, _) | (0, ..) => return Err(damaged()),
            _ => {
                return Err(IngestError::Unsupported(format!(
                    "Opus channel mapping family {family}"
                )));
            }
        };
        Ok(Self {
            channels: usize::from(channels),
            pre_skip: u16::from_le_bytes([p0, p1]),
            gain: 10f32.powf(f32::from(i16::from_le_bytes([g0, g1])) / (20.0 * 256.0)),
            streams,
            coupled,
            mapping,
        })
    }
}

fn refused(error: ogg::OggReadError) -> IngestError {
    match error {
        ogg::OggReadError::ReadError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => error.into(),
        other => IngestError::Damaged(other.to_string()),
    }
}
