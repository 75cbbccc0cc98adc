//! What is planned is what is played: the real receiver, in virtual time, is given the signed policy, commands and packets of days made up
//! at random, and sounds what its plan says, to the frame.

use chrono_tz::Tz;
use loa_protocol::command::{Command, Order, Play, Recipient};
use loa_protocol::enrolment::Enrolment;
use loa_protocol::key::Secret;
use loa_protocol::precedence::Class;
use loa_protocol::srtp::{SessionKeys, rtp_nonce};
use loa_protocol::{AreaId, BroadcastId, MAX_MESSAGE, ReceiverId, SigningKey, StreamId, UnixMicros};
use loa_simulator::fault::Faults;
use loa_simulator::virtual_time::{Arrival, Done, VirtualReceiver};
use proptest::prelude::*;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::plan::{Candidate, Fate, plan};
use super::rules::{Clock, Hours, Place, Rules};

const HANOI: Tz = chrono_tz::Asia::Ho_Chi_Minh;
/// Midnight there, a Monday: 2026-02-16.
const MIDNIGHT: u64 = 1_771_174_800_000_000;
const SECOND: u64 = 1_000_000;
const DAYS: u64 = 3;
/// 20 ms of silence, as Opus has it (CELT, full band).
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];
const PACKET: u64 = 960;
/// From a packet's sending to its sounding.
const LATENCY: u64 = 400_000;
/// A change is heard within this: a frame, and the fade over to the next broadcast.
const EDGE: u64 = 100_000;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn enrolment() -> Enrolment {
    Enrolment {
        receiver: ReceiverId([1; 16]),
        secret: Secret([2; 32]),
        server_key: key().verifying_key(),
        areas: [AreaId([0xA0; 16])].into_iter().collect(),
        mqtt_host: "127.0.0.1".try_into().unwrap(),
        mqtt_port: 1883,
        mqtt_ca: None,
        media_host: "127.0.0.1".try_into().unwrap(),
        media_port: 5004,
        key_number: 1,
        next_ca: None,
        epoch: 0,
        unfinished: None,
    }
}

fn play(it: &Candidate) -> Play {
    Play {
        broadcast: it.broadcast,
        stream: StreamId(it.broadcast.0),
        ssrc: u32::from(it.broadcast.0[0]),
        class: it.class,
        depth: it.depth,
        start: it.start,
        samples: (it.end.0 - it.start.0) * 48 / 1000,
        packet_samples: PACKET as u16,
        pre_skip: 0,
        overrides: it.overrides,
    }
}

fn sealed(play: &Play, index: u64) -> Vec<u8> {
    let keys = SessionKeys::derive(&enrolment().secret.srtp(play.stream));
    let mut packet = vec![0x80, 111];
    packet.extend((index as u16).to_be_bytes());
    packet.extend(((index * PACKET) as u32).to_be_bytes());
    packet.extend(play.ssrc.to_be_bytes());
    let mut body = SILENCE;
    let nonce = Nonce::assume_unique_for_key(rtp_nonce(&keys.rtp_salt, play.ssrc, index));
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &keys.rtp_key).unwrap());
    let tag = cipher
        .seal_in_place_separate_tag(nonce, Aad::from(&packet), &mut body)
        .unwrap();
    packet.extend(body);
    packet.extend(tag.as_ref());
    packet
}

fn command(number: u64, now: UnixMicros, order: Order) -> Vec<u8> {
    let command = Command {
        to: Recipient::Receiver(enrolment().receiver),
        number,
        issued: now,
        expires: now.offset(600 * SECOND as i64),
        order,
    };
    let mut message = [0; MAX_MESSAGE];
    let length = command.seal(&key(), &mut message).unwrap();
    message[..length].to_vec()
}

/// What a receiver at `place` does that is told of all of `candidates`, five seconds ahead.
fn played(place: &Place, candidates: &[Candidate]) -> Done {
    let boot = UnixMicros(MIDNIGHT);
    let mut receiver = VirtualReceiver::boot(enrolment(), boot, Faults::default(), 1);
    let topic = receiver.command_topic().as_str().to_owned();
    receiver.give(boot.offset(100_000), Arrival::MqttUp);
    let mut arrivals = vec![(boot.offset(SECOND as i64), Order::Policy(place.policy(boot).unwrap()))];
    arrivals.extend(
        candidates
            .iter()
            .map(|it| (it.start.offset(-5 * SECOND as i64), Order::Play(play(it)))),
    );
    let mut all: Vec<(UnixMicros, Arrival)> = Vec::new();
    arrivals.sort_by_key(|it| it.0);
    for (number, (at, order)) in (1..).zip(arrivals) {
        all.push((at, Arrival::Mqtt(topic.clone(), command(number, at, order))));
    }
    for play in candidates.iter().map(play) {
        for index in 0..play.samples.div_ceil(PACKET) {
            let at = UnixMicros(play.start.0 + index * PACKET * 1000 / 48 - LATENCY);
            all.push((at, Arrival::Datagram(sealed(&play, index))));
        }
    }
    all.sort_by_key(|it| it.0);
    for (at, arrival) in all {
        receiver.give(at, arrival);
    }
    receiver.run_until(UnixMicros(MIDNIGHT + DAYS * 86_400 * SECOND));
    receiver.finish()
}

