//! Where the sound of an MP4 file begins, and whether the file ends early. Here: the edit list (ISO/IEC 14496-12
//! §8.6.6), of which only the first edit's `media_time` matters: encoders put their priming before it; and how much of
//! the media data is there. Not here: anything else of MP4 (symphonia).

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Box headers looked at before giving up: no sane file nests or repeats more.
const MAX_BOXES: u32 = 10_000;

/// What symphonia does not tell.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The media time, in ticks of the first sound track's time scale, at which the sound begins; `None` without an edit.
    pub(super) start: Option<u64>,
    /// The part of the media data that is there, if it is not all.
    pub(super) present: Option<f64>,
}

/// Reads the headers of the boxes of `path`.
pub(super) fn layout(path: &Path) -> std::io::Result<Layout> {
    let mut file = BufReader::new(File::open(path)?);
    let end = file.seek(SeekFrom::End(0))?;
    let mut walk = Walk {
        file,
        left: MAX_BOXES,
        sound: false,
        start: None,
        layout: Layout::default(),
        found: false,
    };
    walk.boxes(0, end)?;
    Ok(walk.layout)
}

struct Walk<R> {
    file: R,
    left: u32,
    /// Of the track being walked: is it sound, and where does its first edit begin.
    sound: bool,
    start: Option<u64>,
    found: bool,
    layout: Layout,
}

impl<R: Read + Seek> Walk<R> {
    fn boxes(&mut self, mut at: u64, end: u64) -> std::io::Result<()> {
        while at + 8 <= end && self.left > 0 {
            self.left -= 1;
            self.file.seek(SeekFrom::Start(at))?;
            let mut header = [0; 8];
            self.file.read_exact(&mut header)?;
            let [s0, s1, s2, s3, kind @ ..] = header;
            let (size, body) = match u32::from_be_bytes([s0, s1, s2, s3]) {
                0 => (end - at, at + 8),
                1 => (self.u64()?, at + 16),
                size => (u64::from(size), at + 8),
            };
            let Some(next) = at.checked_add(size).filter(|next| *next >= body) else {
                return Ok(());
            };
            if next > end {
                if &kind == b"mdat" {
                    self.layout.present = Some((end - body) as f64 / (next - body) as f64);
                }
                return Ok(());
            }
            match &kind {
                b"moov" | b"edts" | b"mdia" => self.boxes(body, next)?,
                b"trak" if !self.found => {
                    (self.sound, self.start) = (false, None);
                    self.boxes(body, next)?;
                    self.found = self.sound;
                    if self.sound {
                        self.layout.start = self.start;
                    }
                }
                b"hdlr" => {
                    let mut handler = [0; 12];
                    self.file.read_exact(&mut handler)?;
                    self.sound = handler.ends_with(b"soun");
                }
                b"elst" => self.start = self.edit_list()?,
                _ => {}
            }
            at = next;
        }
        Ok(())
    }

    /// The first edit that is not an empty one (media time −1, which only delays the start).
    fn edit_list(&mut self) -> std::io::Result<Option<u64>> {
        let mut head = [0; 8];
        self.file.read_exact(&mut head)?;
        let wide = head[0] == 1;
        let entries = u32::from_be_bytes([head[4], head[5], head[6], head[7]]).min(16);
        for _ in 0..entries {
            let media_time = if wide {
                self.u64()?;
                self.u64()? as i64
            } else {
                self.u32()?;
                i64::from(self.u32()? as i32)
            };
            self.u32()?;
            if let Ok(media_time) = u64::try_from(media_time) {
                return Ok(Some(media_time));
            }
        }
        Ok(None)
    }

    fn u32(&mut self) -> std::io::Result<u32> {
        let mut bytes = [0; 4];
        self.file.read_exact(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn u64(&mut self) -> std::io::Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }
}
