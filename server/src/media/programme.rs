//! A programme ready to be sent. Here: the Opus packets of a stored file by index, held in memory, so that the sender
//! never waits for a disk and can begin at any packet. An hour at 32 kbit/s is 15 MB; it is shared by every receiver
//! and dropped when its broadcast ends. Not here: decoding, sending.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::ogg_opus::Head;

/// The packets of one stored programme.
#[derive(Debug)]
pub struct Programme {
    bytes: Vec<u8>,
    /// Where each packet ends in `bytes`.
    ends: Vec<u32>,
    packet_samples: u32,
    pre_skip: u16,
    samples: u64,
}

/// Why a stored programme cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is gone or unreadable.
    #[error("the programme's file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The file is not what [`super::ingest`] writes; the text says where it differs.
    #[error("the programme's file is damaged: {0}")]
    Damaged(&'static str),
}

impl Programme {
    /// Reads the Ogg Opus file that [`super::ingest`] wrote; blocking.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut reader = ogg::PacketReader::new(BufReader::new(file));
        let mut next = || match reader.read_packet() {
            Ok(packet) => Ok(packet),
            Err(ogg::OggReadError::ReadError(error)) => Err(OpenError::Io(error)),
            Err(_) => Err(OpenError::Damaged("not an Ogg stream")),
        };
        let head = next()?.ok_or(OpenError::Damaged("no packets"))?;
        let head = Head::parse(&head.data).map_err(|_| OpenError::Damaged("the Opus header"))?;
        if head.channels != 1 {
            return Err(OpenError::Damaged("not mono"));
        }
        next()?.ok_or(OpenError::Damaged("no tags"))?;

        let mut programme = Self {
            bytes: Vec::with_capacity(size as usize),
            ends: Vec::new(),
            packet_samples: 0,
            pre_skip: head.pre_skip,
            samples: 0,
        };
        let mut whole = None;
        while let Some(packet) = next()? {
            let samples = opus::packet::get_nb_samples(&packet.data, loa_protocol::SAMPLE_RATE)
                .map_err(|_| OpenError::Damaged("an Opus packet"))? as u32;
            if programme.ends.is_empty() {
                programme.packet_samples = samples;
            } else if programme.packet_samples != samples {
                return Err(OpenError::Damaged("packets of different durations"));
            }
            programme.bytes.extend_from_slice(&packet.data);
            programme
                .ends
                .push(u32::try_from(programme.bytes.len()).map_err(|_| OpenError::Damaged("over 4 GB"))?);
            if packet.last_in_stream() {
                whole = Some(packet.absgp_page());
            }
        }
        let whole = whole.ok_or(OpenError::Damaged("it ends early"))?;
        let most = programme.ends.len() as u64 * u64::from(programme.packet_samples);
        programme.samples = whole
            .checked_sub(u64::from(head.pre_skip))
            .filter(|_| whole <= most)
            .ok_or(OpenError::Damaged("the granule position"))?;
        Ok(programme)
    }

    /// Packet `index`, or `None` past the end.
    pub fn packet(&self, index: u64) -> Option<&[u8]> {
        let index = usize::try_from(index).ok()?;
        let end = *self.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        Some(&self.bytes[start..end])
    }

    /// Bytes in the packets before `index`.
    pub fn bytes_before(&self, index: u64) -> u64 {
        let last = usize::try_from(index).unwrap_or(usize::MAX).min(self.ends.len());
        last.checked_sub(1).map_or(0, |last| u64::from(self.ends[last]))
    }

    /// How many packets there are.
    pub fn packets(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Samples in each packet, at 48 kHz.
    pub fn packet_samples(&self) -> u32 {
        self.packet_samples
    }

    /// Decoded samples to drop before the first of the sound.
    pub fn pre_skip(&self) -> u16 {
        self.pre_skip
    }

    /// Samples of sound, pre-skip and final padding not counted.
    pub fn samples(&self) -> u64 {
        self.samples
    }
}
