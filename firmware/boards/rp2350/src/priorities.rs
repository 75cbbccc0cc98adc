//! Who may interrupt whom. From the highest: DMA and timer (P0), the DAC's task (P1), network and receiver (P2), the W5500's interrupt line
//! (P3), the main thread.
#![expect(unsafe_code, reason = "executors are polled from interrupts")]

use embassy_executor::SendSpawner;
use embassy_rp::executor::InterruptExecutor;
use embassy_rp::interrupt;
use embassy_rp::interrupt::{InterruptExt, Priority};

static SOUND: InterruptExecutor = InterruptExecutor::new();
static URGENT: InterruptExecutor = InterruptExecutor::new();

// Interrupts that no device of the chip has: software requests them.
#[interrupt]
unsafe fn SWI_IRQ_0() {
    // SAFETY: the handler of this executor's interrupt, which `start` lets through only once it is there.
    unsafe { SOUND.on_interrupt() }
}

#[interrupt]
unsafe fn SWI_IRQ_1() {
    // SAFETY: as above.
    unsafe { URGENT.on_interrupt() }
}

/// Starts the executors: for the DAC, and for network and receiver.
pub(crate) fn start() -> (SendSpawner, SendSpawner) {
    // embassy-rp gives it the lowest: then the end of a DAC block would wait for the receiver.
    interrupt::DMA_IRQ_0.set_priority(Priority::P0);
    interrupt::SWI_IRQ_0.set_priority(Priority::P1);
    interrupt::SWI_IRQ_1.set_priority(Priority::P2);
    (SOUND.start(interrupt::SWI_IRQ_0), URGENT.start(interrupt::SWI_IRQ_1))
}
