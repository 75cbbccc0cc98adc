//! What happens when nothing can go on: the chip is reset, which also lets go of all pins, so that the resistors on the board mute
//! the amplifier.
#![expect(unsafe_code, reason = "the watchdog is taken from whoever has it")]

use cortex_m_rt::{ExceptionFrame, exception};
use embassy_rp::peripherals::WATCHDOG;
use embassy_rp::watchdog::Watchdog;

/// Resets the chip, now.
pub(crate) fn now() -> ! {
    // SAFETY: nothing else runs any more that could use it.
    Watchdog::new(unsafe { WATCHDOG::steal() }).trigger_reset();
    loop {
        cortex_m::asm::nop();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    now()
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    now()
}
