//! Sound: complete to the sample, continuous under faults, counted.

use crate::world::*;
use loa_protocol::command::{Order, Play};
use loa_protocol::precedence::Class;
use loa_protocol::report::Outcome;
use loa_receiver::{Decoder, LEAD, Status};
use proptest::prelude::*;

const LATENCY: u64 = 400_000;

/// All pieces one after the other, without a gap.
fn joined(pieces: &[(u64, Vec<i16>)]) -> (u64, Vec<i16>) {
    let mut all = Vec::new();
    let first = pieces.first().map_or(0, |piece| piece.0);
    for (n, pcm) in pieces {
        assert_eq!(*n, first + all.len() as u64, "a gap, or twice");
        all.extend(pcm);
    }
    (first, all)
}

#[test]
fn a_whole_broadcast_is_exact_to_the_sample() {
    for (packet_samples, samples) in [(2880, 480_001), (960, 100_000), (5760, 30_000), (120, 4807), (2880, 1)] {
        let mut world = World::ready();
        let mut it = play(1, 3 * SECOND, samples);
        it.packet_samples = packet_samples;
        world.broadcast(&it, LATENCY);
        world.run(15 * SECOND);
        let (first, pcm) = joined(&world.heard(&it));
        assert_eq!(first, 0);
        assert!(pcm == programme(&it, 0, samples), "{packet_samples}");
        let receipt = world.receipt(&it);
        assert_eq!(
            (receipt.outcome, receipt.planned, receipt.played),
            (Outcome::Played, samples, samples)
        );
        assert_eq!(
            (receipt.expected, receipt.lost, receipt.concealed),
            (it.packets(), 0, 0)
        );
        let outcomes: Vec<_> = world.log.receipts.iter().map(|(_, receipt)| receipt.outcome).collect();
        assert_eq!(outcomes, [Outcome::Received, Outcome::Playing, Outcome::Played]);
        // Level by the book.
        let square = pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len() as f64;
        let level = -1000.0 * (square / 2f64.powi(30)).log10();
        assert!((f64::from(receipt.level.unwrap()) - level).abs() < 2.0);
        // Each piece in time, the amplifier on for as long and no longer.
        for ((at, _), handed_out) in world.log.sound.iter().zip(&world.log.handed_out) {
            assert_eq!(at - handed_out, LEAD);
        }
        let end = 3 * SECOND + (samples * 125).div_ceil(6);
        assert_eq!(world.log.amplifier, [(3 * SECOND - LEAD, true), (end, false)]);
        assert_eq!(world.receiver.sounding(), None);
    }
}

#[test]
fn a_status_for_each_phase() {
    let mut world = World::new();
    world.run(SECOND);
    world.boot();
    world.order(Order::Policy(loa_protocol::command::Policy::unrestricted()));
    world.broadcast(&play(1, 5 * SECOND, 48_000), LATENCY);
    world.run(20 * SECOND);
    let statuses: Vec<_> = world.log.status.iter().map(|(_, status)| *status).collect();
    use Status::*;
    assert_eq!(statuses, [Connected, Ready, Streaming, Draining, Ready]);
    assert_eq!(world.receiver.broadcasts().count(), 0);
    let playing: Vec<_> = world
        .log
        .telemetry
        .iter()
        .map(|(_, telemetry)| telemetry.playing.is_some())
        .collect();
    // Ready, the policy's volume cap, begin, end.
    assert_eq!(playing, [false, false, true, false]);
}

