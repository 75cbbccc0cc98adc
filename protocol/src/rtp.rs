//! RTP packets and RTCP sender reports (RFC 3550), read; a server writes them with a crate of its own.

use crate::{Error, UnixMicros};

/// Payload type of Opus in our streams: any dynamic number would do, one is fixed so that nothing need be negotiated.
pub const OPUS: u8 = 111;

/// Bytes of a header without sources and extension.
pub const HEADER: usize = 12;

/// An RTP header, and where the payload lies (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// The marker bit.
    pub marker: bool,
    /// The last byte of the payload tells how many bytes of padding there are.
    pub padding: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Time stamp, at 48 kHz (RFC 7587 §4.1).
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Length of the header in bytes: the payload begins there.
    pub length: usize,
}

impl Header {
    /// Reads the header at the start of `packet`.
    ///
    /// # Errors
    /// [`Error::Malformed`] if `packet` is shorter than its header says, or of another version.
    pub fn parse(packet: &[u8]) -> Result<Self, Error> {
        const WHAT: Error = Error::Malformed("RTP packet");
        let fixed: &[u8; HEADER] = packet.first_chunk().ok_or(WHAT)?;
        let [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        if first >> 6 != 2 {
            return Err(WHAT);
        }
        let mut length = HEADER + usize::from(first & 0x0F) * 4;
        if first & 0x10 != 0 {
            let extension = packet.get(length..length + 4).ok_or(WHAT)?;
            length += 4 + usize::from(u16::from_be_bytes([extension[2], extension[3]])) * 4;
        }
        if length > packet.len() {
            return Err(WHAT);
        }
        Ok(Self {
            payload_type: second & 0x7F,
            marker: second & 0x80 != 0,
            padding: first & 0x20 != 0,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            length,
        })
    }

    /// The payload of the plain (decrypted) packet that this header was read from, padding taken off.
    ///
    /// # Errors
    /// [`Error::Malformed`] for padding longer than the payload.
    pub fn payload<'b>(&self, packet: &'b [u8]) -> Result<&'b [u8], Error> {
        const WHAT: Error = Error::Malformed("RTP padding");
        let payload = packet.get(self.length..).ok_or(WHAT)?;
        if !self.padding {
            return Ok(payload);
        }
        match payload.last().map(|padding| usize::from(*padding)) {
            Some(padding) if (1..=payload.len()).contains(&padding) => Ok(&payload[..payload.len() - padding]),
            _ => Err(WHAT),
        }
    }
}

/// Whether a datagram of a media socket is RTCP: payload types 64 to 95 are left to it (RFC 5761 §4).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, second, ..] if first >> 6 == 2 && (192..=223).contains(second))
}

/// Whether a datagram of a media socket is RTP or RTCP at all, and no hello (RFC 7983 §7: 128 to 191).
#[must_use]
pub fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [first, ..] if first >> 6 == 2)
}

/// What a sender report says (RFC 3550 §6.4.1): which RTP time stamp an instant has, and what was sent until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// Whose it is.
    pub ssrc: u32,
    /// An instant.
    pub at: UnixMicros,
    /// The RTP time stamp of that instant.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub bytes: u32,
}

impl SenderReport {
    /// Packet type of sender reports.
    pub const TYPE: u8 = 200;

    /// Reads a plain (decrypted) compound packet that begins with a sender report; what follows it is not looked at.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything else.
    pub fn parse(packet: &[u8]) -> Result<Self, Error> {
        const WHAT: Error = Error::Malformed("RTCP sender report");
        let report: &[u8; 28] = packet.first_chunk().ok_or(WHAT)?;
        let word = |at: usize| u32::from_be_bytes([report[at], report[at + 1], report[at + 2], report[at + 3]]);
        let length = usize::from(u16::from_be_bytes([report[2], report[3]])) * 4 + 4;
        if report[0] >> 6 != 2 || report[1] != Self::TYPE || !(28..=packet.len()).contains(&length) {
            return Err(WHAT);
        }
        let ntp = u64::from(word(8)) << 32 | u64::from(word(12));
        Ok(Self {
            ssrc: word(4),
            at: UnixMicros::from_ntp(ntp),
            timestamp: word(16),
            packets: word(20),
            bytes: word(24),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_with_everything() {
        let mut packet = vec![0xB1, 0xEF, 0x12, 0x34, 0, 0, 0x0B, 0x40, 0xDE, 0xAD, 0xBE, 0xEF];
        packet.extend([0, 0, 0, 1, 0xBE, 0xDE, 0, 1, 9, 9, 9, 9, b'o', b'p', 0, 2]);
        let header = Header::parse(&packet).unwrap();
        assert_eq!(
            (header.payload_type, header.marker, header.sequence),
            (111, true, 0x1234)
        );
        assert_eq!((header.timestamp, header.ssrc, header.length), (2880, 0xDEAD_BEEF, 24));
        assert_eq!(header.payload(&packet), Ok(&b"op"[..]));
        assert!(is_media(&packet) && !is_rtcp(&packet));
    }

    proptest! {
        #[test]
        fn any_bytes_yield_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(header) = Header::parse(&bytes) {
                prop_assert!(header.length <= bytes.len());
                let _ = header.payload(&bytes);
            }
            let _ = SenderReport::parse(&bytes);
            let _ = (is_media(&bytes), is_rtcp(&bytes));
        }
    }
}
