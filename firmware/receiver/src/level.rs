//! How loud it was. Here: the mean square of samples as a level, without floating point. Not here: what people hear (LUFS).

/// Lowest level told, in hundredths of dB below full scale: digital silence.
pub(crate) const SILENCE: u16 = 12_000;

/// Fractional bits of [`log2`].
const BITS: u32 = 16;

/// Level of `count` samples whose squares add up to `squares`, in hundredths of dB below full scale (a square wave at 32768);
/// `None` for no samples. Off by less than a hundredth or two.
pub(crate) fn level(squares: u64, count: u64) -> Option<u16> {
    if count == 0 {
        return None;
    }
    if squares == 0 {
        return Some(SILENCE);
    }
    // 10 · log10(2^30 · count / squares), in hundredths; a unit of log2 is 3.0103 dB.
    let octaves = (30 << BITS) + log2(count) - log2(squares);
    let hundredths = (octaves.max(0) * 30_103 / 100 + (1 << (BITS - 1))) >> BITS;
    Some(u16::try_from(hundredths).unwrap_or(SILENCE).min(SILENCE))
}

/// Logarithm to base 2 of `x` > 0, with [`BITS`] fractional bits: each squaring of the mantissa gives one.
fn log2(x: u64) -> i64 {
    let whole = x.ilog2();
    let mut mantissa = (x << (63 - whole)) >> 32;
    let mut result = i64::from(whole);
    for _ in 0..BITS {
        mantissa = (mantissa * mantissa) >> 31;
        result <<= 1;
        if mantissa >> 32 != 0 {
            mantissa >>= 1;
            result |= 1;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_floating_point_has_it(count in 1u64..1 << 32, square in 0.0f64..30.0) {
            let mean = square.exp2();
            let squares = (mean * count as f64) as u64;
            if squares > 0 {
                let want = 1000.0 * (2f64.powi(30) * count as f64 / squares as f64).log10();
                let got = f64::from(level(squares, count).unwrap());
                prop_assert!((got - want.min(f64::from(SILENCE))).abs() < 2.0, "{got} for {want}");
            }
        }
    }

    #[test]
    fn ends() {
        assert_eq!((level(0, 0), level(0, 5)), (None, Some(SILENCE)));
        assert_eq!(level(1 << 62, 1 << 32), Some(0));
        assert_eq!(level((1 << 62) / 100, 1 << 32), Some(2000));
    }
}
