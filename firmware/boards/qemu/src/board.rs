//! The board as the shell sees it.

use crate::pins::Pin;
use crate::sound::Sound;
use crate::watchdog::Watchdog;
use loa_board_shell::Board;
use loa_receiver::{Micros, Status};

/// The hardware of this board, and the files that stand for what it has not.
pub(crate) struct Qemu {
    sound: Sound,
    amplifier: Pin,
    watchdog: Watchdog,
}

impl Qemu {
    pub(crate) fn new() -> Self {
        Self {
            sound: Sound::open(),
            amplifier: Pin::amplifier(),
            watchdog: Watchdog::start(),
        }
    }
}

impl Board for Qemu {
    fn play(&mut self, at: Micros, pcm: &[i16]) {
        self.sound.play(at, pcm);
    }

    fn amplifier(&mut self, on: bool) {
        self.amplifier.set(on);
    }

    fn status(&mut self, status: Status) {
        log::info!("status {status:?}");
        #[cfg(feature = "measure")]
        crate::measure::status(status, || self.watchdog.feed());
    }

    fn alive(&mut self, _now: Micros) {
        self.watchdog.feed();
    }

    fn reboot(&mut self) -> ! {
        log::info!("reboot");
        cortex_m::peripheral::SCB::sys_reset()
    }

    #[cfg(feature = "measure")]
    fn begins(&mut self, _work: loa_board_shell::Work) {
        crate::measure::begins();
    }

    #[cfg(feature = "measure")]
    fn ends(&mut self, work: loa_board_shell::Work) {
        crate::measure::ends(work);
    }
}