#[test]
fn one_lost_packet_is_rebuilt_and_a_gap_is_concealed() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 2880 * 20);
    world.order(Order::Play(it));
    for index in (0..it.packets()).filter(|index| ![3, 8, 9, 15].contains(index)) {
        // Packet 15 comes, but is none.
        world.at(
            world.sounds(&it, index) - LATENCY,
            Event::Datagram(packet(&it, index, &payload(index))),
        );
    }
    world.at(
        world.sounds(&it, 15) - LATENCY,
        Event::Datagram(packet(&it, 15, b"noise")),
    );
    world.run(10 * SECOND);
    let (_, pcm) = joined(&world.heard(&it));
    for (n, got) in (0..).zip(&pcm) {
        let position = n + 312;
        let want = match position / 2880 {
            3 | 9 | 15 => sample(position) | 1,
            8 => CONCEALED,
            _ => sample(position),
        };
        assert_eq!(*got, want, "{n}");
    }
    let receipt = world.receipt(&it);
    assert_eq!((receipt.outcome, receipt.played), (Outcome::Played, it.samples));
    assert_eq!((receipt.expected, receipt.received, receipt.lost), (21, 17, 4));
    assert_eq!((receipt.concealed, receipt.late), (4 * 2880, 0));
    assert_eq!(world.receiver.counters().damaged, 1);
}

#[test]
fn what_turns_out_to_be_shorter_ends_there_without_a_seam() {
    let mut world = World::ready();
    let mut it = play(1, 3 * SECOND, 3600 * 48_000);
    it.packet_samples = 960;
    world.order(Order::Play(it));
    for index in 0..=500 {
        let datagram = packet(&it, index, &payload(index));
        world.at(world.sounds(&it, index) - LATENCY, Event::Datagram(datagram));
    }
    world.run_until(world.sounds(&it, 480));
    let samples = 10 * 48_000;
    world.order(Order::Play(Play { samples, ..it }));
    world.run(10 * SECOND);
    let (first, pcm) = joined(&world.heard(&it));
    assert_eq!(first, 0);
    assert!(pcm == programme(&it, 0, samples));
    let receipt = world.receipt(&it);
    assert_eq!(
        (receipt.outcome, receipt.planned, receipt.played),
        (Outcome::Played, samples, samples)
    );
    assert_eq!((receipt.lost, receipt.concealed), (0, 0));
    assert_eq!(world.receiver.sounding(), None);
}

#[test]
fn told_late_it_joins_where_the_clock_is() {
    let mut world = World::ready();
    // Begun an hour and more ago by a server that runs as ever: the packet index is beyond 16 bits.
    let mut it = play(1, 0, 2 * 3600 * 48_000);
    it.packet_samples = 960;
    it.start = it.start.offset(-4000 * 1_000_000);
    let since = (4000 * SECOND + world.now) * 48 / 1000;
    world.order(Order::Play(it));
    let next = since / 960 + 1;
    for index in next..next + 100 {
        let sounds = index * 20_000 - 4000 * SECOND;
        world.at(
            sounds.saturating_sub(LATENCY),
            Event::Datagram(packet(&it, index, &payload(index))),
        );
    }
    assert!(next > 1 << 16);
    world.run(SECOND);
    world.order(Order::Stop(it.broadcast));
    world.run(SECOND);
    let mut n = None;
    let start = OFFSET.wrapping_sub(4000 * SECOND).wrapping_sub(OFFSET);
    for (at, pcm) in &world.log.sound {
        let first = (at.wrapping_sub(start) * 6).div_ceil(125);
        assert!(n.is_none_or(|n| n == first));
        assert_eq!(*pcm, programme(&it, first, first + pcm.len() as u64));
        n = Some(first + pcm.len() as u64);
    }
    assert!(world.log.sound.len() > 45);
    let receipt = world.receipt(&it);
    // The packet that was due when it was told is not there.
    assert_eq!((receipt.outcome, receipt.lost), (Outcome::Interrupted, 1));
    assert_eq!(receipt.expected, 1 + world.log.sound.len() as u64);
}

