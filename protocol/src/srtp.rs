//! SRTP and SRTCP with AEAD_AES_128_GCM (RFC 3711, RFC 7714): session keys, nonces, and the receiver's side. A server
//! seals with a crate of its own.
//!
//! No key ever travels: the master key and salt come from [`Secret::srtp`]. The rollover counter does not travel either:
//! a receiver knows from its clock which packet is about to sound ([`nearest`]).
//!
//! [`Secret::srtp`]: crate::key::Secret::srtp

use crate::Error;
use crate::key::SrtpMaster;
use crate::rtp::Header;
use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use aes_gcm::{AeadInPlace, Aes128Gcm};

/// Bytes of an authentication tag.
pub const TAG: usize = 16;
/// Bytes after an SRTCP packet's tag: encryption flag and index (RFC 7714 §9.3).
const RTCP_INDEX: usize = 4;
/// Bytes of an RTCP packet that stay readable.
const RTCP_HEADER: usize = 8;

/// Keys and salts of one stream for one receiver (RFC 3711 §4.3.1, key derivation rate 0).
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKeys {
    /// Encrypts RTP. Label 0.
    pub rtp_key: [u8; 16],
    /// Salts its nonces. Label 2.
    pub rtp_salt: [u8; 12],
    /// Encrypts RTCP. Label 3.
    pub rtcp_key: [u8; 16],
    /// Salts its nonces. Label 5.
    pub rtcp_salt: [u8; 12],
}

impl SessionKeys {
    /// Derives them from master key and salt by AES in counter mode (RFC 3711 §4.3.3; the 96-bit salt is extended by 16
    /// zero bits, RFC 7714 §11).
    #[must_use]
    pub fn derive(master: &SrtpMaster) -> Self {
        let cipher = Aes128::new(&master.key.into());
        let block = |label: u8| {
            let mut block = [0; 16];
            block[..12].copy_from_slice(&master.salt);
            block[7] ^= label;
            let mut block = block.into();
            cipher.encrypt_block(&mut block);
            <[u8; 16]>::from(block)
        };
        let salt = |label| {
            let [salt @ .., _, _, _, _] = block(label);
            salt
        };
        Self {
            rtp_key: block(0),
            rtp_salt: salt(2),
            rtcp_key: block(3),
            rtcp_salt: salt(5),
        }
    }
}

impl core::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SessionKeys(…)")
    }
}

/// Nonce of an RTP packet (RFC 7714 §8.1); `index` is the extended sequence number, 48 bits.
#[must_use]
pub fn rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    nonce(salt, u128::from(ssrc) << 48 | u128::from(index & 0xFFFF_FFFF_FFFF))
}

/// Nonce of an RTCP packet (RFC 7714 §9.1); `index` has 31 bits.
#[must_use]
pub fn rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> [u8; 12] {
    nonce(salt, u128::from(ssrc) << 48 | u128::from(index & 0x7FFF_FFFF))
}

fn nonce(salt: &[u8; 12], counter: u128) -> [u8; 12] {
    let mut nonce = *salt;
    for (byte, counter) in nonce.iter_mut().zip(&counter.to_be_bytes()[4..]) {
        *byte ^= counter;
    }
    nonce
}

/// The extended sequence number that ends in `sequence` and lies nearest to `near`.
#[must_use]
pub fn nearest(sequence: u16, near: u64) -> u64 {
    let ahead = sequence.wrapping_sub(near as u16).cast_signed();
    near.checked_add_signed(i64::from(ahead)).unwrap_or(u64::from(sequence))
}

/// A receiver's side of one stream: opens packets, each once.
pub struct Opener {
    rtp: Aes128Gcm,
    rtcp: Aes128Gcm,
    rtp_salt: [u8; 12],
    rtcp_salt: [u8; 12],
    ssrc: u32,
    rtp_window: Window,
    rtcp_window: Window,
}

impl Opener {
    /// For the stream with this master key and synchronisation source.
    #[must_use]
    pub fn new(master: &SrtpMaster, ssrc: u32) -> Self {
        let keys = SessionKeys::derive(master);
        Self {
            rtp: Aes128Gcm::new(&keys.rtp_key.into()),
            rtcp: Aes128Gcm::new(&keys.rtcp_key.into()),
            rtp_salt: keys.rtp_salt,
            rtcp_salt: keys.rtcp_salt,
            ssrc,
            rtp_window: Window::default(),
            rtcp_window: Window::default(),
        }
    }

