//! Which interrupt is whose. No device crate exists for this machine, so all of them come to one handler with their number.
#![expect(unsafe_code, reason = "interrupt numbers and priorities")]

use crate::semihosting::exit;
use crate::{ethernet, executor, time};
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::{NVIC, Peripherals};
use cortex_m_rt::{ExceptionFrame, exception};

#[derive(Clone, Copy)]
struct Line(u16);

// SAFETY: the numbers are below 240, and unmasking them breaks no critical section: those mask all interrupts.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self.0
    }
}

/// No device of the machine has this number: software requests it.
const URGENT: u16 = 90;
/// Lowest of the eight priorities, so that the devices' handlers interrupt it; they have the highest, from reset.
const URGENT_PRIORITY: u8 = 0xE0;

/// Lets the board's interrupts through. Call once.
pub(crate) fn enable() {
    let mut core = Peripherals::take().expect("interrupts are enabled once");
    // SAFETY: see `Line`.
    unsafe { core.NVIC.set_priority(Line(URGENT), URGENT_PRIORITY) };
    for line in [
        time::FREE_RUNNING_INTERRUPT,
        time::ALARM_INTERRUPT,
        ethernet::INTERRUPT,
        URGENT,
    ] {
        // SAFETY: see `Line`.
        unsafe { NVIC::unmask(Line(line)) };
    }
}

/// Asks for the urgent tasks to be polled.
pub(crate) fn request_urgent() {
    NVIC::pend(Line(URGENT));
}

#[exception]
unsafe fn DefaultHandler(number: i16) {
    match u16::try_from(number) {
        Ok(URGENT) => executor::on_urgent_interrupt(),
        Ok(time::FREE_RUNNING_INTERRUPT) => time::on_free_running_interrupt(),
        Ok(time::ALARM_INTERRUPT) => time::on_alarm_interrupt(),
        Ok(ethernet::INTERRUPT) => ethernet::on_interrupt(),
        _ => {
            log::error!("exception {number}: the watchdog bites, or nobody's interrupt");
            loop {
                cortex_m::asm::nop();
            }
        }
    }
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    log::error!("hard fault: {frame:?}");
    exit(crate::PANICKED)
}
