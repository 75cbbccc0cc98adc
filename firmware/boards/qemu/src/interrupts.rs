//! Which interrupt is whose. No device crate exists for this machine, so all of them come to one handler with their number.

use crate::{ethernet, time};
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::exception;

#[derive(Clone, Copy)]
struct Line(u16);

// SAFETY: the numbers are below 240, and unmasking them breaks no critical section: those mask all interrupts.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self.0
    }
}

/// Lets the board's interrupts through.
pub(crate) fn enable() {
    for line in [time::FREE_RUNNING_INTERRUPT, time::ALARM_INTERRUPT, ethernet::INTERRUPT] {
        // SAFETY: see `Line`.
        unsafe { NVIC::unmask(Line(line)) };
    }
}

#[exception]
unsafe fn DefaultHandler(number: i16) {
    match u16::try_from(number) {
        Ok(time::FREE_RUNNING_INTERRUPT) => time::on_free_running_interrupt(),
        Ok(time::ALARM_INTERRUPT) => time::on_alarm_interrupt(),
        Ok(ethernet::INTERRUPT) => ethernet::on_interrupt(),
        // The watchdog's first bite is the non-maskable interrupt; anything else is not ours either. The second bite resets.
        _ => loop {
            cortex_m::asm::nop();
        },
    }
}
