//! Packets in, samples out. Here: opening the packets that come, keeping them until they are due, decoding, and hiding what is
//! missing. Not here: when a packet is due ([`crate::player`]).

use crate::broadcast::Broadcast;
use crate::clock::{Local, Offset};
use crate::jitter::Jitter;
use crate::player::{Player, ROOM};
use crate::{Counters, Decoder};
use loa_protocol::rtp::{self, Header, SenderReport};
use loa_protocol::srtp::nearest;
use loa_protocol::{Error, UnixMicros};

/// Longest packet of sound, in samples: 120 ms.
const MOST_SAMPLES: usize = 5760;
/// After so many concealed samples in a row silence is better, if the stream has ceased: 120 ms.
const CONCEALABLE: u64 = 5760;
/// A stream of which nothing came for so long has ceased, in microseconds.
const CEASED: Local = 400_000;
/// Packets that a stream's replay window tells apart.
const WINDOW: u64 = 128;
/// A sender sends at most this long ahead of the sound, in microseconds; else its reports are odd.
const FAR_AHEAD: i64 = 10_000_000;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It was there.
    Packet,
    /// It was lost, and is rebuilt or concealed.
    Replacement,
    /// It was lost, and nothing is there to conceal it with.
    Nothing,
}

pub(crate) struct Hearing<D> {
    decoder: D,
    pub(crate) jitter: Jitter,
    pub(crate) pcm: [i16; MOST_SAMPLES],
    /// The decoder has heard something of this stretch.
    begun: bool,
    /// Samples concealed in a row.
    concealed: u64,
}

impl<D: Decoder> Hearing<D> {
    pub(crate) fn new(decoder: D) -> Self {
        Self {
            decoder,
            jitter: Jitter::default(),
            pcm: [0; MOST_SAMPLES],
            begun: false,
            concealed: 0,
        }
    }

    /// A stretch of `slot` begins with packet `index`.
    pub(crate) fn begin(&mut self, slot: usize, index: u64) {
        self.jitter.forget(slot as u8, index);
        self.decoder.reset();
        (self.begun, self.concealed) = (false, 0);
    }

    /// Forgets all packets of `slot`.
    pub(crate) fn forget(&mut self, slot: usize) {
        self.jitter.forget(slot as u8, u64::MAX);
    }

    /// Decodes the packet of `broadcast` that is due, and counts it.
    pub(crate) fn decode(
        &mut self,
        slot: usize,
        broadcast: &mut Broadcast,
        now: Local,
        counters: &mut Counters,
    ) -> Heard {
        let (stream, index) = (slot as u8, broadcast.packet);
        let length = usize::from(broadcast.play.packet_samples).min(MOST_SAMPLES);
        let pcm = &mut self.pcm[..length];
        let mut heard = Heard::Nothing;
        if let Some(packet) = self.jitter.get(stream, index) {
            match self.decoder.decode(Some(packet), false, pcm) == Ok(length) {
                true => heard = Heard::Packet,
                false => counters.damaged += 1,
            }
        }
        let counted = broadcast.counted;
        broadcast.decide(index, heard == Heard::Packet);
        counters.expected += broadcast.counted - counted;
        if broadcast.counted > counted && heard != Heard::Packet {
            counters.lost += 1;
        }
        if heard != Heard::Packet {
            let next = self.jitter.get(stream, index + 1);
            if next.is_some_and(|next| self.decoder.decode(Some(next), true, pcm) == Ok(length)) {
                (self.begun, self.concealed) = (true, 0);
                heard = Heard::Replacement;
            } else if self.begun {
                heard = self.conceal(length, now - broadcast.heard > CEASED);
            }
        } else {
            (self.begun, self.concealed) = (true, 0);
        }
        self.jitter.forget(stream, index + 1);
        heard
    }

    fn conceal(&mut self, length: usize, ceased: bool) -> Heard {
        if ceased && self.concealed >= CONCEALABLE {
            self.begun = false;
            self.decoder.reset();
            return Heard::Nothing;
        }
        self.concealed += length as u64;
        let pcm = &mut self.pcm[..length];
        if self.decoder.decode(None, false, pcm) != Ok(length) {
            pcm.fill(0);
        }
        Heard::Replacement
    }
}

