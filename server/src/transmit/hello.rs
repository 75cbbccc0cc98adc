//! Hellos on the media socket. Here: the thread that reads it, who is believed, and what is answered. Not here: the words
//! (`loa_protocol::hello`), the table (`peer`), the file (`bindings`).
//!
//! Whoever cannot prove that it is a receiver gets no answer, and an answer is never longer than its question: the
//! socket is of no use to someone who wants to flood a third party.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loa_protocol::hello::{ANSWER, Answer, HELLO, Hello};
use loa_protocol::{ReceiverId, UnixMicros};

use super::LISTEN;
use super::bindings::Bindings;
use super::counters::Counters;
use super::peer::{Path, Peers};
use crate::fleet::clones::Watch;

/// Answers hellos.
pub(super) struct Responder {
    peers: Arc<Peers>,
    counters: Arc<Counters>,
    watch: Watch,
}

/// A hello that was believed, to be answered.
pub(super) struct Reply {
    /// The key that the hello was made with.
    key: [u8; 32],
    t1: UnixMicros,
    t2: UnixMicros,
}

impl Reply {
    /// The datagram that answers, leaving at `t3`.
    pub(super) fn seal(&self, t3: UnixMicros) -> [u8; ANSWER] {
        let (t1, t2) = (self.t1, self.t2);
        Answer { t1, t2, t3 }.seal(&self.key)
    }
}

impl Responder {
    pub(super) fn new(peers: Arc<Peers>, counters: Arc<Counters>, watch: Watch) -> Self {
        Self { peers, counters, watch }
    }

    /// Reads `socket`, whose reads time out, until `ending` turns true.
    pub(super) fn run(
        &self,
        socket: &UdpSocket,
        mut bindings: Bindings,
        clock: fn() -> UnixMicros,
        ending: &AtomicBool,
    ) {
        // One byte more than a hello: what is longer is seen to be none.
        let mut datagram = [0; HELLO + 1];
        while !ending.load(Ordering::Relaxed) {
            match socket.recv_from(&mut datagram) {
                Ok((length, from)) => {
                    let reply = self.take(&datagram[..length], Path::Udp(from), None, clock());
                    if let Some(reply) = reply
                        && socket.send_to(&reply.seal(clock()), from).is_err()
                    {
                        self.counters.send_errors.add(1);
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "the media socket cannot be read");
                    // It may pass; reading on at once would spin.
                    std::thread::sleep(LISTEN);
                }
            }
            bindings.keep(&self.peers, clock());
        }
    }