fn some_place() -> impl Strategy<Value = Place> {
    let hours = (proptest::collection::vec(1u8..=7, 0..4), 0u16..20, 1u16..12, 0u16..60);
    let hours = hours.prop_map(|(days, from, length, minute)| Hours {
        days,
        from: Clock::at(from, minute).unwrap(),
        to: Clock::at((from + length).min(23), minute).unwrap(),
        volume: 100,
    });
    let rules = (
        proptest::option::of(proptest::collection::vec(hours, 1..3)),
        proptest::option::of(0u16..4),
    );
    rules.prop_map(|(hours, daily_minutes)| Place {
        zone: HANOI,
        rules: vec![Rules {
            hours,
            daily_minutes,
            seasons: vec![],
        }],
    })
}

fn some_candidates() -> impl Strategy<Value = Vec<Candidate>> {
    // Near each other, so that they meet; on minutes and between them.
    let one = (
        0u64..DAYS,
        0u64..6,
        60u64..4000,
        2u64..90,
        0u8..3,
        0u8..4,
        prop::bool::weighted(0.2),
    );
    proptest::collection::vec(one, 1..14).prop_map(|all| {
        let one = |(n, (day, third, second, length, class, depth, overrides)): (usize, _)| {
            let start = MIDNIGHT + (day * 86_400 + third * 14_400 + second / 10) * SECOND;
            Candidate {
                broadcast: BroadcastId([n as u8 + 1; 16]),
                class: [Class::Normal, Class::Priority, Class::Emergency][usize::from(class)],
                depth,
                start: UnixMicros(start),
                end: UnixMicros(start + length * SECOND),
                overrides,
            }
        };
        all.into_iter().enumerate().map(one).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_receiver_plays_what_its_plan_says(place in some_place(), candidates in some_candidates()) {
        let end = UnixMicros(MIDNIGHT + DAYS * 86_400 * SECOND);
        let pieces = plan(&place, &candidates, UnixMicros(MIDNIGHT), end);
        let mut planned: Vec<(u64, u64)> = Vec::new();
        for piece in pieces.iter().filter(|it| it.fate == Fate::Plays) {
            match planned.last_mut() {
                Some(last) if last.1 + EDGE >= piece.from.0 => last.1 = piece.to.0,
                _ => planned.push((piece.from.0, piece.to.0)),
            }
        }
        let done = played(&place, &candidates);
        let mut sounded: Vec<(u64, u64)> = Vec::new();
        for it in &done.stretches {
            let to = it.at + it.samples * 1000 / 48;
            match sounded.last_mut() {
                Some(last) if last.1 + EDGE >= it.at => last.1 = to,
                _ => sounded.push((it.at, to)),
            }
        }
        // What is shorter than an edge may be either.
        planned.retain(|it| it.1 - it.0 > EDGE);
        sounded.retain(|it| it.1 - it.0 > EDGE);
        let near = |a: u64, b: u64| a.abs_diff(b) <= EDGE;
        let same = planned.len() == sounded.len()
            && planned.iter().zip(&sounded).all(|(a, b)| near(a.0, b.0) && near(a.1, b.1));
        prop_assert!(same, "planned {planned:?}\nsounded {sounded:?}\n{pieces:#?}");
        // And of each broadcast, by the receiver's own account, as much as is planned.
        for it in &candidates {
            let of_it = pieces.iter().filter(|piece| piece.broadcast == it.broadcast && piece.fate == Fate::Plays);
            let (count, wanted) = of_it.fold((1, 0), |(n, sum), it| (n + 1, sum + it.to.0 - it.from.0));
            let receipts = done.receipts.iter().filter(|receipt| receipt.broadcast == it.broadcast);
            let told = receipts.map(|receipt| receipt.played * 1000 / 48).max().unwrap_or(0);
            prop_assert!(told.abs_diff(wanted) <= count * EDGE, "{it:?} told {told}, planned {wanted}\n{pieces:#?}");
        }
    }
}
