//! Identifiers: UUIDs of 16 bytes, one type for each thing that has one.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The 32 lower-case hexadecimal digits used in topics and MQTT user names.
            pub fn hex(&self) -> [u8; 32] {
                hex(&self.0)
            }

            /// Reads 32 hexadecimal digits, hyphens ignored; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            /// The usual hyphenated form, as in the API and the database.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (i, byte) in self.0.iter().enumerate() {
                    if matches!(i, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

id!(
    /// A receiver: one device at one place.
    ReceiverId
);
id!(
    /// An area: a node of the tree of territories.
    AreaId
);
id!(
    /// A broadcast: one occurrence on the air.
    BroadcastId
);
id!(
    /// A stream: the packets of a broadcast. A new one whenever what a packet index carries could change.
    StreamId
);

id!(
    /// A device that asks to be enrolled: the first 16 bytes of SHA-256 of its public key (see [`crate::claim`]).
    ClaimId
);

/// Lower-case hexadecimal digits of `bytes`; `N` is twice their number.
pub fn hex<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut text = [b'0'; N];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        for (digit, value) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        }
    }
    text
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let mut id = [0; 16];
    let mut digits = 0;
    for c in text.bytes().filter(|c| *c != b'-') {
        let value = (c as char).to_digit(16)? as u8;
        *id.get_mut(digits / 2)? |= if digits % 2 == 0 { value << 4 } else { value };
        digits += 1;
    }
    (digits == 32).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_agree() {
        let id = ReceiverId([
            0x01, 0x93, 0xab, 0xcd, 0xef, 0, 0x7f, 0x10, 0x80, 1, 2, 3, 4, 5, 6, 0xff,
        ]);
        assert_eq!(id.to_string(), "0193abcd-ef00-7f10-8001-0203040506ff");
        assert_eq!(ReceiverId::parse(&id.to_string()), Some(id));
        assert_eq!(ReceiverId::parse(core::str::from_utf8(&id.hex()).unwrap()), Some(id));
        for wrong in [
            "",
            "0193",
            "0193abcd-ef00-7f10-8001-0203040506fg",
            "0193abcd-ef00-7f10-8001-0203040506ff0",
        ] {
            assert_eq!(ReceiverId::parse(wrong), None, "{wrong}");
        }
    }
}
