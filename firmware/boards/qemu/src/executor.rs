//! Runs embassy's tasks on the main thread and sleeps in between with WFI. embassy's own executor for Cortex-M sleeps with
//! WFE, which QEMU executes as nothing: it would keep a core of the host busy.

use core::sync::atomic::{AtomicBool, Ordering};
use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

/// Whether a task wants to run.
static PENDING: AtomicBool = AtomicBool::new(false);

#[unsafe(export_name = "__pender")]
fn pend(_context: *mut ()) {
    PENDING.store(true, Ordering::SeqCst);
}

/// Lets `start` spawn the first tasks, and runs them for ever.
pub(crate) fn run(start: impl FnOnce(Spawner)) -> ! {
    static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
    let executor: &'static raw::Executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    start(executor.spawner());
    loop {
        #[cfg(feature = "measure")]
        let awake = crate::measure::wake();
        while PENDING.swap(false, Ordering::SeqCst) {
            // SAFETY: only this loop polls, and tasks cannot reach it.
            unsafe { executor.poll() };
        }
        #[cfg(feature = "measure")]
        crate::measure::sleep(awake);
        // With interrupts masked, one that comes between the look and WFI still ends WFI (Armv8-M ARM, B3.37).
        cortex_m::interrupt::disable();
        if !PENDING.load(Ordering::SeqCst) {
            cortex_m::asm::wfi();
        }
        // SAFETY: no critical section is open here.
        unsafe { cortex_m::interrupt::enable() };
    }
}
