//! One broadcast's packets. Here: RTP (RFC 3550, RFC 7587) and RTCP sender reports built once, then sealed for each
//! receiver. All of it follows from the sound and its timing: of a file, a restarted server says the same bytes under the
//! same index; what is live has another stream after a restart. So no nonce ever serves two messages.

use loa_protocol::{MAX_DATAGRAM, StreamId, UnixMicros};
use rtp_rs::{RtpPacketBuilder, Seq};

use super::lane::{Lane, RTCP_TRAILER, TAG};
use super::pacer::{Due, Pacer, Timing};
use super::peer::Path;
use crate::media::Sound;

/// Payload type of Opus in our streams, as dynamic as any.
const OPUS: u8 = 111;
/// RTP header without extensions.
const RTP_HEADER: usize = 12;
/// RTCP packet type of sender reports (RFC 3550 §6.4.1).
const SENDER_REPORT: u8 = 200;
/// A sender report without report blocks.
const REPORT: usize = 28;

/// A broadcast's packets on their way.
pub(super) struct Stream {
    pub(super) id: StreamId,
    ssrc: u32,
    timing: Timing,
    sound: Sound,
    lanes: Vec<Lane>,
    pacer: Pacer,
    /// The plain RTP packet of `frame_index`, built once and copied for each lane.
    frame: [u8; MAX_DATAGRAM],
    frame_length: usize,
    frame_index: Option<u64>,
    sealed: [u8; MAX_DATAGRAM],
}

/// What [`Stream::step`] did.
pub(super) enum Step<'a> {
    /// This datagram is to go there.
    Send(&'a Lane, Path, &'a [u8]),
    /// It was time, but the receiver has not said where it is.
    Nowhere,
    /// It was time, but the packet is not there.
    Missing,
    /// Nothing is due.
    Idle,
}

impl Stream {
    pub(super) fn new(
        id: StreamId,
        ssrc: u32,
        timing: Timing,
        sound: Sound,
        lanes: Vec<Lane>,
        now: UnixMicros,
    ) -> Self {
        let lanes = sorted(lanes);
        let pacer = Pacer::new(timing, lanes.iter().map(|lane| lane.slot).collect(), now);
        let (frame, sealed) = ([0; MAX_DATAGRAM], [0; MAX_DATAGRAM]);
        Self {
            id,
            ssrc,
            timing,
            sound,
            lanes,
            pacer,
            frame,
            frame_length: 0,
            frame_index: None,
            sealed,
        }
    }

    pub(super) fn replace_lanes(&mut self, lanes: Vec<Lane>) {
        self.lanes = sorted(lanes);
        self.pacer.replace(self.lanes.iter().map(|lane| lane.slot).collect());
    }

    /// When [`Stream::step`] has something to do; `None` once everything is sent.
    pub(super) fn next(&self) -> Option<UnixMicros> {
        self.pacer.next()
    }

    pub(super) fn take_skipped(&mut self) -> u64 {
        self.pacer.take_skipped()
    }

    /// Makes the next datagram that is due at `now`.
    pub(super) fn step(&mut self, now: UnixMicros) -> Step<'_> {
        let due = self.pacer.due(now);
        let lane = match due {
            None => return Step::Idle,
            Some(Due::Packet { lane, .. } | Due::Report { lane, .. }) => lane,
        };
        let Some(path) = self.lanes[lane].peer.path(now) else {
            return Step::Nowhere;
        };
        let length = match due {
            Some(Due::Packet { index, .. }) => self.seal_packet(lane, index),
            Some(Due::Report { number, at, .. }) => Some(self.seal_report(lane, number, at)),
            None => return Step::Idle,
        };
        let Some(length) = length else {
            return Step::Missing;
        };
        Step::Send(&self.lanes[lane], path, &self.sealed[..length])
    }

    fn seal_packet(&mut self, lane: usize, index: u64) -> Option<usize> {
        if self.frame_index != Some(index) {
            let mut payload = [0; MAX_DATAGRAM];
            let length = self.sound.copy(index, &mut payload)?;
            self.frame_length = RtpPacketBuilder::new()
                .payload_type(OPUS)
                .sequence(Seq::from(index as u16))
                .timestamp((index * u64::from(self.timing.packet_samples)) as u32)
                .ssrc(self.ssrc)
                .payload(&payload[..length])
                .build_into(&mut self.frame[..MAX_DATAGRAM - TAG])
                .expect("stored packets are far smaller than a datagram");
            self.frame_index = Some(index);
        }
        let length = self.frame_length;
        self.sealed[..length].copy_from_slice(&self.frame[..length]);
        Some(self.lanes[lane].seal(&mut self.sealed, RTP_HEADER, length, self.ssrc, index))
    }

    /// A sender report (RFC 3550 §6.4.1): which RTP time stamp the instant `at` has. Packets and bytes are counted as
    /// the schedule has them, so that the report is a function of its number.
    fn seal_report(&mut self, lane: usize, number: u32, at: UnixMicros) -> usize {
        const { assert!(REPORT + RTCP_TRAILER <= MAX_DATAGRAM) }
        let elapsed = at.0.saturating_sub(self.timing.sent_at(0).0);
        let sent = self.timing.index_at(at).min(self.timing.packets);
        let report = &mut self.sealed[..REPORT];
        report[0] = 0x80;
        report[1] = SENDER_REPORT;
        report[2..4].copy_from_slice(&(REPORT as u16 / 4 - 1).to_be_bytes());
        report[4..8].copy_from_slice(&self.ssrc.to_be_bytes());
        report[8..16].copy_from_slice(&at.to_ntp().to_be_bytes());
        report[16..20].copy_from_slice(&((elapsed * 48 / 1000) as u32).to_be_bytes());
        report[20..24].copy_from_slice(&(sent as u32).to_be_bytes());
        report[24..28].copy_from_slice(&(self.sound.bytes_before(sent) as u32).to_be_bytes());
        self.lanes[lane].seal_rtcp(&mut self.sealed, REPORT, self.ssrc, number)
    }
}

fn sorted(mut lanes: Vec<Lane>) -> Vec<Lane> {
    lanes.sort_by_key(|lane| (lane.slot, lane.peer.id));
    lanes
}
