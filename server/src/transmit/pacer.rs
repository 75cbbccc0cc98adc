//! What is to be sent when. Here: pure arithmetic over absolute times, so that playout neither drifts nor bursts. Not
//! here: clocks, sockets, keys.
//!
//! Packet `i` of a stream is due at `play_at + i × packet − latency`, and at each receiver a little later: every
//! receiver has a phase slot of a millisecond within the packet's duration, so that thousands of packets are spread.

use loa_protocol::{ReceiverId, UnixMicros};

/// Width of a phase slot, in microseconds.
const SLOT: u64 = 1_000;
/// A packet that would reach its receiver less than this before it sounds, in microseconds, is not sent any more.
const USELESS: u64 = 10_000;
/// Time between sender reports, in microseconds.
const REPORT_EVERY: u64 = 5_000_000;

/// When a stream's packets sound and leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// When packet 0 begins to sound.
    pub play_at: UnixMicros,
    /// Microseconds from a packet's sending to its sounding.
    pub latency: u64,
    /// Samples in a packet, at 48 kHz.
    pub packet_samples: u32,
    /// How many packets there are.
    pub packets: u64,
}

impl Timing {
    /// Microseconds from the first packet's sending to packet `index`'s; whole, so that no rounding adds up.
    fn after_start(&self, index: u64) -> u64 {
        // 48 samples are a millisecond: packet durations are whole milliseconds (RFC 6716 §2.1.4 but 2.5 ms).
        index * u64::from(self.packet_samples) * 1000 / 48
    }

    /// When packet `index` leaves, before the receiver's phase slot.
    pub fn sent_at(&self, index: u64) -> UnixMicros {
        UnixMicros((self.play_at.0 + self.after_start(index)).saturating_sub(self.latency))
    }

    /// When packet `index` begins to sound.
    pub fn sounds_at(&self, index: u64) -> UnixMicros {
        UnixMicros(self.play_at.0 + self.after_start(index))
    }

    /// When the last packet has sounded.
    pub fn ends_at(&self) -> UnixMicros {
        self.sounds_at(self.packets)
    }

    /// The first packet that leaves at `now` or later: where a stream is taken up, at its start or in its middle.
    pub fn index_at(&self, now: UnixMicros) -> u64 {
        let since = now.0.saturating_sub(self.sent_at(0).0);
        (since * 48).div_ceil(u64::from(self.packet_samples) * 1000)
    }

    /// Microseconds by which a receiver's packets leave later than the stream's.
    pub fn slot(&self, receiver: ReceiverId) -> u64 {
        let slots = u64::from(self.packet_samples) / 48;
        // FNV-1a: UUIDv7 begin with a time, so that neighbours would share a slot without mixing.
        let hash = receiver.0.iter().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
        });
        hash % slots * SLOT
    }
}

/// One thing to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Packet `index` to lane `lane`.
    Packet { lane: usize, index: u64 },
    /// Sender report `number` to lane `lane`; it speaks of the instant `at`.
    Report { lane: usize, number: u32, at: UnixMicros },
}

/// Walks through one stream: over its packets, and for each over the lanes in the order of their slots.
#[derive(Debug)]
pub(super) struct Pacer {
    timing: Timing,
    /// Each lane's slot, ascending.
    slots: Vec<u64>,
    index: u64,
    position: usize,
    report: u32,
    report_position: usize,
    skipped: u64,
}

impl Pacer {
    /// Takes the stream up at `now`. `slots` ascends.
    pub(super) fn new(timing: Timing, slots: Vec<u64>, now: UnixMicros) -> Self {
        debug_assert!(slots.is_sorted());
        let report = now.0.saturating_sub(timing.sent_at(0).0).div_ceil(REPORT_EVERY);
        Self {
            timing,
            slots,
            index: timing.index_at(now),
            position: 0,
            report: u32::try_from(report).unwrap_or(u32::MAX),
            report_position: 0,
            skipped: 0,
        }
    }

    /// Other lanes from now on. Whoever was there already gets every packet once.
    pub(super) fn replace(&mut self, slots: Vec<u64>) {
        debug_assert!(slots.is_sorted());
        // Lanes up to this slot have had the packet at hand.
        let reached = self.position.checked_sub(1).map(|last| self.slots[last]);
        self.position = reached.map_or(0, |slot| slots.partition_point(|other| *other <= slot));
        let reached = self.report_position.checked_sub(1).map(|last| self.slots[last]);
        self.report_position = reached.map_or(0, |slot| slots.partition_point(|other| *other <= slot));
        self.slots = slots;
    }

    /// When something is due next; `None` once everything is sent.
    pub(super) fn next(&self) -> Option<UnixMicros> {
        let packet = self.packet_due()?;
        Some(self.report_due().map_or(packet, |report| packet.min(report)))
    }

    /// The next thing that is due at `now`, if any; call until `None`.
    pub(super) fn due(&mut self, now: UnixMicros) -> Option<Due> {
        if let Some(at) = self.report_due().filter(|at| *at <= now && self.packet_due().is_some()) {
            let lane = self.report_position;
            let due = Due::Report {
                lane,
                number: self.report,
                at,
            };
            self.report_position += 1;
            if self.report_position >= self.slots.len() {
                (self.report, self.report_position) = (self.report.saturating_add(1), 0);
            }
            return Some(due);
        }
        loop {
            if self.packet_due()? > now {
                return None;
            }
            if self.position >= self.slots.len() {
                (self.index, self.position) = (self.index + 1, 0);
                continue;
            }
            let (lane, index) = (self.position, self.index);
            self.position += 1;
            if self.position >= self.slots.len() {
                (self.index, self.position) = (self.index + 1, 0);
            }
            // After a stall: what cannot sound in time any more only would delay what can.
            if self.timing.sounds_at(index).0 < now.0 + USELESS {
                self.skipped += 1;
                continue;
            }
            return Some(Due::Packet { lane, index });
        }
    }

