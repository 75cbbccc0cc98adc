//! What the image says, on QEMU's standard error: one line for each change, with the microseconds since boot.

use crate::semihosting::{File, Mode};
use core::cell::RefCell;
use core::fmt::Write;
use critical_section::Mutex;
use embassy_time::Instant;
use log::{LevelFilter, Log, Metadata, Record};

/// Longest line, in bytes; longer ones are cut.
const LINE: usize = 256;

struct Journal(Mutex<RefCell<Option<File>>>);

static JOURNAL: Journal = Journal(Mutex::new(RefCell::new(None)));

/// Opens it.
pub(crate) fn start() {
    critical_section::with(|section| {
        // `:tt` opened for appending is standard error.
        *JOURNAL.0.borrow_ref_mut(section) = File::open(c":tt", Mode::Append);
    });
    log::set_logger(&JOURNAL)
        .map(|()| log::set_max_level(LevelFilter::Info))
        .expect("the journal is started once");
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        // Others' crates talk of every packet.
        if !record.target().starts_with("loa_") {
            return;
        }
        let mut line = heapless::String::<LINE>::new();
        // What does not fit is left out.
        let _ = write!(line, "{:>12} {}", Instant::now().as_micros(), record.args());
        critical_section::with(|section| {
            if let Some(file) = self.0.borrow_ref_mut(section).as_mut() {
                file.write(line.as_bytes());
                file.write(b"\n");
            }
        });
    }

    fn flush(&self) {}
}
