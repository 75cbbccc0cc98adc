//! One receiver's copy of a stream. Here: its SRTP and SRTCP keys (RFC 7714, AEAD_AES_128_GCM), kept for the length of
//! the broadcast, and sealing in place without allocation. Not here: what is in a packet, and when it leaves.

use std::sync::Arc;

use loa_protocol::StreamId;
use loa_protocol::srtp::{self, SessionKeys};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::peer::Peer;

/// Bytes that sealing an RTP packet adds: the authentication tag.
pub(super) const TAG: usize = 16;
/// Bytes that sealing an RTCP packet adds: the tag, the encryption flag and the SRTCP index.
pub(super) const RTCP_TRAILER: usize = TAG + 4;
/// Bytes of an RTCP header that stay readable: version, type, length and SSRC.
const RTCP_HEADER: usize = 8;

/// A receiver's keys for one stream.
pub(super) struct Lane {
    pub(super) peer: Arc<Peer>,
    pub(super) slot: u64,
    rtp: LessSafeKey,
    rtcp: LessSafeKey,
    rtp_salt: [u8; 12],
    rtcp_salt: [u8; 12],
}

impl Lane {
    pub(super) fn new(peer: Arc<Peer>, stream: StreamId, slot: u64) -> Self {
        let keys = SessionKeys::derive(&peer.identity.secret.srtp(peer.stream(stream)));
        let key = |bytes: &[u8; 16]| {
            LessSafeKey::new(UnboundKey::new(&AES_128_GCM, bytes).expect("AES-128 keys have 16 bytes"))
        };
        Self {
            slot,
            rtp: key(&keys.rtp_key),
            rtcp: key(&keys.rtcp_key),
            rtp_salt: keys.rtp_salt,
            rtcp_salt: keys.rtcp_salt,
            peer,
        }
    }

    /// Seals the RTP packet of `length` bytes at the start of `packet`, whose header has `header` bytes; returns the
    /// length of the SRTP packet, [`TAG`] more.
    pub(super) fn seal(&self, packet: &mut [u8], header: usize, length: usize, ssrc: u32, index: u64) -> usize {
        let nonce = Nonce::assume_unique_for_key(srtp::rtp_nonce(&self.rtp_salt, ssrc, index));
        let (head, rest) = packet.split_at_mut(header);
        let (body, rest) = rest.split_at_mut(length - header);
        let tag = self
            .rtp
            .seal_in_place_separate_tag(nonce, Aad::from(&*head), body)
            .expect("a datagram is far below GCM's limit");
        rest[..TAG].copy_from_slice(tag.as_ref());
        length + TAG
    }

    /// Seals the RTCP packet of `length` bytes at the start of `packet` as SRTCP packet `index` (RFC 7714 §9); returns
    /// its length, [`RTCP_TRAILER`] more.
    pub(super) fn seal_rtcp(&self, packet: &mut [u8], length: usize, ssrc: u32, index: u32) -> usize {
        let nonce = Nonce::assume_unique_for_key(srtp::rtcp_nonce(&self.rtcp_salt, ssrc, index));
        // E flag set: encrypted. It and the index are authenticated too, as if they stood behind the header.
        let trailer = (0x8000_0000 | index).to_be_bytes();
        let mut aad = [0; RTCP_HEADER + 4];
        aad[..RTCP_HEADER].copy_from_slice(&packet[..RTCP_HEADER]);
        aad[RTCP_HEADER..].copy_from_slice(&trailer);
        let (body, rest) = packet[RTCP_HEADER..].split_at_mut(length - RTCP_HEADER);
        let tag = self
            .rtcp
            .seal_in_place_separate_tag(nonce, Aad::from(&aad), body)
            .expect("a datagram is far below GCM's limit");
        rest[..TAG].copy_from_slice(tag.as_ref());
        rest[TAG..RTCP_TRAILER].copy_from_slice(&trailer);
        length + RTCP_TRAILER
    }
}
