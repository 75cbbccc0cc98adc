//! Points in time on the wire.

use core::fmt;

/// Microseconds since the Unix epoch (UTC, leap seconds not counted), the only time on the wire. Good until the year
/// 586 000; a receiver that knows no time yet uses its own count from zero and says that it is not synchronised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMicros(pub u64);

/// Seconds from the NTP era (1900) to the Unix epoch (RFC 5905 §6).
const NTP_OFFSET: u64 = 2_208_988_800;

impl UnixMicros {
    /// This instant moved by `micros`, held at the ends of the range.
    pub fn offset(self, micros: i64) -> Self {
        Self(self.0.saturating_add_signed(micros))
    }

    /// Microseconds from `earlier` to this instant, negative if this is before it.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.wrapping_sub(earlier.0) as i64
    }

    /// The 64-bit NTP time stamp (RFC 3550 §4), era number dropped.
    pub fn to_ntp(self) -> u64 {
        let seconds = (self.0 / 1_000_000).wrapping_add(NTP_OFFSET) & 0xFFFF_FFFF;
        let fraction = ((self.0 % 1_000_000) << 32) / 1_000_000;
        (seconds << 32) | fraction
    }

    /// The instant of an NTP time stamp, in the era (136 years) that starts in 1970 less a second.
    pub fn from_ntp(ntp: u64) -> Self {
        let seconds = (ntp >> 32).wrapping_sub(NTP_OFFSET) & 0xFFFF_FFFF;
        let micros = ((ntp & 0xFFFF_FFFF) * 1_000_000 + (1 << 31)) >> 32;
        Self(seconds * 1_000_000 + micros)
    }
}

impl fmt::Debug for UnixMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_and_back() {
        // 2036-02-07T06:28:16Z is where NTP's era 0 ends.
        for micros in [
            0,
            1,
            999_999,
            1_764_000_000_123_456,
            2_085_978_496_000_000,
            4_000_000_000_000_001,
        ] {
            assert_eq!(UnixMicros::from_ntp(UnixMicros(micros).to_ntp()), UnixMicros(micros));
        }
        assert_eq!(UnixMicros(0).to_ntp() >> 32, 2_208_988_800);
    }
}
