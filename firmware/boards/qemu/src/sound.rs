//! The DAC, as two files in QEMU's working directory, appended to:
//!
//! - `sound.pcm`: the samples in the order in which they were handed out, signed 16 bit little-endian, 48 kHz, mono; nothing between them.
//! - `sound.txt`: a line for each stretch handed out, `at samples now`: when its first sample sounds, how many there are, and when they
//!   were handed out, in microseconds since boot. A gap or an overlap is where `at` differs from the line before by more or less
//!   than its samples last. A line `boot` stands where the machine started.

use crate::semihosting::{File, Mode};
use core::fmt::Write;
use embassy_time::Instant;
use loa_receiver::Micros;

/// Both files.
pub(crate) struct Sound {
    samples: File,
    index: File,
}

impl Sound {
    pub(crate) fn open() -> Self {
        let open = |name| File::open(name, Mode::Append).expect("files can be written in QEMU's working directory");
        let mut sound = Self {
            samples: open(c"sound.pcm"),
            index: open(c"sound.txt"),
        };
        assert!(sound.index.write(b"boot\n"), "the disk is full");
        sound
    }

    pub(crate) fn play(&mut self, at: Micros, pcm: &[i16]) {
        let mut line = heapless::String::<64>::new();
        writeln!(line, "{} {} {}", at.0, pcm.len(), Instant::now().as_micros()).expect("three numbers fit");
        assert!(
            self.samples.write_samples(pcm) && self.index.write(line.as_bytes()),
            "the disk is full"
        );
    }
}
