//! Two devices under one name are noticed: somebody has copied a receiver's secret, or two were flashed alike. Here: what
//! only two can do, judged from what was authentic; pure, time is an argument. Not here: what is done about it (`playout`).
//!
//! What one device does never looks so: it reboots (a new boot that was never seen before), its NAT gives it another
//! address (that it never had), it goes over to MQTT and back (by way of hellos, which does not count). Two devices come back:
//! to a boot that was over, to an address that was left, again and again.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use loa_protocol::report::Serial;
use loa_protocol::{ReceiverId, UnixMicros};
use tokio::sync::mpsc;

/// What gave two devices away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sign {
    /// Reports of one boot, then of another, then of the first again, each made later than the one before.
    Boots,
    /// Hellos from one address, then another, and back, again and again.
    Hellos,
    /// MQTT sessions that take each other's place, from one address and another, again and again.
    Sessions,
}

impl Sign {
    /// Its name, in the record and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boots => "boots",
            Self::Hellos => "hellos",
            Self::Sessions => "sessions",
        }
    }
}

/// Boots remembered of each receiver.
const BOOTS: usize = 4;
/// Addresses remembered of each receiver.
const PLACES: usize = 8;
/// So many returns of hellos within [`HELLO_WINDOW`] are two devices. One that goes between two lines of its own once a
/// quarter of a minute stays below.
const HELLO_RETURNS: usize = 6;
const HELLO_WINDOW: u64 = 60_000_000;
/// So many returns of sessions within [`SESSION_WINDOW`] are two devices.
const SESSION_RETURNS: usize = 4;
const SESSION_WINDOW: u64 = 600_000_000;
/// The same sign of the same receiver is not told again within this, in microseconds.
const SILENCE: u64 = 3600 * 1_000_000;

/// Notices clones.
#[derive(Debug, Default)]
pub struct Detector {
    traces: HashMap<ReceiverId, Traces>,
}

#[derive(Debug, Default)]
struct Traces {
    /// The latest last.
    boots: VecDeque<u64>,
    made: UnixMicros,
    hellos: Trail<SocketAddr>,
    sessions: Trail<IpAddr>,
    told: HashMap<Sign, UnixMicros>,
}

/// Where something came from, and when it came back to where it had been.
#[derive(Debug)]
struct Trail<P> {
    /// The present one last.
    places: VecDeque<P>,
    returns: VecDeque<UnixMicros>,
}

impl<P> Default for Trail<P> {
    fn default() -> Self {
        let (places, returns) = (VecDeque::new(), VecDeque::new());
        Self { places, returns }
    }
}

impl<P: PartialEq + Copy> Trail<P> {
    /// Whether it came back to where it had been for the `most`th time within `window`.
    fn seen(&mut self, place: P, now: UnixMicros, most: usize, window: u64) -> bool {
        if self.places.back() == Some(&place) {
            return false;
        }
        let known = self.places.iter().position(|it| *it == place);
        if let Some(at) = known {
            self.places.remove(at);
            self.returns.push_back(now);
        }
        self.places.push_back(place);
        if self.places.len() > PLACES {
            self.places.pop_front();
        }
        while self
            .returns
            .front()
            .is_some_and(|at| now.0.saturating_sub(at.0) > window)
        {
            self.returns.pop_front();
        }
        let many = self.returns.len() >= most;
        if self.returns.len() > most {
            self.returns.pop_front();
        }
        known.is_some() && many
    }
}

impl Detector {
    /// An authentic report that was made at `made` by the receiver's clock, whether it was taken or came too late for that.
    pub fn report(
        &mut self,
        id: ReceiverId,
        serial: Serial,
        made: UnixMicros,
        now: UnixMicros,
    ) -> Option<(ReceiverId, Sign)> {
        let traces = self.traces.entry(id).or_default();
        // What is not newer may have been kept back by whoever carries it, and proves nothing.
        if made <= traces.made {
            return None;
        }
        traces.made = made;
        if traces.boots.back() == Some(&serial.boot) {
            return None;
        }
        let known = traces.boots.iter().position(|boot| *boot == serial.boot);
        if let Some(at) = known {
            traces.boots.remove(at);
        }
        traces.boots.push_back(serial.boot);
        if traces.boots.len() > BOOTS {
            traces.boots.pop_front();
        }
        known?;
        traces.tell(id, Sign::Boots, now)
    }

