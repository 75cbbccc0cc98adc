//! What was said, kept as it went out. Here: the packets of a live stream in an Ogg Opus file. Not here: making a bulletin of it.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use ogg::{PacketWriteEndInfo, PacketWriter};

use super::{FRAME, FRAMES_A_SECOND};
use crate::media::encode;

/// Writes the packets of one stream.
pub(super) struct Recorder {
    ogg: PacketWriter<'static, BufWriter<File>>,
    /// Only once the next one is known does it show whether it is the last.
    held: Option<Vec<u8>>,
    packets: u64,
}

impl Recorder {
    /// Begins the file `path`, which must not be there yet.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut ogg = PacketWriter::new(BufWriter::new(File::create_new(path)?));
        encode::headers(&mut ogg, 0)?;
        Ok(Self {
            ogg,
            held: None,
            packets: 0,
        })
    }

    pub(super) fn write(&mut self, packet: &[u8]) -> io::Result<()> {
        if let Some(held) = self.held.replace(packet.to_vec()) {
            self.packets += 1;
            let info = match self.packets.is_multiple_of(u64::from(FRAMES_A_SECOND)) {
                true => PacketWriteEndInfo::EndPage,
                false => PacketWriteEndInfo::NormalPacket,
            };
            self.ogg
                .write_packet(held, encode::SERIAL, info, self.packets * FRAME as u64)?;
        }
        Ok(())
    }

    /// Closes the file, synced.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let last = self.held.take().unwrap_or_default();
        let end = (self.packets + 1) * FRAME as u64;
        self.ogg
            .write_packet(last, encode::SERIAL, PacketWriteEndInfo::EndStream, end)?;
        let mut file = self.ogg.into_inner();
        file.flush()?;
        file.get_ref().sync_all()
    }
}