#[test]
fn joining_in_the_middle_conceals_nothing_before_the_first_packet() {
    let mut world = World::ready();
    let it = play(1, SECOND, 48_000 * 6);
    world.run(SECOND);
    world.order(Order::Play(it));
    // Two seconds in; packets come 300 ms later.
    for index in 45..it.packets() {
        world.at(
            world.sounds(&it, index) - LATENCY + DELAY,
            Event::Datagram(packet(&it, index, &payload(index))),
        );
    }
    world.run(10 * SECOND);
    let pieces = world.heard(&it);
    let (first, pcm) = joined(&pieces);
    // Packet 44 is rebuilt from 45.
    assert_eq!(first, 44 * 2880 - 312);
    assert!(pcm[2880..] == programme(&it, 45 * 2880 - 312, it.samples));
    let receipt = world.receipt(&it);
    assert_eq!(
        (receipt.outcome, receipt.played),
        (Outcome::Interrupted, pcm.len() as u64)
    );
    // It was told at 3 s, two seconds in, and sounds 40 ms later: in packet (96 000 + 1920 + 312) / 2880.
    let due = (world.local(it.start), (2 * 48_000 + 1920 + 312) / 2880).1;
    assert_eq!((receipt.expected, receipt.lost), (it.packets() - due, 45 - due));
}

#[test]
fn an_emergency_goes_first_and_what_it_interrupts_resumes() {
    let mut world = World::ready();
    let normal = play(1, 3 * SECOND, 48_000 * 6);
    let mut emergency = play(2, 4_999_990, 48_000);
    emergency.class = Class::Emergency;
    emergency.packet_samples = 960;
    world.broadcast(&normal, LATENCY);
    world.broadcast(&emergency, LATENCY);
    world.run(15 * SECOND);
    let mut all = world.log.sound.clone();
    let cut = all.iter().position(|(at, _)| *at == 4_999_990).unwrap();
    let back = all.iter().position(|(at, _)| *at >= 5_999_990).unwrap();
    let after: Vec<_> = all.split_off(back);
    let during: Vec<_> = all.split_off(cut);
    let place = |(at, pcm): &(u64, Vec<i16>), start: u64| (((at - start) * 6).div_ceil(125), pcm.clone());
    let before: Vec<_> = all.iter().map(|piece| place(piece, 3 * SECOND)).collect();
    let during: Vec<_> = during.iter().map(|piece| place(piece, 4_999_990)).collect();
    let after: Vec<_> = after.iter().map(|piece| place(piece, 3 * SECOND)).collect();
    let (before, during, after) = (joined(&before), joined(&during), joined(&after));
    // To the sample: 1.99999 s are 95 999.52 samples.
    assert_eq!((before.0, before.1.len()), (0, 95_999));
    assert!(before.1 == programme(&normal, 0, 95_999));
    assert!(during == (0, programme(&emergency, 0, 48_000)));
    assert_eq!(after.0, 144_000);
    assert!(after.1 == programme(&normal, after.0, normal.samples));
    assert_eq!(world.receipt(&emergency).outcome, Outcome::Played);
    let receipt = world.receipt(&normal);
    assert_eq!((receipt.outcome, receipt.lost), (Outcome::Interrupted, 0));
    assert_eq!(receipt.played, normal.samples - 48_001);
    // The amplifier stays on through the changes.
    assert_eq!(world.log.amplifier.len(), 2);
}

#[test]
fn of_two_at_once_the_one_nearer_the_root_sounds() {
    let mut world = World::ready();
    let commune = play(1, 3 * SECOND, 48_000);
    let mut province = play(2, 3 * SECOND, 48_000);
    province.depth = 1;
    world.broadcast(&commune, LATENCY);
    world.broadcast(&province, LATENCY);
    world.run(10 * SECOND);
    assert_eq!(world.receipt(&province).outcome, Outcome::Played);
    let receipt = world.receipt(&commune);
    assert_eq!(
        (receipt.outcome, receipt.played, receipt.expected),
        (Outcome::Failed, 0, 0)
    );
    assert_eq!(joined(&world.heard(&province)).1.len(), 48_000);
}

