//! Runs embassy's tasks at two priorities: the patient ones on the main thread, which sleeps in between with WFI, and the
//! urgent ones in an interrupt that interrupts them.
//!
//! embassy's own executor for Cortex-M sleeps with WFE, which QEMU executes as nothing: it would keep a core of the host busy.
#![expect(unsafe_code, reason = "polling from an interrupt, by a pointer")]

use crate::interrupts;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

/// Whether a patient task wants to run.
static PENDING: AtomicBool = AtomicBool::new(false);
/// The urgent tasks' executor, once it is there.
static URGENT: AtomicPtr<raw::Executor> = AtomicPtr::new(ptr::null_mut());

/// An executor's context, which its [`pend`] sees.
const PATIENT_CONTEXT: *mut () = ptr::null_mut();
const URGENT_CONTEXT: *mut () = ptr::without_provenance_mut(1);

#[unsafe(export_name = "__pender")]
fn pend(context: *mut ()) {
    match context == PATIENT_CONTEXT {
        true => PENDING.store(true, Ordering::SeqCst),
        false => interrupts::request_urgent(),
    }
}

/// Polls the urgent tasks: the interrupt's handler.
pub(crate) fn on_urgent_interrupt() {
    let executor = URGENT.load(Ordering::SeqCst);
    if !executor.is_null() {
        // SAFETY: `run` stored it and it lives for ever. Only this handler polls it, and it cannot interrupt itself.
        unsafe { (*executor).poll() };
    }
}

/// Lets `urgent` and `patient` spawn the first tasks, and runs all for ever.
pub(crate) fn run(urgent: impl FnOnce(Spawner), patient: impl FnOnce(Spawner)) -> ! {
    static PATIENT_CELL: StaticCell<raw::Executor> = StaticCell::new();
    static URGENT_CELL: StaticCell<raw::Executor> = StaticCell::new();
    // What the urgent tasks are given is theirs alone from here on: their interrupt is not let through before they are spawned.
    let executor: &'static raw::Executor = URGENT_CELL.init(raw::Executor::new(URGENT_CONTEXT));
    urgent(executor.spawner());
    URGENT.store(ptr::from_ref(executor).cast_mut(), Ordering::SeqCst);
    let executor: &'static raw::Executor = PATIENT_CELL.init(raw::Executor::new(PATIENT_CONTEXT));
    patient(executor.spawner());
    #[cfg(feature = "measure")]
    crate::measure::wake();
    interrupts::enable();
    loop {
        while PENDING.swap(false, Ordering::SeqCst) {
            // SAFETY: only this loop polls it, and tasks cannot reach it.
            unsafe { executor.poll() };
        }
        // With interrupts masked, one that comes between the look and WFI still ends WFI (Armv8-M ARM, B3.37).
        cortex_m::interrupt::disable();
        if !PENDING.load(Ordering::SeqCst) {
            #[cfg(feature = "measure")]
            crate::measure::sleep();
            cortex_m::asm::wfi();
            #[cfg(feature = "measure")]
            crate::measure::wake();
        }
        // SAFETY: no critical section is open here.
        unsafe { cortex_m::interrupt::enable() };
    }
}
