//! Pins. This machine has no free ones, so these are its two LEDs and a pin that is only written down; whatever changes at the
//! amplifier is told in the journal.
#![expect(unsafe_code, reason = "a register")]

use crate::register::Register;
use core::convert::Infallible;
use embedded_hal::digital::{ErrorType, OutputPin};

// SAFETY: the LEDs of the board's FPGA system control (Secure alias; ARM DAI 0505, table 4-5).
static LEDS: Register = unsafe { Register::at(0x5030_2000, 0) };

/// An output.
pub(crate) struct Pin {
    /// What the journal calls it, if it tells of it.
    name: Option<&'static str>,
    led: Option<u32>,
    high: bool,
}

impl Pin {
    pub(crate) const fn amplifier_enable() -> Self {
        Self {
            name: Some("amplifier enable"),
            led: Some(1 << 0),
            high: false,
        }
    }

    pub(crate) const fn amplifier_mute() -> Self {
        Self {
            name: Some("amplifier mute"),
            led: None,
            high: false,
        }
    }

    pub(crate) const fn led() -> Self {
        Self {
            name: None,
            led: Some(1 << 1),
            high: false,
        }
    }

    fn set(&mut self, high: bool) {
        if self.high == high {
            return;
        }
        self.high = high;
        if let Some(bit) = self.led {
            LEDS.write(LEDS.read() & !bit | if high { bit } else { 0 });
        }
        if let Some(name) = self.name {
            log::info!("{name} {}", if high { "high" } else { "low" });
        }
    }
}

impl ErrorType for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set(true);
        Ok(())
    }
}