#[test]
fn one_after_the_other_without_the_amplifier_going_off() {
    let mut world = World::ready();
    let first = play(1, 3 * SECOND, 48_000);
    let second = play(2, 4 * SECOND + 150_000, 48_000);
    let third = play(3, 6 * SECOND, 48_000);
    for it in [&first, &second, &third] {
        world.broadcast(it, LATENCY);
    }
    world.run(10 * SECOND);
    for it in [&first, &second, &third] {
        assert_eq!(world.receipt(it).outcome, Outcome::Played);
    }
    let on = |at| (at, true);
    let off = |at| (at, false);
    let want = [
        on(3 * SECOND - LEAD),
        off(5_150_000),
        on(6 * SECOND - LEAD),
        off(7 * SECOND),
    ];
    assert_eq!(world.log.amplifier, want);
}

#[test]
fn stop_is_at_once() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 48_000 * 5);
    world.broadcast(&it, LATENCY);
    world.run_until(4 * SECOND + 1);
    world.order(Order::Stop(it.broadcast));
    assert_eq!(world.log.amplifier.last(), Some(&(4 * SECOND + 1, false)));
    world.run(10 * SECOND);
    let receipt = world.receipt(&it);
    assert_eq!(receipt.outcome, Outcome::Interrupted);
    assert!(
        (48_000..48_000 + 2880 + 1920).contains(&receipt.played),
        "{}",
        receipt.played
    );
    assert!(world.log.handed_out.iter().all(|at| *at <= 4 * SECOND));
    assert!(world.receiver.counters().stray > 0, "its packets went on coming");
    assert_eq!(world.receiver.counters().refused_media, 0);
    // Before it began.
    let other = play(2, 20 * SECOND, 48_000);
    world.broadcast(&other, LATENCY);
    world.order(Order::Stop(other.broadcast));
    world.run(20 * SECOND);
    assert_eq!(world.receipt(&other).outcome, Outcome::Failed);
}

#[test]
fn a_server_that_dies_leaves_silence_and_comes_back() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 48_000 * 6);
    world.order(Order::Play(it));
    let gone = 20..70;
    for index in (0..it.packets()).filter(|index| !gone.contains(index)) {
        let sent = world.sounds(&it, index) - LATENCY;
        world.at(sent + DELAY, Event::Datagram(packet(&it, index, &payload(index))));
    }
    world.run(15 * SECOND);
    let pieces = world.heard(&it);
    let concealed = pieces.iter().filter(|(_, pcm)| pcm[0] == CONCEALED).count();
    // 120 ms of hiding, then silence, then what is due; packet 69 is rebuilt from 70.
    assert_eq!(concealed, 2);
    let (n, pcm) = pieces.iter().find(|(n, _)| *n > 22 * 2880).unwrap();
    assert_eq!(*n, 69 * 2880 - 312);
    assert_eq!(pcm[0], sample(69 * 2880) | 1);
    let receipt = world.receipt(&it);
    assert_eq!((receipt.expected, receipt.lost), (it.packets(), 50));
    assert_eq!(receipt.outcome, Outcome::Interrupted);
    assert_eq!(
        world.log.amplifier.len(),
        4,
        "off in the silence: {:?}",
        world.log.amplifier
    );
}

#[test]
fn the_clock_being_corrected_a_little_moves_nothing_that_sounds() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 48_000 * 30);
    world.broadcast(&it, LATENCY);
    world.run_until(5 * SECOND);
    world.clock_error = 15_000;
    world.run_until(40 * SECOND);
    world.clock_error = 0;
    let (first, pcm) = joined(&world.heard(&it));
    assert!(first == 0 && pcm == programme(&it, 0, it.samples));
    assert_eq!(world.receiver.counters().jumps, 0);
}

