//! What boards have in common. Here: the amplifier, the status LED and the watchdog, over embedded-hal's pins. Not here: which
//! pins (a board's), and the sound itself.

use crate::{Micros, Status};
use embedded_hal::digital::OutputPin;

/// An amplifier with an enable and a mute input. Pins that are active low are inverted by the board.
pub struct Amplifier<E, M> {
    enable: E,
    mute: M,
}

impl<E: OutputPin, M: OutputPin<Error = E::Error>> Amplifier<E, M> {
    /// Takes the pins (`enable` high: on; `mute` high: silent) and switches the amplifier off.
    ///
    /// # Errors
    /// The pins'.
    pub fn new(enable: E, mute: M) -> Result<Self, E::Error> {
        let mut amplifier = Self { enable, mute };
        amplifier.set(false)?;
        Ok(amplifier)
    }

    /// Carries out [`Output::Amplifier`](crate::Output::Amplifier): unmutes after switching on, mutes before switching off, so that
    /// nobody hears it switch.
    ///
    /// # Errors
    /// The pins'; switching off tries both.
    pub fn set(&mut self, on: bool) -> Result<(), E::Error> {
        if on {
            self.enable.set_high()?;
            self.mute.set_low()
        } else {
            let muted = self.mute.set_high();
            self.enable.set_low()?;
            muted
        }
    }
}

/// Whether the status LED is lit at `now`: two short flashes a second without identity, off most of the time while offline, blinking slowly
/// while connected, steady when ready, blinking fast while sound is on, and twice as slowly while draining.
#[must_use]
pub fn led(status: Status, now: Micros) -> bool {
    let millis = now.0 / 1000;
    match status {
        Status::Claiming => matches!(millis % 1000, 0..100 | 200..300),
        Status::Enrolled => millis % 2000 < 100,
        Status::Connected => millis % 1000 < 500,
        Status::Ready => true,
        Status::Streaming => millis % 200 < 100,
        Status::Draining => millis % 400 < 200,
    }
}

/// Starts the board afresh unless it is fed in time.
pub trait Watchdog {
    /// Waits its whole time again.
    fn feed(&mut self);
}

/// Feeds a watchdog only while the receiver is alive.
pub struct Guard<W> {
    watchdog: W,
    turns: Option<u64>,
}

impl<W: Watchdog> Guard<W> {
    /// Guards with this watchdog.
    pub fn new(watchdog: W) -> Self {
        Self { watchdog, turns: None }
    }

    /// To be called with [`Receiver::turns`](crate::Receiver::turns) once around the board's loop: feeds if it has risen. A receiver wants
    /// to be woken at least every 5 s, so a watchdog of 10 s does.
    pub fn watch(&mut self, turns: u64) {
        if self.turns != Some(turns) {
            self.turns = Some(turns);
            self.watchdog.feed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::RefCell;
    use core::convert::Infallible;
    use embedded_hal::digital::ErrorType;

    type Log = RefCell<Vec<(&'static str, bool)>>;

    struct Pin<'a>(&'static str, &'a Log);

    impl ErrorType for Pin<'_> {
        type Error = Infallible;
    }

    impl OutputPin for Pin<'_> {
        fn set_low(&mut self) -> Result<(), Infallible> {
            self.1.borrow_mut().push((self.0, false));
            Ok(())
        }

        fn set_high(&mut self) -> Result<(), Infallible> {
            self.1.borrow_mut().push((self.0, true));
            Ok(())
        }
    }

    #[test]
    fn an_amplifier_switches_unheard() {
        let log = Log::default();
        let Ok(mut amplifier) = Amplifier::new(Pin("enable", &log), Pin("mute", &log));
        assert_eq!(log.take(), [("mute", true), ("enable", false)]);
        let Ok(()) = amplifier.set(true);
        assert_eq!(log.take(), [("enable", true), ("mute", false)]);
        let Ok(()) = amplifier.set(false);
        assert_eq!(log.take(), [("mute", true), ("enable", false)]);
    }

    #[test]
    fn each_status_looks_different() {
        let all = [
            Status::Claiming,
            Status::Enrolled,
            Status::Connected,
            Status::Ready,
            Status::Streaming,
            Status::Draining,
        ];
        let pattern = |status| {
            (0..200)
                .map(|tick| led(status, Micros(tick * 10_000)))
                .collect::<Vec<_>>()
        };
        for (n, a) in all.iter().enumerate() {
            for b in &all[n + 1..] {
                assert_ne!(pattern(*a), pattern(*b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_receiver_that_stands_still_is_not_fed() {
        struct Fed<'a>(&'a core::cell::Cell<u32>);
        impl Watchdog for Fed<'_> {
            fn feed(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let fed = core::cell::Cell::new(0);
        let mut guard = Guard::new(Fed(&fed));
        for turns in [0, 1, 1, 1, 2] {
            guard.watch(turns);
        }
        assert_eq!(fed.get(), 3);
    }
}