    /// An authentic, fresh hello that came by UDP from another address than the one before.
    pub fn hello(&mut self, id: ReceiverId, from: SocketAddr, now: UnixMicros) -> Option<(ReceiverId, Sign)> {
        let traces = self.traces.entry(id).or_default();
        let back = traces.hellos.seen(from, now, HELLO_RETURNS, HELLO_WINDOW);
        back.then(|| traces.tell(id, Sign::Hellos, now)).flatten()
    }

    /// An MQTT session from `from` has taken the place of one that had not ended.
    pub fn session(
        &mut self,
        id: ReceiverId,
        before: IpAddr,
        from: IpAddr,
        now: UnixMicros,
    ) -> Option<(ReceiverId, Sign)> {
        let traces = self.traces.entry(id).or_default();
        let mut seen = |place| traces.sessions.seen(place, now, SESSION_RETURNS, SESSION_WINDOW);
        let back = [seen(before), seen(from)].contains(&true);
        back.then(|| traces.tell(id, Sign::Sessions, now)).flatten()
    }

    /// It has a new secret: what came before is another device's.
    pub fn forget(&mut self, id: ReceiverId) {
        self.traces.remove(&id);
    }
}

impl Traces {
    fn tell(&mut self, id: ReceiverId, sign: Sign, now: UnixMicros) -> Option<(ReceiverId, Sign)> {
        let told = self.told.get(&sign);
        if told.is_some_and(|at| now.0.saturating_sub(at.0) < SILENCE) {
            return None;
        }
        self.told.insert(sign, now);
        Some((id, sign))
    }
}

/// A detector that broker, media socket and mailbox share; alarms go to the other end.
#[derive(Debug, Clone)]
pub struct Watch {
    detector: Arc<Mutex<Detector>>,
    alarms: mpsc::UnboundedSender<(ReceiverId, Sign)>,
}

