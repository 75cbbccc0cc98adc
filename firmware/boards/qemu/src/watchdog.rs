//! The watchdog: CMSDK APB watchdog of the board (Secure alias), fed as long as the shell says that everything runs. Its first bite is
//! the non-maskable interrupt, its second resets the machine.
#![expect(unsafe_code, reason = "registers")]

use crate::register::Register;

const fn register(offset: usize) -> Register {
    // SAFETY: the Secure watchdog of the board (ARM DAI 0505, table 3-3); it masters no bus.
    unsafe { Register::at(0x5008_1000, offset) }
}

// Cortex-M System Design Kit, chapter 4.5.
static LOAD: Register = register(0x000);
static CONTROL: Register = register(0x008);
static CLEAR: Register = register(0x00C);
static LOCK: Register = register(0xC00);

const UNLOCK: u32 = 0x1ACC_E551;
/// Interrupt at the first zero, reset at the second.
const RUN: u32 = 0b11;
/// Ten seconds at 20 MHz until it bites, and ten more until it resets.
const PERIOD: u32 = 10 * 20_000_000;

/// The running watchdog.
pub(crate) struct Watchdog(());

impl Watchdog {
    pub(crate) fn start() -> Self {
        LOCK.write(UNLOCK);
        LOAD.write(PERIOD);
        CONTROL.write(RUN);
        Self(())
    }
}

impl loa_receiver::hardware::Watchdog for Watchdog {
    fn feed(&mut self) {
        feed();
    }
}

/// Feeds it, also for work that is longer than a watchdog's patience ([`crate::measure`]).
pub(crate) fn feed() {
    // Loads the period again, too.
    CLEAR.write(1);
}