#[test]
fn a_slow_way_to_the_server_is_no_reason_to_move_what_sounds() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 48_000 * 80);
    world.broadcast(&it, LATENCY);
    // The clock comes to be 40 ms off, and says that it may be by 45.
    world.uphill = 80_000;
    world.run_until(75 * SECOND);
    assert_eq!(world.receiver.clock_error(), 45_000);
    let wall = world.receiver.wall(loa_receiver::Micros(world.now));
    assert_eq!(wall, Some(world.wall(world.now).offset(40_000)));
    world.run_until(90 * SECOND);
    assert_eq!(joined(&world.heard(&it)).1.len() as u64, it.samples);
    assert_eq!(world.receiver.counters().jumps, 0);
}

#[test]
fn the_clock_being_corrected_by_much_moves_it() {
    // The server's clock turns out to be ahead: 300 ms are skipped. Or behind: 300 ms of silence, and nothing sounds twice.
    for (error, skipped) in [(300_000i64, 14_400), (-300_000, 0)] {
        let mut world = World::ready();
        let it = play(1, 3 * SECOND, 2880 * 500);
        world.broadcast(&it, LATENCY);
        world.run_until(5 * SECOND);
        let start = world.local(it.start);
        world.clock_error = error;
        world.run_until(50 * SECOND);
        assert_eq!(world.receiver.counters().jumps, 1);
        let receipt = world.receipt(&it);
        assert!(receipt.played.abs_diff(it.samples - skipped) <= 1, "{receipt:?}");
        assert_eq!(
            (receipt.expected, receipt.received),
            (it.packets(), it.packets() - receipt.lost)
        );
        let lost = skipped / 2880;
        assert!((lost..=lost + 1).contains(&receipt.lost), "{receipt:?}");
        // Every sample where the clock says, before and after.
        let mut moved = 0;
        for (at, pcm) in &world.log.sound {
            let place = |start: u64| (at.saturating_sub(start) * 6).div_ceil(125);
            let (old, new) = (place(start), place(start.checked_add_signed(-error).unwrap()));
            let is = |n: u64| *pcm == programme(&it, n, n + pcm.len() as u64);
            assert!(is(old) && moved == 0 || is(new), "{at}");
            moved += u64::from(!is(old));
        }
        assert!(moved > 300);
    }
}

#[test]
fn five_broadcasts_are_one_too_many() {
    let mut world = World::ready();
    let mut all: Vec<_> = (1..=4)
        .map(|id| play(id, 10 * SECOND * u64::from(id), 48_000))
        .collect();
    for it in &all {
        world.order(Order::Play(*it));
    }
    let mut emergency = play(5, 5 * SECOND, 48_000);
    emergency.class = Class::Emergency;
    world.broadcast(&emergency, LATENCY);
    let lowest = play(6, 90 * SECOND, 48_000);
    world.order(Order::Play(lowest));
    assert_eq!(world.receiver.counters().crowded_out, 2);
    assert_eq!(world.receipt(&all.pop().unwrap()).outcome, Outcome::Failed);
    assert_eq!(world.receipt(&lowest).outcome, Outcome::Failed);
    world.run(10 * SECOND);
    assert_eq!(world.receipt(&emergency).outcome, Outcome::Played);
}

#[test]
fn a_shell_that_stalls_goes_on_where_the_clock_is() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 48_000 * 5);
    world.broadcast(&it, LATENCY);
    world.run_until(4 * SECOND);
    // Nobody looks for two seconds; what came meanwhile is given late, all at once.
    let sounded = world.log.sound.len();
    world.now = 6 * SECOND;
    world.run(10 * SECOND);
    assert!(world.log.sound[sounded].0 >= 5_500_000);
    let receipt = world.receipt(&it);
    assert_eq!(
        (receipt.outcome, receipt.expected),
        (Outcome::Interrupted, it.packets())
    );
    assert!(world.receiver.counters().jumps > 0 || receipt.lost > 0);
}

#[test]
fn sender_reports_are_taken_once() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 48_000);
    world.order(Order::Play(it));
    for (number, latency) in [(0, LATENCY), (0, LATENCY), (1, LATENCY), (2, 60 * SECOND)] {
        world.at(world.now, Event::Datagram(sender_report(&it, number, latency)));
    }
    world.run(SECOND);
    let counters = world.receiver.counters();
    assert_eq!(
        (
            counters.sender_reports,
            counters.odd_sender_reports,
            counters.refused_media
        ),
        (3, 1, 1)
    );
}

