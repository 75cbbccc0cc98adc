//! Packets as a stream that a player opens in the middle of a broadcast. Here: Opus in Ogg (RFC 7845), a page a packet, as they come. Not here:
//! when they come (`http::listening`).

use std::sync::Arc;

use loa_protocol::UnixMicros;
use ogg::{PacketWriteEndInfo, PacketWriter};

use super::encode::{self, SERIAL};
use super::live::{FRAME, Ring};
use super::programme::Programme;

/// Bytes of the largest packet (RFC 6716 §3.2.1 allows 1275 a frame).
const LARGEST: usize = 1275 * 6;

/// What sounds, by index.
#[derive(Debug)]
pub enum Aired {
    /// A file.
    File(Arc<Programme>),
    /// What is made while it is sent.
    Live(Arc<Ring>),
}

impl Aired {
    /// Samples in each packet, at 48 kHz.
    fn samples(&self) -> u64 {
        match self {
            Self::File(programme) => u64::from(programme.packet_samples()),
            Self::Live(_) => FRAME as u64,
        }
    }

    /// The packet that sounds at `now` of what began at `start`.
    pub fn index(&self, start: UnixMicros, now: UnixMicros) -> u64 {
        now.0.saturating_sub(start.0) * 48 / 1000 / self.samples()
    }

    /// When packet `index` begins to sound.
    pub fn due(&self, start: UnixMicros, index: u64) -> UnixMicros {
        UnixMicros(start.0 + index * self.samples() * 1000 / 48)
    }

    /// Whether `index` lies behind the last.
    pub fn is_over(&self, index: u64) -> bool {
        match self {
            Self::File(programme) => index >= programme.packets(),
            Self::Live(_) => false,
        }
    }
}

/// Makes pages of packets.
pub struct Pages {
    writer: PacketWriter<'static, Vec<u8>>,
    granule: u64,
    packet: [u8; LARGEST],
}

impl Pages {
    /// Its first pages are the headers.
    ///
    /// # Errors
    /// None that memory does not have.
    pub fn new() -> std::io::Result<Self> {
        let mut writer = PacketWriter::new(Vec::new());
        encode::headers(&mut writer, 0)?;
        Ok(Self {
            writer,
            granule: 0,
            packet: [0; LARGEST],
        })
    }

    /// Adds packet `index` of `aired`; one that is not there leaves a gap of its length.
    ///
    /// # Errors
    /// None that memory does not have.
    pub fn add(&mut self, aired: &Aired, index: u64) -> std::io::Result<()> {
        self.granule += aired.samples();
        let packet = match aired {
            Aired::File(programme) => programme.packet(index),
            Aired::Live(ring) => ring.copy(index, &mut self.packet).map(|length| &self.packet[..length]),
        };
        match packet {
            Some(packet) => {
                self.writer
                    .write_packet(packet.to_vec(), SERIAL, PacketWriteEndInfo::EndPage, self.granule)
            }
            None => Ok(()),
        }
    }

    /// What was added since this was asked last.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.inner_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_in_the_middle_is_a_stream_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tone.opus");
        let encoding = crate::media::Encoding::default();
        let mut writer = encode::Writer::new(std::fs::File::create(&file).unwrap(), encoding, false).unwrap();
        let wave: Vec<_> = (0..96_000).map(|n| (n as f32 * 0.05).sin() * 0.3).collect();
        writer.push(&wave).unwrap();
        writer.finish().unwrap();
        let aired = Aired::File(Arc::new(Programme::open(&file).unwrap()));
        let (start, now) = (UnixMicros(1_000_000), UnixMicros(1_610_000));
        let from = aired.index(start, now);
        assert_eq!((from, aired.due(start, from)), (10, UnixMicros(1_600_000)));

        let mut pages = Pages::new().unwrap();
        let mut bytes = pages.take();
        assert!(bytes.starts_with(b"OggS"));
        let mut index = from;
        while !aired.is_over(index) {
            pages.add(&aired, index).unwrap();
            let page = pages.take();
            assert!(page.starts_with(b"OggS"), "a page a packet");
            bytes.extend(page);
            index += 1;
        }
        let joined = folder.path().join("joined.opus");
        std::fs::write(&joined, bytes).unwrap();
        let mut reader = ogg::PacketReader::new(std::fs::File::open(&joined).unwrap());
        let mut packets = Vec::new();
        while let Some(packet) = reader.read_packet().unwrap() {
            packets.push((packet.absgp_page(), packet.data));
        }
        assert!(packets[0].1.starts_with(b"OpusHead") && packets[1].1.starts_with(b"OpusTags"));
        let Aired::File(programme) = &aired else { unreachable!() };
        let sound = &packets[2..];
        assert_eq!(sound.len() as u64, programme.packets() - from);
        for (n, (granule, packet)) in sound.iter().enumerate() {
            assert_eq!(*granule, (n as u64 + 1) * 2880);
            assert_eq!(Some(&packet[..]), programme.packet(from + n as u64));
        }
    }
}
