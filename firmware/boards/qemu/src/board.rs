//! The board as the shell sees it.

use crate::flash;
use crate::pins::Pin;
use crate::sound::Sound;
use crate::watchdog::Watchdog;
use embedded_hal::digital::OutputPin;
use loa_board_shell::Board;
use loa_protocol::claim::Code;
use loa_receiver::hardware::{Amplifier, Guard, led};
use loa_receiver::{Micros, Status};

/// The hardware of this board, and the files that stand for what it has not.
pub(crate) struct Qemu {
    sound: Sound,
    amplifier: Amplifier<Pin, Pin>,
    led: Pin,
    status: Status,
    guard: Guard<Watchdog>,
}

impl Qemu {
    pub(crate) fn new() -> Self {
        let Ok(amplifier) = Amplifier::new(Pin::amplifier_enable(), Pin::amplifier_mute());
        let guard = Guard::new(Watchdog::start());
        Self {
            sound: Sound::open(),
            amplifier,
            led: Pin::led(),
            status: Status::default(),
            guard,
        }
    }
}

impl Board for Qemu {
    fn play(&mut self, at: Micros, pcm: &[i16]) {
        self.sound.play(at, pcm);
    }

    fn amplifier(&mut self, on: bool) {
        let Ok(()) = self.amplifier.set(on);
    }

    fn status(&mut self, status: Status) {
        log::info!("status {status:?}");
        self.status = status;
        #[cfg(feature = "measure")]
        crate::measure::status(status);
    }

    fn code(&mut self, code: Code) {
        log::info!("claim code {code}");
    }

    fn alive(&mut self, now: Micros, turns: u64) {
        let Ok(()) = self.led.set_state(led(self.status, now).into());
        self.guard.watch(turns);
    }

    fn store(&mut self, flash: &[u8]) -> bool {
        flash::store(flash)
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
