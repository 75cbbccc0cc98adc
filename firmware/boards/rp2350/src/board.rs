//! The board as the shell sees it.

use crate::flash::Flash;
use crate::pins::{self, Signal};
use crate::{dac, reset, serial};
use embassy_rp::Peri;
use embassy_rp::peripherals::WATCHDOG;
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, Timer};
use embedded_hal::digital::OutputPin;
use loa_board_shell::Board;
use loa_protocol::claim::Code;
use loa_receiver::hardware::{self, Amplifier, Guard, led};
use loa_receiver::{Micros, Status};

/// The watchdog's patience. The receiver wakes at least every 5 s.
const PATIENCE: Duration = Duration::from_secs(10);
/// How the LED blinks on a board that is not enrolled: ten times a second, and for short.
const NOT_ENROLLED: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(80));

/// Amplifier, LED and watchdog.
pub(crate) struct Rp2350 {
    amplifier: Amplifier<Signal, Signal>,
    led: Signal,
    status: Status,
    guard: Guard<Fed>,
    flash: Flash,
}

struct Fed(Watchdog);

impl hardware::Watchdog for Fed {
    fn feed(&mut self) {
        self.0.feed(PATIENCE);
    }
}

impl Rp2350 {
    /// Mutes the amplifier and starts the watchdog.
    pub(crate) fn new(
        amplifier: pins::Amplifier,
        led: pins::Led,
        watchdog: Peri<'static, WATCHDOG>,
        flash: Flash,
    ) -> Self {
        let enable = Signal::new(amplifier.enable, pins::AMPLIFIER_ENABLE_ACTIVE);
        let mute = Signal::new(amplifier.mute, pins::AMPLIFIER_MUTE_ACTIVE);
        let Ok(amplifier) = Amplifier::new(enable, mute);
        let mut watchdog = Watchdog::new(watchdog);
        watchdog.start(PATIENCE);
        let led = Signal::new(led.status, pins::LED_STATUS_ACTIVE);
        Self {
            amplifier,
            led,
            status: Status::default(),
            guard: Guard::new(Fed(watchdog)),
            flash,
        }
    }

    /// Says so, for ever: there is nothing else to do.
    pub(crate) async fn not_enrolled(mut self) -> ! {
        let (on, off) = NOT_ENROLLED;
        for turns in 0.. {
            self.guard.watch(turns);
            let Ok(()) = self.led.set_high();
            Timer::after(on).await;
            let Ok(()) = self.led.set_low();
            Timer::after(off).await;
        }
        reset::now()
    }
}

impl Board for Rp2350 {
    fn play(&mut self, at: Micros, pcm: &[i16]) {
        dac::play(at, pcm);
    }

    fn amplifier(&mut self, on: bool) {
        let Ok(()) = self.amplifier.set(on);
    }

    fn status(&mut self, status: Status) {
        self.status = status;
    }

    fn code(&mut self, code: Code) {
        serial::show(code);
    }

    fn alive(&mut self, now: Micros, turns: u64) {
        let Ok(()) = self.led.set_state(led(self.status, now).into());
        self.guard.watch(turns);
    }

    fn store(&mut self, flash: &[u8]) -> bool {
        self.flash.store(flash)
    }

    fn reboot(&mut self) -> ! {
        reset::now()
    }
}
