//! Time for embassy: two CMSDK timers of the mps2-an505, at its 20 MHz system clock. Timer 0 runs freely and is extended to
//! 64 bits in software, timer 1 is the alarm.
#![expect(unsafe_code, reason = "registers")]

use crate::register::Register;
use core::cell::{Cell, RefCell};
use core::task::Waker;
use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// Interrupt numbers, as [`crate::interrupts`] sees them.
pub(crate) const FREE_RUNNING_INTERRUPT: u16 = 3;
pub(crate) const ALARM_INTERRUPT: u16 = 4;

/// Timer ticks per microsecond.
const TICKS_PER_MICROSECOND: u32 = 20;

/// CTRL: run, and ask for an interrupt at zero.
const RUN: u32 = 1 << 0;
const INTERRUPT: u32 = 1 << 3;

/// A CMSDK APB timer: counts down, reloads at zero.
struct Timer {
    control: Register,
    value: Register,
    reload: Register,
    clear: Register,
}

impl Timer {
    const fn at(base: usize) -> Self {
        // SAFETY: timer 0 and 1 of the board, Secure aliases (ARM DAI 0505, table 3-3); plain counters.
        unsafe {
            Self {
                control: Register::at(base, 0x0),
                value: Register::at(base, 0x4),
                reload: Register::at(base, 0x8),
                clear: Register::at(base, 0xC),
            }
        }
    }
}

/// Whole microseconds, and at which count of the timer they were full. Kept like this, reading the clock needs no 64-bit division,
/// which is a few hundred instructions and would be a good part of what a packet costs.
#[derive(Clone, Copy)]
struct Reading {
    microseconds: u64,
    counted: u32,
}

struct Clock {
    free: Timer,
    alarm: Timer,
    /// Up to the last reading. One reading per wrap (214 s) is enough; the wrap interrupt makes one.
    read: Mutex<Cell<Reading>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    free: Timer::at(0x5000_0000),
    alarm: Timer::at(0x5000_1000),
    read: Mutex::new(Cell::new(Reading { microseconds: 0, counted: 0 })),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Clock {
    fn now(&self) -> u64 {
        self.read().0
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let mut queue = self.queue.borrow_ref_mut(section);
            if queue.schedule_wake(at, waker) {
                self.arm(&mut queue);
            }
        });
    }
}

impl Clock {
    /// The time in microseconds, and ticks beyond it.
    fn read(&self) -> (u64, u32) {
        critical_section::with(|section| {
            let last = self.read.borrow(section).get();
            // The timer counts down: what it counted so far is the complement.
            let counted = !self.free.value.read();
            let passed = counted.wrapping_sub(last.counted);
            let (microseconds, beyond) = (passed / TICKS_PER_MICROSECOND, passed % TICKS_PER_MICROSECOND);
            let reading = Reading {
                microseconds: last.microseconds + u64::from(microseconds),
                counted: counted.wrapping_sub(beyond),
            };
            self.read.borrow(section).set(reading);
            (reading.microseconds, beyond)
        })
    }

    /// Sets the alarm to what is due next, waking what is due already.
    fn arm(&self, queue: &mut Queue) {
        self.alarm.control.write(0);
        let now = self.now();
        let next = queue.next_expiration(now);
        if next == u64::MAX {
            return;
        }
        // One that is further away than the timer reaches is looked at again then.
        let microseconds = u32::try_from(next.saturating_sub(now)).unwrap_or(u32::MAX).max(1);
        let ticks = microseconds.saturating_mul(TICKS_PER_MICROSECOND);
        self.alarm.reload.write(ticks);
        self.alarm.value.write(ticks);
        self.alarm.control.write(RUN | INTERRUPT);
    }
}

/// Starts the clock at zero.
pub(crate) fn start() {
    CLOCK.free.reload.write(u32::MAX);
    CLOCK.free.value.write(u32::MAX);
    CLOCK.free.control.write(RUN | INTERRUPT);
}

/// Timer ticks since the start, 20 to a microsecond; under `-icount shift=0` one tick is 50 instructions.
#[cfg(feature = "measure")]
pub(crate) fn ticks() -> u64 {
    let (microseconds, beyond) = CLOCK.read();
    microseconds * u64::from(TICKS_PER_MICROSECOND) + u64::from(beyond)
}

pub(crate) fn on_free_running_interrupt() {
    CLOCK.free.clear.write(1);
    CLOCK.read();
}

pub(crate) fn on_alarm_interrupt() {
    CLOCK.alarm.clear.write(1);
    critical_section::with(|section| CLOCK.arm(&mut CLOCK.queue.borrow_ref_mut(section)));
}
