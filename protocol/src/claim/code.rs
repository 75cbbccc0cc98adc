//! The claim code as people read, type and scan it: 10 bytes in Crockford's base32, whose 32 signs leave out I, L, O and U.

use core::fmt;

/// What a QR code says before the code.
pub const QR: &str = "loa:claim:";

const SIGNS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A claim code: the first 10 bytes of SHA-256 of a device's public key. As text `XXXX-XXXX-XXXX-XXXX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub [u8; 10]);

impl Code {
    /// Reads a code however it was typed or scanned: small letters, `O` for 0, `I` and `L` for 1, hyphens and spaces or none,
    /// with or without [`QR`] before it. `None` if it is not one of 16 signs.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let typed = match text.get(..QR.len()) {
            Some(begin) if begin.eq_ignore_ascii_case(QR) => &text[QR.len()..],
            _ => text,
        };
        let (mut value, mut signs) = (0u128, 0);
        for sign in typed.bytes().filter(|sign| !matches!(sign, b'-' | b' ')) {
            let sign = match sign.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                sign => sign,
            };
            let digit = SIGNS.iter().position(|known| *known == sign)?;
            value = value << 5 | digit as u128;
            signs += 1;
            if signs > 16 {
                return None;
            }
        }
        let bytes = value.to_be_bytes();
        (signs == 16).then(|| Self(core::array::from_fn(|i| bytes[6 + i])))
    }
}

impl fmt::Display for Code {
    /// `XXXX-XXXX-XXXX-XXXX`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        let mut bytes = [0; 16];
        bytes[6..].copy_from_slice(&self.0);
        let value = u128::from_be_bytes(bytes);
        for sign in 0..16 {
            if sign % 4 == 0 && sign > 0 {
                f.write_char('-')?;
            }
            let digit = (value >> (75 - 5 * sign)) as usize & 31;
            f.write_char(char::from(SIGNS[digit]))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = Code([0x00, 0x44, 0x32, 0x14, 0xC7, 0x42, 0x54, 0xB6, 0x35, 0xCF]);
        assert_eq!(code.to_string(), "0123-4567-89AB-CDEF");
        for typed in [
            "0123-4567-89AB-CDEF",
            "0123456789abcdef",
            " o i23 4567 89ab cdef ",
            "OL23-4567-89AB-CDEF",
            "oi234567-89abcdef",
            "loa:claim:0123-4567-89AB-CDEF",
            "LOA:CLAIM:0123456789ABCDEF",
        ] {
            assert_eq!(Code::parse(typed), Some(code), "{typed}");
        }
        for wrong in [
            "",
            "0123-4567-89AB-CDE",
            "0123-4567-89AB-CDEF0",
            "0123-4567-89AB-CDEU",
            "0123_4567_89AB_CDEF",
            "0123-4567-89AB-CDÉF",
            "loa:claim:loa:claim:0123456789ABCDEF",
        ] {
            assert_eq!(Code::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_code_reads_as_it_was_written(bytes in proptest::array::uniform10(any::<u8>())) {
            prop_assert_eq!(Code::parse(&Code(bytes).to_string()), Some(Code(bytes)));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,40}") {
            let _ = Code::parse(&text);
        }
    }
}
