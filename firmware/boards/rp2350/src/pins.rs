//! The pins, by what they are for: made by `build.rs` from `hardware/rp2350-w5500.toml`. No other file of this crate names a GPIO.

use core::convert::Infallible;
use embassy_rp::gpio::{Level, Output, Pin};
use embassy_rp::{Peri, peripherals};
use embedded_hal::digital::{ErrorType, OutputPin};

include!(concat!(env!("OUT_DIR"), "/pins.rs"));

/// An output that is set by what it means: high is active, at whichever level the wire is that.
pub(crate) struct Signal {
    output: Output<'static>,
    active: Level,
}

impl Signal {
    /// Not active yet.
    pub(crate) fn new(pin: Peri<'static, impl Pin>, active: Level) -> Self {
        Self {
            output: Output::new(pin, opposite(active)),
            active,
        }
    }
}

impl ErrorType for Signal {
    type Error = Infallible;
}

impl OutputPin for Signal {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.output.set_level(opposite(self.active));
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.output.set_level(self.active);
        Ok(())
    }
}

fn opposite(level: Level) -> Level {
    match level {
        Level::Low => Level::High,
        Level::High => Level::Low,
    }
}