impl<D: Decoder> Player<D> {
    /// Takes an RTP or RTCP packet as it came.
    pub(crate) fn media(&mut self, datagram: &mut [u8], now: Local, offset: Offset, counters: &mut Counters) {
        let taken = match rtp::is_rtcp(datagram) {
            true => self.rtcp(datagram, counters),
            false => self.rtp(datagram, now, offset, counters),
        };
        if taken.is_none() {
            counters.refused_media += 1;
        }
    }

    /// `None` if it was refused.
    fn rtp(&mut self, datagram: &mut [u8], now: Local, offset: Offset, counters: &mut Counters) -> Option<()> {
        let header = Header::parse(datagram).ok()?;
        let Some(slot) = self.stream(header.ssrc, counters)? else {
            return Some(());
        };
        let due = self.due(slot, now, offset);
        let broadcast = self.broadcasts[slot].as_mut()?;
        let near = broadcast.packet_of(broadcast.sample_at(now, offset));
        let (index, header, end) = match broadcast.rtp(datagram, near) {
            Ok(opened) => opened,
            Err(Error::OutOfRange(_)) => {
                // Seen before, or too old to tell.
                let back = broadcast.highest.checked_sub(nearest(header.sequence, near) + 1)?;
                let again = back < WINDOW;
                broadcast.account.duplicate += u64::from(again);
                counters.duplicate += u64::from(again);
                return again.then_some(());
            }
            Err(_) => return None,
        };
        let payload = header.payload(datagram.get(..end)?).ok()?;
        let timestamp = index.wrapping_mul(u64::from(broadcast.play.packet_samples)) as u32;
        if header.payload_type != rtp::OPUS || header.timestamp != timestamp || index >= broadcast.play.packets() {
            return None;
        }
        counters.packets += 1;
        broadcast.heard = now;
        broadcast.highest = broadcast.highest.max(index + 1);
        if index < broadcast.counted {
            counters.late += u64::from(broadcast.came_late(index));
        } else if index >= due && !self.hearing.jitter.insert(slot as u8, index, payload) {
            // What waits in vain, of broadcasts that were pre-empted, makes room.
            for other in 0..ROOM {
                let due = self.due(other, now, offset);
                self.hearing.jitter.forget(other as u8, due);
            }
            counters.overflowed += u32::from(!self.hearing.jitter.insert(slot as u8, index, payload));
        }
        Some(())
    }

    /// `None` if it was refused. What it says is only compared: commands say when a stream sounds.
    fn rtcp(&mut self, datagram: &mut [u8], counters: &mut Counters) -> Option<()> {
        let ssrc = datagram.get(4..8)?.try_into().ok()?;
        let Some(slot) = self.stream(u32::from_be_bytes(ssrc), counters)? else {
            return Some(());
        };
        let broadcast = self.broadcasts[slot].as_mut()?;
        let end = broadcast.rtcp(datagram).ok()?;
        let report = SenderReport::parse(datagram.get(..end)?).ok()?;
        counters.sender_reports += 1;
        // When time stamp 0 was sent, if this report lies within the first day of it: some tenths of a second before it sounds.
        let sent = UnixMicros(report.at.0.saturating_sub(u64::from(report.timestamp) * 1000 / 48));
        let ahead = broadcast.play.start.since(sent);
        counters.odd_sender_reports += u32::from(!(0..FAR_AHEAD).contains(&ahead));
        Some(())
    }

    /// Which broadcast a stream is: `None` if of no known one, `Some(None)` if of one that has ended.
    fn stream(&self, ssrc: u32, counters: &mut Counters) -> Option<Option<usize>> {
        let slot = self
            .broadcasts
            .iter()
            .position(|broadcast| broadcast.as_ref().is_some_and(|broadcast| broadcast.play.ssrc == ssrc));
        if slot.is_none() && self.ended.iter().any(|ended| *ended == ssrc) {
            counters.stray += 1;
            return Some(None);
        }
        slot.map(Some)
    }
}