    /// Packets that a stall made useless since the last call.
    pub(super) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    fn packet_due(&self) -> Option<UnixMicros> {
        (self.index < self.timing.packets).then(|| {
            let slot = self.slots.get(self.position).copied().unwrap_or(0);
            UnixMicros(self.timing.sent_at(self.index).0 + slot)
        })
    }

    fn report_due(&self) -> Option<UnixMicros> {
        let slot = self.slots.get(self.report_position)?;
        Some(UnixMicros(
            self.timing.sent_at(0).0 + u64::from(self.report) * REPORT_EVERY + slot,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAY_AT: u64 = 1_800_000_000_000_000;

    fn timing(packets: u64) -> Timing {
        Timing {
            play_at: UnixMicros(PLAY_AT),
            latency: 400_000,
            packet_samples: 2880,
            packets,
        }
    }

    /// Runs a pacer on a virtual clock that wakes `late` after each deadline; every packet with the time it left.
    fn run(mut pacer: Pacer, mut late: impl FnMut() -> u64) -> Vec<(usize, u64, u64)> {
        let mut sent = Vec::new();
        while let Some(at) = pacer.next() {
            let now = UnixMicros(at.0 + late());
            while let Some(due) = pacer.due(now) {
                if let Due::Packet { lane, index } = due {
                    sent.push((lane, index, now.0));
                }
            }
        }
        sent
    }

    #[test]
    fn an_hour_does_not_drift() {
        let timing = timing(60_000);
        let sent = run(Pacer::new(timing, vec![0], UnixMicros(PLAY_AT - 10_000_000)), || 137);
        assert_eq!(sent.len(), 60_000);
        for (i, (_, index, at)) in sent.iter().enumerate() {
            assert_eq!(*index, i as u64);
            assert_eq!(*at, PLAY_AT - 400_000 + index * 60_000 + 137);
        }
    }

    #[test]
    fn a_stream_is_taken_up_where_the_clock_says() {
        let timing = timing(1000);
        // 30 s after the first packet sounded: 30.4 s after it left.
        let pacer = Pacer::new(timing, vec![0, 1000], UnixMicros(PLAY_AT + 30_000_000));
        let sent = run(pacer, || 0);
        assert_eq!(sent[0].1, 507);
        assert_eq!(sent.len(), 2 * (1000 - 507));
    }

    #[test]
    fn a_stall_skips_only_what_is_too_late() {
        let mut first = true;
        let sent = run(Pacer::new(timing(100), vec![0], UnixMicros(0)), || {
            if std::mem::take(&mut first) { 1_000_000 } else { 0 }
        });
        // Woken a second late, 0.6 s into the sound: packets that sound at 0.61 s or later are sent.
        assert_eq!(sent[0].1, 11);
        assert_eq!(sent.len(), 100 - 11);
    }

    #[test]
    fn reports_go_to_every_lane_every_five_seconds() {
        let mut pacer = Pacer::new(timing(300), vec![0, 3000, 3000], UnixMicros(PLAY_AT - 1_000_000));
        let mut reports = Vec::new();
        while let Some(at) = pacer.next() {
            while let Some(due) = pacer.due(at) {
                if let Due::Report { lane, number, at } = due {
                    reports.push((number, lane, at.0 - (PLAY_AT - 400_000)));
                }
            }
        }
        let want: Vec<_> = (0..4u32)
            .flat_map(|number| {
                [0, 3000, 3000]
                    .into_iter()
                    .enumerate()
                    .map(move |(lane, slot)| (number, lane, u64::from(number) * 5_000_000 + slot))
            })
            .collect();
        assert_eq!(reports, want);
    }

    #[test]
    fn slots_spread_receivers_evenly() {
        let timing = timing(1);
        let mut count = [0u32; 60];
        for n in 0..6000u32 {
            let mut id = [1, 0x93, 0xab, 0, 0, 0, 0x7f, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];
            id[12..].copy_from_slice(&n.to_be_bytes());
            count[(timing.slot(ReceiverId(id)) / 1000) as usize] += 1;
        }
        assert!(count.iter().all(|n| (60..=140).contains(n)), "{count:?}");
    }

    proptest! {
        /// However late the thread wakes (within the latency), every lane gets every packet exactly once, in order.
        #[test]
        fn every_lane_gets_every_packet_once(
            mut slots in proptest::collection::vec(0u64..60, 1..20),
            lates in proptest::collection::vec(0u64..300_000, 1..50),
            packets in 1u64..80,
        ) {
            slots.iter_mut().for_each(|slot| *slot *= 1000);
            slots.sort_unstable();
            let lanes = slots.len();
            let mut turn = 0;
            let sent = run(Pacer::new(timing(packets), slots, UnixMicros(0)), || {
                turn += 1;
                lates[turn % lates.len()]
            });
            for lane in 0..lanes {
                let got: Vec<u64> = sent.iter().filter(|(l, _, _)| *l == lane).map(|(_, index, _)| *index).collect();
                prop_assert_eq!(got, (0..packets).collect::<Vec<_>>());
            }
        }
    }
}