    /// Takes a datagram that came in over `path` at `now`; `only` is the receiver that the path belongs to, where that is
    /// known. `None`: it gets no answer.
    pub(super) fn take(&self, datagram: &[u8], path: Path, only: Option<ReceiverId>, now: UnixMicros) -> Option<Reply> {
        let Some(claimed) = Hello::claimed(datagram) else {
            self.counters.not_hello.add(1);
            return None;
        };
        if only.is_some_and(|only| only != claimed) {
            self.counters.forged.add(1);
            return None;
        }
        let Some(peer) = self.peers.get(claimed) else {
            match self.peers.is_revoked(claimed) {
                true => &self.counters.revoked,
                false => &self.counters.unknown,
            }
            .add(1);
            return None;
        };
        let opened = |key: [u8; 32]| Some((Hello::open(&key, datagram).ok()?, key));
        let Some((hello, key)) = peer.hello_keys().find_map(opened) else {
            self.counters.forged.add(1);
            return None;
        };
        self.counters.hellos.add(1);
        // A probe asks whether this way is open while sound goes another: it moves nothing on purpose.
        if !hello.probe {
            let bound = hello.clock_set.then(|| self.peers.bind(&peer, hello.t1, path, now));
            match (bound.flatten(), path) {
                (None, _) => self.counters.unbound.add(1),
                (Some(true), Path::Udp(from)) => self.watch.look(|clones| clones.hello(claimed, from, now)),
                (Some(_), _) => {}
            }
        }
        Some(Reply {
            key,
            t1: hello.t1,
            t2: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loa_protocol::key::Secret;
    use std::net::SocketAddr;

    const ME: ReceiverId = ReceiverId([7; 16]);
    const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);

    fn home() -> Path {
        Path::Udp("192.0.2.1:40000".parse().unwrap())
    }

    fn elsewhere() -> Path {
        Path::Udp("198.51.100.9:1024".parse().unwrap())
    }

    fn secret() -> Secret {
        Secret([3; 32])
    }

    fn responder() -> Responder {
        let peers = Arc::new(Peers::default());
        peers.replace([(ME, secret())]);
        Responder::new(peers, Arc::default(), Watch::new().0)
    }

    fn hello(t1: i64) -> Hello {
        Hello {
            receiver: ME,
            t1: NOW.offset(t1),
            clock_set: true,
            probe: false,
        }
    }

    fn sealed(hello: Hello) -> [u8; HELLO] {
        hello.seal(&secret().hello_key())
    }

    impl Responder {
        fn path(&self, now: UnixMicros) -> Option<Path> {
            self.peers.get(ME).unwrap().path(now)
        }
    }

    #[test]
    fn a_hello_binds_and_is_answered_with_the_four_times() {
        let responder = responder();
        let reply = responder.take(&sealed(hello(-30)), home(), None, NOW).unwrap();
        let answer = Answer::open(&secret().hello_key(), &reply.seal(NOW.offset(5))).unwrap();
        assert_eq!(
            answer,
            Answer {
                t1: NOW.offset(-30),
                t2: NOW,
                t3: NOW.offset(5)
            }
        );
        assert_eq!(responder.path(NOW), Some(home()));
        assert_eq!(
            (responder.counters.hellos.get(), responder.counters.unbound.get()),
            (1, 0)
        );
    }

    #[test]
    fn a_receiver_whose_nat_moved_is_followed() {
        let responder = responder();
        for (t1, path) in [
            (0, home()),
            (5_000_000, elsewhere()),
            (10_000_000, Path::Mqtt),
            (15_000_000, home()),
        ] {
            assert!(responder.take(&sealed(hello(t1)), path, None, NOW.offset(t1)).is_some());
            assert_eq!(responder.path(NOW.offset(t1)), Some(path));
        }
    }

    #[test]
    fn a_replay_is_answered_but_moves_nothing() {
        let responder = responder();
        let first = sealed(hello(0));
        assert!(responder.take(&first, home(), None, NOW).is_some());
        assert!(responder.take(&first, elsewhere(), None, NOW).is_some());
        assert_eq!(responder.path(NOW), Some(home()));
        assert_eq!(
            (responder.counters.hellos.get(), responder.counters.unbound.get()),
            (2, 1)
        );
    }

    #[test]
    fn without_a_clock_there_is_an_answer_but_no_binding() {
        let responder = responder();
        let unset = Hello {
            t1: UnixMicros(17),
            clock_set: false,
            ..hello(0)
        };
        assert!(responder.take(&sealed(unset), home(), None, NOW).is_some());
        assert_eq!((responder.path(NOW), responder.counters.unbound.get()), (None, 1));
        // It has not used up the times before the present one either.
        assert!(responder.take(&sealed(hello(0)), home(), None, NOW).is_some());
        assert_eq!(responder.path(NOW), Some(home()));
    }

    #[test]
    fn a_probe_is_answered_but_sound_stays_where_it_is() {
        let responder = responder();
        responder.take(&sealed(hello(0)), Path::Mqtt, None, NOW);
        let probe = Hello {
            probe: true,
            ..hello(1)
        };
        assert!(responder.take(&sealed(probe), home(), None, NOW).is_some());
        assert_eq!(
            (responder.path(NOW), responder.counters.unbound.get()),
            (Some(Path::Mqtt), 0)
        );
    }

    #[test]
    fn a_time_to_come_binds_nothing_and_locks_nobody_out() {
        let responder = responder();
        responder.take(&sealed(hello(3_600_000_000)), home(), None, NOW);
        assert_eq!((responder.path(NOW), responder.counters.unbound.get()), (None, 1));
        // The server's own clock was an hour ahead, and is put right: receivers follow it, and are heard.
        let ahead = NOW.offset(3_600_000_000);
        responder.take(&sealed(hello(3_600_000_000)), home(), None, ahead);
        assert_eq!(responder.path(ahead), Some(home()));
        responder.take(&sealed(hello(0)), elsewhere(), None, NOW);
        assert_eq!(responder.path(NOW), Some(elsewhere()));
    }

    #[test]
    fn who_proves_nothing_gets_no_answer() {
        let responder = responder();
        let mut forged = sealed(hello(0));
        forged[51] ^= 1;
        let stranger = Hello {
            receiver: ReceiverId([8; 16]),
            ..hello(0)
        }
        .seal(&[0; 32]);
        let answer = Answer {
            t1: NOW,
            t2: NOW,
            t3: NOW,
        }
        .seal(&secret().hello_key());
        let mut long = sealed(hello(0)).to_vec();
        long.push(0);
        for datagram in [&forged[..], &stranger, &answer, &long, b"", b"\x80garbage"] {
            assert!(responder.take(datagram, home(), None, NOW).is_none());
        }
        // Another receiver's tunnel does not do.
        assert!(
            responder
                .take(&sealed(hello(0)), Path::Mqtt, Some(ReceiverId([9; 16])), NOW)
                .is_none()
        );
        let counters = &responder.counters;
        assert_eq!(
            (counters.forged.get(), counters.unknown.get(), counters.not_hello.get()),
            (2, 1, 4)
        );
        assert_eq!((responder.path(NOW), counters.hellos.get()), (None, 0));
    }

    /// Whatever comes, in whatever length: what is not an authentic hello gets nothing, and an authentic one less than it brought.
    #[test]
    fn no_answer_is_longer_than_its_question() {
        const { assert!(ANSWER <= HELLO) }
        let responder = responder();
        let whole = sealed(hello(0));
        let mut tried = 0;
        let mut refused = |datagram: &[u8]| {
            tried += 1;
            assert!(responder.take(datagram, home(), None, NOW).is_none(), "{datagram:02x?}");
        };
        // Every length, as zeros, as ones, and as the beginning of a hello, followed by more of it.
        for length in (0..=1500).filter(|length| *length != HELLO) {
            refused(&vec![0; length]);
            refused(&vec![0xFF; length]);
            let repeated: Vec<u8> = whole.iter().copied().cycle().take(length).collect();
            refused(&repeated);
        }
        // Every single bit of an authentic one.
        for bit in 0..8 * HELLO {
            let mut bent = whole;
            bent[bit / 8] ^= 1 << (bit % 8);
            // These eight bytes are room that is not looked at, but authenticated like the rest.
            refused(&bent);
        }
        // Every first byte with every kind and flag.
        for first in 0..=u8::MAX {
            for kind in 0..=u8::MAX {
                let mut other = whole;
                (other[0], other[2]) = (first, kind);
                if other != whole {
                    refused(&other);
                }
            }
        }
        let counters = &responder.counters;
        let counted = counters.not_hello.get() + counters.forged.get() + counters.unknown.get();
        assert_eq!((counted, counters.hellos.get()), (tried, 0));
        let reply = responder.take(&whole, home(), None, NOW).unwrap();
        assert!(reply.seal(NOW).len() <= whole.len());
    }

    #[test]
    fn under_a_new_secret_it_is_answered_under_the_one_that_it_used() {
        let responder = responder();
        let mut identity = crate::enrol::Identity::from((ME, secret()));
        let next = Secret([4; 32]);
        identity.next = Some(next.clone());
        responder.peers.put(identity);
        for key in [secret().hello_key(), next.hello_key()] {
            let reply = responder.take(&hello(0).seal(&key), home(), None, NOW).unwrap();
            assert!(Answer::open(&key, &reply.seal(NOW)).is_ok());
        }
    }

    #[test]
    fn one_that_was_revoked_is_not_answered_and_counted() {
        let responder = responder();
        responder.peers.replace([(ReceiverId([9; 16]), secret())]);
        responder.peers.revoke([ME]);
        assert!(responder.take(&sealed(hello(0)), home(), None, NOW).is_none());
        assert_eq!(
            (responder.counters.revoked.get(), responder.counters.unknown.get()),
            (1, 0)
        );
    }

    /// The thread itself, on a socket: what is answered comes back to where it came from, the rest does not.
    #[test]
    fn over_a_socket() {
        let clock = || NOW;
        let folder = tempfile::tempdir().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let file = folder.path().join("bindings");
        let transmitter =
            super::super::Transmitter::start(listen, file.clone(), Box::new(|_, _| {}), Watch::new().0, clock).unwrap();
        transmitter.peers().replace([(ME, secret())]);
        let socket = UdpSocket::bind(listen).unwrap();
        socket.connect(transmitter.address()).unwrap();
        socket
            .set_read_timeout(Some(std::time::Duration::from_secs(5)))
            .unwrap();
        let mut forged = sealed(hello(0));
        forged[20] ^= 1;
        for datagram in [&forged[..], &[0; 1500], &sealed(hello(-1))] {
            socket.send(datagram).unwrap();
        }
        let mut buffer = [0; 1500];
        let length = socket.recv(&mut buffer).unwrap();
        let answer = Answer::open(&secret().hello_key(), &buffer[..length]).unwrap();
        assert_eq!(
            answer,
            Answer {
                t1: NOW.offset(-1),
                t2: NOW,
                t3: NOW
            }
        );
        let counters = transmitter.counters().clone();
        assert_eq!(
            (counters.forged.get(), counters.not_hello.get(), counters.hellos.get()),
            (1, 1, 1)
        );
        drop(transmitter);
        // Kept for the next server.
        assert!(
            std::fs::read_to_string(file)
                .unwrap()
                .contains(&socket.local_addr().unwrap().to_string())
        );
    }
}
