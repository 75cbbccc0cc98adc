//! Mono sound at 48 kHz to Opus in Ogg (RFC 6716, RFC 7845). Here: packets of one duration, pre-skip, granule
//! positions, end trimming, tags; and hearing what a receiver will decode of them. Not here: resampling, files and their
//! names.

use std::io::Write;

use loa_protocol::SAMPLE_RATE;
use ogg::{PacketWriteEndInfo, PacketWriter};

use super::level::Heard;
use super::survey::Meter;
use super::{Encoding, IngestError};

/// Longest Opus packet written, in bytes: with RTP header, tag and a tunnel's topic it still fits a datagram.
pub(super) const MAX_PACKET: usize = 1200;
/// Ogg pages of about a second: players seek well, and a page never splits a packet.
const PAGE_SAMPLES: u64 = SAMPLE_RATE as u64;
/// Any value does for a file with a single logical stream.
pub(super) const SERIAL: u32 = 1;

/// Encodes and writes one programme.
pub(super) struct Writer<W: Write> {
    ogg: PacketWriter<'static, W>,
    encoder: opus::Encoder,
    packet_samples: usize,
    pre_skip: u16,
    pending: Vec<i16>,
    /// The packet before the newest: only once the next one is known does it show whether it is the last.
    held: Option<Vec<u8>>,
    packets: u64,
    samples: u64,
    page_start: u64,
    scratch: Vec<u8>,
    monitor: Option<Monitor>,
}

/// Decodes again what was encoded, and measures it: that is what sounds.
struct Monitor {
    decoder: opus::Decoder,
    pcm: Vec<f32>,
    meter: Meter,
}

/// Writes both headers of a mono stream.
pub(super) fn headers<W: Write>(ogg: &mut PacketWriter<'static, W>, pre_skip: u16) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(19);
    head.extend_from_slice(b"OpusHead\x01\x01");
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    ogg.write_packet(head, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
    let vendor = opus::version().as_bytes();
    let mut tags = Vec::with_capacity(16 + vendor.len());
    tags.extend_from_slice(b"OpusTags");
    tags.extend_from_slice(&(vendor.len() as u32).to_le_bytes());
    tags.extend_from_slice(vendor);
    tags.extend_from_slice(&0u32.to_le_bytes());
    ogg.write_packet(tags, SERIAL, PacketWriteEndInfo::EndPage, 0)
}

/// What was written.
pub(super) struct Written {
    pub(super) packets: u64,
    pub(super) samples: u64,
    pub(super) pre_skip: u16,
    /// What it sounds like, if that was asked for.
    pub(super) heard: Option<Heard>,
}

impl<W: Write> Writer<W> {
    /// A writer that has written both headers; with `monitored` it measures what a receiver will decode.
    pub(super) fn new(output: W, encoding: Encoding, monitored: bool) -> Result<Self, IngestError> {
        let mut encoder = opus::Encoder::new(SAMPLE_RATE, opus::Channels::Mono, opus::Application::Audio)?;
        encoder.set_bitrate(opus::Bitrate::Bits(encoding.bitrate as i32))?;
        encoder.set_vbr(true)?;
        encoder.set_complexity(10)?;
        encoder.set_inband_fec(true)?;
        encoder.set_packet_loss_perc(10)?;
        let pre_skip = u16::try_from(encoder.get_lookahead()?).expect("libopus looks ahead by a few milliseconds");

        let mut ogg = PacketWriter::new(output);
        headers(&mut ogg, pre_skip)?;
        let monitor = if monitored {
            Some(Monitor {
                decoder: opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono)?,
                pcm: vec![0.0; encoding.packet_samples()],
                meter: Meter::new(),
            })
        } else {
            None
        };
        Ok(Self {
            ogg,
            encoder,
            packet_samples: encoding.packet_samples(),
            pre_skip,
            pending: Vec::new(),
            held: None,
            packets: 0,
            samples: 0,
            page_start: 0,
            scratch: vec![0; MAX_PACKET],
            monitor,
        })
    }

    /// Takes more sound: full scale is ±1, beyond it is clipped.
    pub(super) fn push(&mut self, mono: &[f32]) -> Result<(), IngestError> {
        self.samples += mono.len() as u64;
        self.pending.extend(
            mono.iter()
                .map(|sample| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16),
        );
        self.encode_whole()
    }

    /// Encodes what is left, padded to whole packets, and closes the stream; gives the output back.
    pub(super) fn finish(mut self) -> Result<(W, Written), IngestError> {
        let whole = self.samples + u64::from(self.pre_skip);
        let packets = whole.div_ceil(self.packet_samples as u64);
        let wanted = (packets * self.packet_samples as u64 - self.samples) as usize;
        self.pending.resize(self.pending.len() + wanted, 0);
        self.encode_whole()?;
        if let Some(last) = self.held.take() {
            self.ogg
                .write_packet(last, SERIAL, PacketWriteEndInfo::EndStream, whole)?;
        }
        let written = Written {
            packets: self.packets,
            samples: self.samples,
            pre_skip: self.pre_skip,
            heard: self.monitor.map(|it| it.meter.heard()),
        };
        Ok((self.ogg.into_inner(), written))
    }

    fn encode_whole(&mut self) -> Result<(), IngestError> {
        let mut start = 0;
        while self.pending.len() - start >= self.packet_samples {
            let frame = &self.pending[start..start + self.packet_samples];
            let length = self.encoder.encode(frame, &mut self.scratch)?;
            start += self.packet_samples;
            if let Some(it) = &mut self.monitor {
                let samples = it.decoder.decode_float(&self.scratch[..length], &mut it.pcm, false)?;
                it.meter.push(&it.pcm[..samples]);
            }
            if let Some(previous) = self.held.replace(self.scratch[..length].to_vec()) {
                let granule = self.packets * self.packet_samples as u64;
                let end = granule - self.page_start >= PAGE_SAMPLES;
                if end {
                    self.page_start = granule;
                }
                let info = if end {
                    PacketWriteEndInfo::EndPage
                } else {
                    PacketWriteEndInfo::NormalPacket
                };
                self.ogg.write_packet(previous, SERIAL, info, granule)?;
            }
            self.packets += 1;
        }
        self.pending.drain(..start);
        Ok(())
    }
}