#[test]
fn volume_scales_and_at_a_hundred_changes_nothing() {
    for volume in [100u8, 50, 1, 0] {
        let mut world = World::ready();
        world.order(Order::Volume(volume));
        assert_eq!(world.log.telemetry.last().unwrap().1.volume, volume, "told at once");
        let it = play(1, 3 * SECOND, 9600);
        world.broadcast(&it, LATENCY);
        world.run(5 * SECOND);
        let (_, pcm) = joined(&world.heard(&it));
        for (got, full) in pcm.iter().zip(programme(&it, 0, 9600)) {
            let want = f64::from(full) * f64::from(volume) / 100.0;
            assert!((f64::from(*got) - want).abs() <= if volume == 100 { 0.0 } else { 1.0 });
        }
    }
}

#[test]
fn another_stream_of_the_same_broadcast_goes_on() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 48_000 * 4);
    world.broadcast(&it, LATENCY);
    world.run_until(4 * SECOND);
    let mut other = it;
    (other.stream, other.ssrc, other.depth) = (loa_protocol::StreamId([99; 16]), 77, 1);
    world.order(Order::Play(other));
    world.send(&other, LATENCY);
    world.run(10 * SECOND);
    let receipt = world.receipt(&it);
    assert!(
        receipt.played > it.samples - 48_000 / 2 && receipt.received > 50,
        "{receipt:?}"
    );
}