    /// Opens an SRTP packet in place; `near` is an extended sequence number within 32 767 of its own. Returns the extended
    /// sequence number, the header, and the length of the plain packet at the start of `packet`.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Unauthentic`], and [`Error::OutOfRange`] for an authentic packet that was opened before or is
    /// too old to tell; `packet` is then to be thrown away, and nothing has changed.
    pub fn rtp(&mut self, packet: &mut [u8], near: u64) -> Result<(u64, Header, usize), Error> {
        let header = Header::parse(packet)?;
        let end = packet.len().checked_sub(TAG).filter(|end| *end >= header.length);
        let end = end.ok_or(Error::Malformed("SRTP packet"))?;
        if header.ssrc != self.ssrc {
            return Err(Error::Unauthentic);
        }
        let index = nearest(header.sequence, near);
        let nonce = rtp_nonce(&self.rtp_salt, self.ssrc, index);
        // Before the window, unlike RFC 3711 §3.3 has it: who forges a number that was seen is not counted as a duplicate.
        open(&self.rtp, nonce, packet, header.length, end, &[])?;
        self.rtp_window.check(index)?;
        self.rtp_window.note(index);
        Ok((index, header, end))
    }

    /// Opens an SRTCP packet in place and returns the length of the plain packet at the start of `packet`.
    ///
    /// # Errors
    /// As [`Opener::rtp`]; packets that are not encrypted are [`Error::Unauthentic`].
    pub fn rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Error> {
        const WHAT: Error = Error::Malformed("SRTCP packet");
        let end = packet
            .len()
            .checked_sub(TAG + RTCP_INDEX)
            .filter(|end| *end >= RTCP_HEADER)
            .ok_or(WHAT)?;
        let (sealed, trailer) = packet.split_last_chunk_mut::<RTCP_INDEX>().ok_or(WHAT)?;
        let trailer = *trailer;
        let word = u32::from_be_bytes(trailer);
        let (encrypted, index) = (word >> 31 == 1, word & 0x7FFF_FFFF);
        if !encrypted || sealed[4..8] != self.ssrc.to_be_bytes() {
            return Err(Error::Unauthentic);
        }
        let nonce = rtcp_nonce(&self.rtcp_salt, self.ssrc, index);
        open(&self.rtcp, nonce, sealed, RTCP_HEADER, end, &trailer)?;
        self.rtcp_window.check(u64::from(index))?;
        self.rtcp_window.note(u64::from(index));
        Ok(end)
    }
}

/// Decrypts `packet[head..end]`, whose tag follows; `packet[..head]` and `more` are authenticated too.
fn open(
    cipher: &Aes128Gcm,
    nonce: [u8; 12],
    packet: &mut [u8],
    head: usize,
    end: usize,
    more: &[u8],
) -> Result<(), Error> {
    // A header without extension and the trailer of SRTCP, or any header alone.
    const MOST: usize = RTCP_HEADER + RTCP_INDEX;
    let (header, rest) = packet.split_at_mut(head);
    let (body, tag) = rest.split_at_mut(end - head);
    let tag: [u8; TAG] = tag
        .get(..TAG)
        .and_then(|tag| tag.try_into().ok())
        .ok_or(Error::Unauthentic)?;
    let mut joined = [0; MOST];
    let aad = match more {
        [] => &*header,
        more => {
            joined[..RTCP_HEADER].copy_from_slice(header);
            joined[RTCP_HEADER..].copy_from_slice(more);
            &joined[..]
        }
    };
    cipher
        .decrypt_in_place_detached(&nonce.into(), aad, body, &tag.into())
        .map_err(|_| Error::Unauthentic)
}

/// Which of the last 128 packets were seen (RFC 3711 §3.3.2).
#[derive(Default)]
struct Window {
    /// One above the highest seen.
    next: u64,
    /// Bit `n`: packet `next - 1 - n` was seen.
    seen: u128,
}

impl Window {
    fn check(&self, index: u64) -> Result<(), Error> {
        let Some(back) = self.next.checked_sub(index + 1) else {
            return Ok(());
        };
        match back < 128 && self.seen >> back & 1 == 0 {
            true => Ok(()),
            false => Err(Error::OutOfRange("packet: seen before, or too old")),
        }
    }

