//! The conductor on a virtual clock: whole evenings in milliseconds.

use std::collections::BTreeMap;

use loa_protocol::precedence::Class;
use loa_protocol::{BroadcastId, ReceiverId, UnixMicros};
use proptest::prelude::*;

use super::conductor::*;

const S: u64 = 1_000_000;
/// An evening: everything is told relative to it.
const T0: u64 = 1_800_000_000 * S;
const LATENCY: u64 = 400_000;

fn at(seconds: f64) -> UnixMicros {
    UnixMicros((T0 as i64 + (seconds * 1e6) as i64) as u64)
}

fn id(n: u8) -> BroadcastId {
    BroadcastId([n; 16])
}

fn receiver(n: u8) -> ReceiverId {
    ReceiverId([n; 16])
}

fn broadcast(n: u8, class: Class, start: f64, end: f64, receivers: &[u8]) -> Broadcast {
    let receivers = receivers.iter().map(|n| (receiver(*n), 2)).collect();
    Broadcast {
        id: id(n),
        class,
        start: at(start),
        end: at(end),
        receivers,
        begun: false,
        overrides: false,
    }
}

/// A conductor whose programmes load at once, with all orders and when they came.
struct Evening {
    conductor: Conductor,
    now: UnixMicros,
    orders: Vec<(f64, Output)>,
}

impl Evening {
    fn new() -> Self {
        Self {
            conductor: Conductor::new(LATENCY),
            now: at(0.0),
            orders: Vec::new(),
        }
    }

    fn tell(&mut self, seconds: f64, input: Input) {
        self.run_until(seconds);
        self.now = at(seconds);
        self.conductor.handle(self.now, input);
        self.drain();
    }