/// What happens to a packet: its delays, none if it is lost, several if it is duplicated.
fn fate() -> impl Strategy<Value = Vec<u64>> {
    prop_oneof![
        1 => Just(vec![]),
        8 => (0u64..300_000).prop_map(|delay| vec![delay]),
        1 => (0u64..300_000, 0u64..600_000).prop_map(|(a, b)| vec![a, b]),
        1 => (300_000u64..900_000).prop_map(|delay| vec![delay]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever a network does, each packet sounds as it was, is rebuilt, or is concealed, in its place, and the counts are what the
    /// faults were.
    #[test]
    fn sound_is_continuous_and_counted(
        fates in proptest::collection::vec(fate(), 150),
        packet_samples in prop_oneof![Just(960u16), Just(2880), Just(5760)],
        cut in 0u64..5760,
    ) {
        let mut world = World::ready();
        let mut it = play(1, 3 * SECOND, 0);
        it.packet_samples = packet_samples;
        it.samples = fates.len() as u64 * u64::from(packet_samples) - 312 - cut % u64::from(packet_samples);
        world.order(Order::Play(it));
        let told = world.now;
        let mut arrivals: Vec<Vec<u64>> = Vec::new();
        for (index, fate) in (0..).zip(&fates) {
            // Odd microseconds: nothing arrives at the very instant of a decision.
            let mut times: Vec<_> = fate.iter().map(|delay| world.sounds(&it, index) - LATENCY + (delay | 1)).collect();
            for at in &times {
                world.at(*at, Event::Datagram(packet(&it, index, &payload(index))));
            }
            times.sort_unstable();
            arrivals.push(times);
        }
        world.run(3 * SECOND + it.samples * 125 / 6 + SECOND);

        let start = world.local(it.start);
        let end = start + (it.samples * 125).div_ceil(6);
        let length = u64::from(packet_samples);
        let (mut begun, mut run, mut lost, mut late, mut concealed) = (false, 0, 0, 0, 0);
        let mut want: Vec<(u64, Vec<i16>)> = Vec::new();
        for index in 0..fates.len() as u64 {
            let from = (index * length).saturating_sub(312);
            let to = ((index + 1) * length - 312).min(it.samples);
            let decided = start + from * 125 / 6 - LEAD;
            let there = |index: u64| arrivals.get(index as usize).and_then(|times| times.first()).is_some_and(|at| *at < decided);
            let heard = arrivals.iter().filter_map(|times| times.first()).filter(|at| **at < decided).max();
            let ceased = decided - *heard.unwrap_or(&told) > 400_000;
            let mut pcm = programme(&it, from, to);
            if there(index) {
                (begun, run) = (true, 0);
                want.push((from, pcm));
                continue;
            }
            lost += 1;
            late += u64::from(arrivals[index as usize].first().is_some_and(|at| *at < end));
            if there(index + 1) {
                (begun, run) = (true, 0);
                pcm.iter_mut().for_each(|sample| *sample |= 1);
            } else if begun && !(ceased && run >= 5760) {
                run += length;
                pcm.fill(CONCEALED);
            } else {
                begun = false;
                continue;
            }
            concealed += pcm.len() as u64;
            want.push((from, pcm));
        }
        prop_assert!(world.heard(&it) == want);
        let receipt = world.receipt(&it);
        let again = arrivals.iter().flat_map(|times| times.iter().skip(1)).filter(|at| **at < end).count();
        prop_assert_eq!((receipt.expected, receipt.lost), (fates.len() as u64, lost));
        prop_assert_eq!((receipt.late, receipt.duplicate), (late, again as u64));
        prop_assert_eq!(receipt.concealed, concealed);
        prop_assert_eq!(receipt.played, want.iter().map(|(_, pcm)| pcm.len() as u64).sum::<u64>());
        prop_assert_eq!(world.receiver.counters().refused_media, 0);
    }
}

/// With the real codec: speech-like sound through SILK and music-like sound through CELT, with losses, comes out complete.
#[test]
fn real_opus_is_complete_with_losses_and_the_same_without_as_decoded_alone() {
    for application in [opus::Application::Voip, opus::Application::Audio] {
        let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, application).unwrap();
        encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
        encoder.set_inband_fec(true).unwrap();
        encoder.set_packet_loss_perc(10).unwrap();
        let packets: Vec<Vec<u8>> = (0..50u32)
            .map(|index| {
                let tone = |n: u32| f64::from(n + index * 2880) * 440.0 * core::f64::consts::TAU / 48_000.0;
                let pcm: Vec<i16> = (0..2880).map(|n| (tone(n).sin() * 12_000.0) as i16).collect();
                encoder.encode_vec(&pcm, 1000).unwrap()
            })
            .collect();
        let mut alone = loa_opus::OpusDecoder::new();
        let mut want = Vec::new();
        for packet in &packets {
            let mut pcm = [0; 5760];
            let length = alone.decode(Some(packet), false, &mut pcm).unwrap();
            want.extend_from_slice(&pcm[..length]);
        }
        for lossy in [false, true] {
            let mut world = World::ready_with(loa_opus::OpusDecoder::new());
            let it = play(1, 3 * SECOND, 50 * 2880 - 312 - 1000);
            world.order(Order::Play(it));
            for (index, payload) in (0..).zip(&packets) {
                if !lossy || index % 7 != 3 && index % 20 != 4 {
                    world.at(
                        world.sounds(&it, index) - LATENCY,
                        Event::Datagram(packet(&it, index, payload)),
                    );
                }
            }
            world.run(10 * SECOND);
            let (first, pcm) = joined(&world.heard(&it));
            assert_eq!((first, pcm.len() as u64), (0, it.samples));
            let receipt = world.receipt(&it);
            assert_eq!(
                (receipt.outcome, receipt.lost),
                (Outcome::Played, if lossy { 9 } else { 0 })
            );
            if !lossy {
                assert!(pcm[..] == want[312..312 + pcm.len()], "bit for bit");
            }
            // A sine of 12 000 is 11.7 dB below full scale; concealment may fade a little.
            let level = receipt.level.unwrap();
            assert!((1100..if lossy { 1400 } else { 1250 }).contains(&level), "{level}");
        }
    }
}