    fn note(&mut self, index: u64) {
        match (index + 1).checked_sub(self.next) {
            Some(ahead @ 1..) => {
                let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
                self.next = index + 1;
            }
            _ => self.seen |= 1 << (self.next - 1 - index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StreamId;
    use crate::key::Secret;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    /// RFC 7714 §16.1.1, with its session key and salt.
    #[test]
    fn the_example_of_rfc_7714() {
        let key: [u8; 16] = core::array::from_fn(|i| i as u8);
        let salt = *b"Quid pro quo";
        let mut opener = opener_of(&key, &salt, 0x5501_A0B2);
        let mut packet = hex(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b \
             36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        );
        let (index, header, end) = opener.rtp(&mut packet, 0xF000).unwrap();
        assert_eq!((index, end), (0xF17B, 12 + 38));
        assert_eq!(
            header.payload(&packet[..end]).unwrap(),
            b"Gallia est omnis divisa in partes tres"
        );
    }

    /// RFC 3711 §B.3, whose master salt has 112 bits: ours ends in 16 zero bits, so only its upper part is compared by
    /// another implementation (the server's tests read our packets with libsrtp).
    #[test]
    fn session_keys_differ_by_label() {
        let keys = SessionKeys::derive(&Secret([7; 32]).srtp(StreamId([1; 16])));
        assert_ne!(keys.rtp_key, keys.rtcp_key);
        assert_ne!(keys.rtp_salt, keys.rtcp_salt);
        assert_ne!(keys, SessionKeys::derive(&Secret([7; 32]).srtp(StreamId([2; 16]))));
        assert_ne!(keys, SessionKeys::derive(&Secret([8; 32]).srtp(StreamId([1; 16]))));
    }

    fn opener_of(key: &[u8; 16], salt: &[u8; 12], ssrc: u32) -> Opener {
        Opener {
            rtp: Aes128Gcm::new(key.into()),
            rtcp: Aes128Gcm::new(key.into()),
            rtp_salt: *salt,
            rtcp_salt: *salt,
            ssrc,
            rtp_window: Window::default(),
            rtcp_window: Window::default(),
        }
    }

    const SSRC: u32 = 77;

    fn sealed(index: u64, payload: &[u8]) -> Vec<u8> {
        let cipher = Aes128Gcm::new(&[3; 16].into());
        let mut packet = vec![0x80, 111];
        packet.extend((index as u16).to_be_bytes());
        packet.extend(((index * 960) as u32).to_be_bytes());
        packet.extend(SSRC.to_be_bytes());
        let mut body = payload.to_vec();
        let nonce = rtp_nonce(&[9; 12], SSRC, index);
        let tag = cipher
            .encrypt_in_place_detached(&nonce.into(), &packet, &mut body)
            .unwrap();
        packet.extend(body);
        packet.extend(tag);
        packet
    }

    fn opener() -> Opener {
        opener_of(&[3; 16], &[9; 12], SSRC)
    }

    #[test]
    fn a_packet_opens_once_in_any_order() {
        let mut opener = opener();
        for index in [65_530, 65_540, 65_535, 65_536, 65_413] {
            let packet = sealed(index, b"sound");
            assert_eq!(opener.rtp(&mut packet.clone(), 65_500).map(|got| got.0), Ok(index));
            assert!(matches!(
                opener.rtp(&mut packet.clone(), 65_500),
                Err(Error::OutOfRange(_))
            ));
        }
        assert!(matches!(
            opener.rtp(&mut sealed(65_412, b""), 65_500),
            Err(Error::OutOfRange(_))
        ));
        assert_eq!(
            opener.rtp(&mut sealed(200_000, b""), 200_001).map(|got| got.0),
            Ok(200_000)
        );
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_noticed(bit in 0usize..(12 + 5 + 16) * 8) {
            let mut packet = sealed(9, b"sound");
            packet[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(opener().rtp(&mut packet, 9).is_err());
        }

        #[test]
        fn any_bytes_are_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(opener().rtp(&mut bytes.clone(), 0).is_err());
            prop_assert!(opener().rtcp(&mut bytes).is_err());
        }

        #[test]
        fn the_nearest_index_is_found(index in 0u64..1 << 40, off in -32_767i64..32_767) {
            if let Some(near) = index.checked_add_signed(off) {
                prop_assert_eq!(nearest(index as u16, near), index);
            }
        }
    }
}