impl Watch {
    /// A detector that has seen nothing, and its alarms.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<(ReceiverId, Sign)>) {
        let (alarms, heard) = mpsc::unbounded_channel();
        let detector = Arc::default();
        (Self { detector, alarms }, heard)
    }

    /// Asks the detector, and passes its alarm on. The detector tells the same at most once an hour.
    pub fn look(&self, ask: impl FnOnce(&mut Detector) -> Option<(ReceiverId, Sign)>) {
        // It is whole between any two calls.
        let alarm = ask(&mut self.detector.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(alarm) = alarm {
            // Whoever listens ends only with the server.
            let _ = self.alarms.send(alarm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ME: ReceiverId = ReceiverId([1; 16]);
    const S: u64 = 1_000_000;
    const T0: u64 = 1_800_000_000 * S;

    fn at(seconds: u64) -> UnixMicros {
        UnixMicros(T0 + seconds * S)
    }

    fn udp(n: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], n))
    }

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn serial(boot: u64, number: u64) -> Serial {
        Serial {
            boot: T0 + boot * S,
            number,
        }
    }

    #[test]
    fn two_that_report_in_turn_are_noticed_at_the_third_report() {
        let mut detector = Detector::default();
        assert_eq!(detector.report(ME, serial(0, 1), at(10), at(10)), None);
        assert_eq!(detector.report(ME, serial(5, 1), at(11), at(11)), None);
        let noticed = detector.report(ME, serial(0, 2), at(40), at(40));
        assert_eq!(noticed, Some((ME, Sign::Boots)));
        // Told once an hour.
        assert_eq!(detector.report(ME, serial(5, 2), at(41), at(41)), None);
        let again = detector.report(ME, serial(0, 3), at(4000), at(4000));
        assert_eq!(again, Some((ME, Sign::Boots)));
        detector.forget(ME);
        assert_eq!(detector.report(ME, serial(0, 9), at(4100), at(4100)), None);
    }

    #[test]
    fn reports_that_were_kept_back_prove_nothing() {
        let mut detector = Detector::default();
        for (boot, made) in [(0, 10), (0, 90), (100, 110), (0, 95), (100, 111), (0, 90)] {
            assert_eq!(detector.report(ME, serial(boot, made), at(made), at(500)), None);
        }
    }

    #[test]
    fn two_that_say_hello_in_turn_are_noticed_within_a_minute() {
        let mut detector = Detector::default();
        let noticed = (0..24).find(|n| detector.hello(ME, udp(n % 2), at(u64::from(*n) * 5 / 2)).is_some());
        assert!(noticed.is_some_and(|n| n <= 8), "{noticed:?}");
    }

    #[test]
    fn two_that_take_each_others_session_are_noticed() {
        let mut detector = Detector::default();
        let take = |detector: &mut Detector, n: u64| {
            let (before, from) = if n.is_multiple_of(2) {
                (ip(1), ip(2))
            } else {
                (ip(2), ip(1))
            };
            detector.session(ME, before, from, at(n * 10))
        };
        let noticed = (0..20).find(|n| take(&mut detector, *n).is_some());
        assert!(noticed.is_some_and(|n| n <= 5), "{noticed:?}");
    }

    /// What happens to one device, some seconds after what happened before.
    #[derive(Debug, Clone, Copy)]
    enum Life {
        Report,
        Reboot,
        NatMoves,
        /// UDP is shut for a while: hellos go by MQTT, and come back from the same address or a new one.
        OverMqtt {
            same: bool,
        },
        /// Its session broke without the broker noticing, and it comes again.
        SessionBreaks,
    }

    fn life() -> impl Strategy<Value = (Life, u64)> {
        let what = prop_oneof![
            Just(Life::Report),
            Just(Life::Reboot),
            Just(Life::NatMoves),
            Just(Life::OverMqtt { same: true }),
            Just(Life::OverMqtt { same: false }),
            Just(Life::SessionBreaks),
        ];
        (what, 1u64..120)
    }

    proptest! {
        /// However often it reboots, is moved by its NAT, goes over to MQTT or loses its session: one device is one.
        #[test]
        fn one_device_is_never_taken_for_two(lives in proptest::collection::vec(life(), 1..200)) {
            let mut detector = Detector::default();
            let (mut now, mut boot, mut number, mut port, mut net) = (100, 0, 0, 1u16, 1u8);
            for (life, after) in lives {
                now += after;
                let alarm = match life {
                    Life::Report => None,
                    Life::Reboot => {
                        (boot, number) = (now, 0);
                        None
                    }
                    Life::NatMoves => {
                        // An address that it had before comes back only by chance, after all others.
                        (port, net) = (port + 1, net.wrapping_add(1));
                        detector.session(ME, ip(net.wrapping_sub(1)), ip(net), at(now))
                    }
                    Life::OverMqtt { same } => {
                        now += 30;
                        port += u16::from(!same);
                        None
                    }
                    Life::SessionBreaks => detector.session(ME, ip(net), ip(net), at(now)),
                };
                prop_assert_eq!(alarm, None);
                number += 1;
                prop_assert_eq!(detector.hello(ME, udp(port), at(now)), None);
                prop_assert_eq!(detector.report(ME, serial(boot, number), at(now), at(now)), None);
            }
        }

        /// Two devices that both live, whatever their rhythm, are noticed by their reports.
        #[test]
        fn two_devices_are_noticed(gaps in proptest::collection::vec((any::<bool>(), 1u64..60), 20..60)) {
            let mut detector = Detector::default();
            let (mut now, mut told, mut turns, mut last) = (100, false, 0, None);
            for (n, (second, gap)) in gaps.into_iter().enumerate() {
                now += gap;
                turns += usize::from(last.is_some_and(|it| it != second));
                last = Some(second);
                told |= detector.report(ME, serial(u64::from(second), n as u64), at(now), at(now)).is_some();
            }
            prop_assert_eq!(told, turns >= 2);
        }
    }
}