    fn run_until(&mut self, seconds: f64) {
        while let Some(next) = self.conductor.next_wakeup().filter(|next| *next <= at(seconds)) {
            assert!(next > self.now, "a wake-up in the past would spin");
            self.now = next;
            self.conductor.handle(next, Input::Timer);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.conductor.poll() {
            if let Output::Load(id) = output {
                self.conductor.handle(self.now, Input::Loaded(id, Ok(())));
            }
            self.orders.push(((self.now.0 as f64 - T0 as f64) / 1e6, output));
        }
    }

    fn states(&self, id: BroadcastId) -> Vec<(f64, State)> {
        let of = |(at, output): &(f64, Output)| match output {
            Output::State(other, state) if *other == id => Some((*at, state.clone())),
            _ => None,
        };
        self.orders.iter().filter_map(of).collect()
    }

    /// When `receiver` was sent packets of `id`: intervals of send time.
    fn streamed(&self, id: BroadcastId, receiver: ReceiverId) -> Vec<(f64, f64)> {
        let mut spans: Vec<(f64, f64)> = Vec::new();
        let mut since = None;
        for (at, output) in &self.orders {
            let listed = match output {
                Output::Stream(other, receivers) if *other == id => receivers.contains(&receiver),
                Output::Silence(other) if *other == id => false,
                _ => continue,
            };
            match (since, listed) {
                (None, true) => since = Some(*at),
                (Some(start), false) => {
                    spans.push((start, *at));
                    since = None;
                }
                _ => {}
            }
        }
        assert!(since.is_none(), "a stream without an end");
        spans
    }
}

fn near(got: &[(f64, f64)], want: &[(f64, f64)]) {
    let close = |(a, b): (&(f64, f64), &(f64, f64))| (a.0 - b.0).abs() < 0.11 && (a.1 - b.1).abs() < 0.11;
    assert!(
        got.len() == want.len() && got.iter().zip(want).all(close),
        "{got:?} for {want:?}"
    );
}

#[test]
fn one_broadcast_from_acceptance_to_receipts() {
    let mut evening = Evening::new();
    evening.tell(0.0, Input::Presence(receiver(1), true));
    evening.tell(0.0, Input::Broadcast(broadcast(9, Class::Normal, 60.0, 90.0, &[1, 2])));
    evening.run_until(91.0);
    evening.tell(92.0, Input::Receipt(receiver(1), id(9)));
    evening.run_until(1000.0);
    let plays: Vec<_> = evening
        .orders
        .iter()
        .filter(|(_, o)| matches!(o, Output::Play(..)))
        .collect();
    assert_eq!(plays.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [55.0, 55.0]);
    // The receiver that is off line owes no receipt.
    assert_eq!(evening.states(id(9)), [(60.0, State::OnAir), (92.0, State::Done)]);
    near(&evening.streamed(id(9), receiver(2)), &[(59.5, 90.0)]);
    assert_eq!(evening.conductor.next_wakeup(), None);
}

#[test]
fn receipts_are_not_awaited_for_ever() {
    let mut evening = Evening::new();
    evening.tell(0.0, Input::Presence(receiver(1), true));
    evening.tell(0.0, Input::Broadcast(broadcast(9, Class::Normal, 1.0, 2.0, &[1])));
    evening.run_until(100.0);
    assert_eq!(evening.states(id(9)).last(), Some(&(12.0, State::Done)));
}

#[test]
fn an_emergency_takes_the_air_and_gives_it_back() {
    let mut evening = Evening::new();
    evening.tell(0.0, Input::Broadcast(broadcast(1, Class::Normal, 10.0, 100.0, &[1, 2])));
    evening.tell(30.0, Input::Broadcast(broadcast(2, Class::Emergency, 31.0, 50.0, &[1])));
    evening.run_until(200.0);
    // At the edge both streams flow for a moment: the receiver chooses.
    near(&evening.streamed(id(1), receiver(1)), &[(9.5, 30.7), (49.5, 100.0)]);
    near(&evening.streamed(id(2), receiver(1)), &[(30.5, 50.0)]);
    near(&evening.streamed(id(1), receiver(2)), &[(9.5, 100.0)]);
}

#[test]
fn a_receiver_that_comes_back_is_told_again() {
    let mut evening = Evening::new();
    evening.tell(0.0, Input::Broadcast(broadcast(1, Class::Normal, 10.0, 100.0, &[1])));
    evening.tell(40.0, Input::Presence(receiver(1), true));
    assert_eq!(evening.orders.last(), Some(&(40.0, Output::Play(receiver(1), id(1)))));
    evening.tell(101.0, Input::Presence(receiver(1), true));
    assert_ne!(evening.orders.last(), Some(&(101.0, Output::Play(receiver(1), id(1)))));
}

#[test]
fn a_stop_silences_and_says_so_at_once() {
    let mut evening = Evening::new();
    evening.tell(0.0, Input::Broadcast(broadcast(1, Class::Normal, 10.0, 100.0, &[1, 2])));
    evening.tell(40.0, Input::Stop(id(1)));
    evening.run_until(300.0);
    let stops = evening
        .orders
        .iter()
        .filter(|(at, o)| *at == 40.0 && matches!(o, Output::Stop(..)))
        .count();
    assert_eq!(stops, 2);
    assert_eq!(evening.states(id(1)), [(10.0, State::OnAir), (40.0, State::Stopped)]);
    near(&evening.streamed(id(1), receiver(1)), &[(9.5, 40.0)]);
}

#[test]
fn after_a_restart_what_should_sound_sounds() {
    let mut evening = Evening::new();
    let mut begun = broadcast(1, Class::Normal, -30.0, 60.0, &[1]);
    begun.begun = true;
    evening.tell(0.0, Input::Broadcast(begun));
    evening.tell(0.0, Input::Broadcast(broadcast(2, Class::Normal, -5.0, 5.0, &[2])));
    evening.tell(0.0, Input::Broadcast(broadcast(3, Class::Normal, -50.0, -5.0, &[2])));
    let mut over = broadcast(4, Class::Normal, -50.0, -5.0, &[2]);
    over.begun = true;
    evening.tell(0.0, Input::Broadcast(over));
    assert_eq!(evening.states(id(1)), [(0.0, State::OnAir)]);
    assert_eq!(evening.states(id(2)), [(0.0, State::OnAir)]);
    assert!(matches!(&evening.states(id(3))[..], [(_, State::Failed(_))]));
    assert_eq!(evening.states(id(4)), [(0.0, State::Done)]);
    evening.run_until(300.0);
    near(&evening.streamed(id(1), receiver(1)), &[(0.0, 60.0)]);
}

#[test]
fn a_programme_that_cannot_be_read_fails_with_the_reason() {
    let mut conductor = Conductor::new(LATENCY);
    conductor.handle(at(0.0), Input::Broadcast(broadcast(1, Class::Normal, 1.0, 9.0, &[1])));
    assert_eq!(conductor.poll(), Some(Output::Load(id(1))));
    conductor.handle(at(0.1), Input::Loaded(id(1), Err("gone".into())));
    assert_eq!(
        conductor.poll(),
        Some(Output::State(id(1), State::Failed("gone".into())))
    );
    assert_eq!((conductor.poll(), conductor.next_wakeup()), (None, None));
}

#[test]
fn a_target_that_grows_reaches_the_new_receiver() {
    let mut evening = Evening::new();
    evening.tell(0.0, Input::Broadcast(broadcast(1, Class::Normal, 10.0, 100.0, &[1, 2])));
    evening.tell(
        20.0,
        Input::Broadcast(broadcast(1, Class::Normal, 10.0, 100.0, &[1, 3])),
    );
    evening.run_until(300.0);
    assert!(evening.orders.contains(&(20.0, Output::Play(receiver(3), id(1)))));
    assert!(evening.orders.contains(&(20.0, Output::Stop(receiver(2), id(1)))));
    near(&evening.streamed(id(1), receiver(3)), &[(20.0, 100.0)]);
    near(&evening.streamed(id(1), receiver(2)), &[(9.5, 20.0)]);
}

proptest! {
    /// At any instant, the packets that sound then were sent to a receiver of exactly the broadcast that goes before
    /// the others there.
    #[test]
    fn what_sounds_is_streamed(
        shows in proptest::collection::vec((0u32..3, 0u32..600, 1u32..200, 1u8..8), 1..8),
        probe in 0u32..900,
    ) {
        let mut evening = Evening::new();
        let mut all = BTreeMap::new();
        for (n, (class, start, length, receivers)) in shows.into_iter().enumerate() {
            let class = [Class::Normal, Class::Priority, Class::Emergency][class as usize];
            let receivers: Vec<u8> = (0..3).filter(|bit| receivers & (1 << bit) != 0).collect();
            let start = f64::from(start) + 10.0;
            let show = broadcast(n as u8, class, start, start + f64::from(length), &receivers);
            all.insert(show.id, show.clone());
            evening.tell(0.0, Input::Broadcast(show));
        }
        evening.run_until(2000.0);
        let probe = f64::from(probe) + 0.5;
        for n in 0..3 {
            let sounding = all.values().filter(|b| b.start <= at(probe) && at(probe) < b.end && b.receivers.contains_key(&receiver(n)));
            let best = sounding.min_by_key(|b| (std::cmp::Reverse(b.class as u8), b.start, b.id)).map(|b| b.id);
            let sent = probe - LATENCY as f64 / 1e6;
            let streams: Vec<_> = all.keys().filter(|id| {
                evening.streamed(**id, receiver(n)).iter().any(|(from, to)| *from <= sent && sent < *to)
            }).copied().collect();
            prop_assert_eq!(streams, best.into_iter().collect::<Vec<_>>());
        }
    }
}
