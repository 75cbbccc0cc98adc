//! Any datagram on the media socket, as a fuzzer makes them; see `crate::attempts`.

use std::sync::Arc;

use loa_protocol::hello::{Answer, Hello};
use loa_protocol::key::Secret;
use loa_protocol::{ReceiverId, UnixMicros};

use super::hello::Responder;
use super::peer::{Path, Peers};

const ME: ReceiverId = ReceiverId([7; 16]);
const SECRET: Secret = Secret([3; 32]);
const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);

thread_local! {
    /// A receiver that is known, and its key: made once.
    static KNOWN: (Arc<Peers>, [u8; 32]) = {
        let peers = Arc::new(Peers::default());
        peers.replace([(ME, SECRET)]);
        (peers, SECRET.hello_key())
    };
}

/// Datagrams of a stranger, each with a byte of length before it: none is answered. Then what its first bytes say as a hello of a receiver
/// that is known: it is answered, by no more than was asked, and binds only what is new and not of the future.
pub(crate) fn datagrams(input: &[u8]) {
    KNOWN.with(|(peers, key)| {
        let responder = Responder::new(peers.clone(), Arc::default());
        let home = Path::Udp(([192, 0, 2, 1], 40_000).into());
        let mut rest = input;
        while let Some((length, after)) = rest.split_first() {
            let (datagram, after) = after.split_at(usize::from(*length).min(after.len()));
            rest = after;
            for (path, only) in [
                (home, None),
                (Path::Mqtt, Some(ME)),
                (Path::Mqtt, Some(ReceiverId([8; 16]))),
            ] {
                let answered = responder.take(datagram, path, only, NOW).is_some();
                assert!(
                    !answered || Hello::open(key, datagram).is_ok(),
                    "a stranger was answered"
                );
            }
        }
        let Some((t1, rest)) = input.split_first_chunk() else {
            return;
        };
        let flags = rest.first().copied().unwrap_or_default();
        let hello = Hello {
            receiver: ME,
            t1: UnixMicros(u64::from_be_bytes(*t1)),
            clock_set: flags & 1 != 0,
            probe: flags & 2 != 0,
        };
        let question = hello.seal(key);
        let reply = responder
            .take(&question, home, None, NOW)
            .expect("who proves it is answered");
        let answer = reply.seal(NOW);
        assert!(
            answer.len() <= question.len(),
            "an answer is no longer than its question"
        );
        assert_eq!(Answer::open(key, &answer).map(|answer| answer.t1), Ok(hello.t1));
    });
}
