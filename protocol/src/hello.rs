//! Hello: one small datagram from a receiver's media socket to the server's, and its answer. It keeps the way through the
//! receiver's NAT open and known, measures the round trip, and carries the four time stamps of NTP (RFC 5905 §8).
//!
//! Fixed fields, big-endian, HMAC-SHA-256 under [`Secret::hello_key`] cut to 16 bytes over everything before it. An answer
//! is shorter than its hello, and whoever does not know the key gets none.
//!
//! | bytes | hello | answer |
//! | --- | --- | --- |
//! | 0 | `L` (RFC 7983: neither RTP nor STUN nor DTLS) | `L` |
//! | 1 | version 1 | version 1 |
//! | 2 | 1 | 2 |
//! | 3 | flags: 1 clock set, 2 probe | 0 |
//! | 4–19 | receiver | 4–11 `t1` again, 12–19 `t2` received |
//! | 20–27 | `t1` sent, by the receiver's clock | `t3` sent, by the server's clock |
//! | 28–35 | reserved, zero | MAC (28–43) |
//! | 36–51 | MAC | |
//!
//! [`Secret::hello_key`]: crate::key::Secret::hello_key

use crate::{Error, ReceiverId, UnixMicros};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Length of a hello, in bytes.
pub const HELLO: usize = 52;
/// Length of an answer, in bytes.
pub const ANSWER: usize = 44;

const MAC: usize = 16;
const MARK: u8 = b'L';
const VERSION: u8 = 1;
const KIND_HELLO: u8 = 1;
const KIND_ANSWER: u8 = 2;
const CLOCK_SET: u8 = 1;
const PROBE: u8 = 2;

/// What a receiver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// Who it is.
    pub receiver: ReceiverId,
    /// When it was sent, by the receiver's clock.
    pub t1: UnixMicros,
    /// The receiver's clock is set: `t1` rises from hello to hello, also across boots, so that a replay is noticed.
    pub clock_set: bool,
    /// Answer, but go on sending where you send.
    pub probe: bool,
}

/// What the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// `t1` of the hello.
    pub t1: UnixMicros,
    /// When the hello came in, by the server's clock.
    pub t2: UnixMicros,
    /// When the answer went out, by the server's clock.
    pub t3: UnixMicros,
}

impl Hello {
    /// The datagram.
    #[must_use]
    pub fn seal(&self, key: &[u8; 32]) -> [u8; HELLO] {
        let mut out = [0; HELLO];
        let flags = if self.clock_set { CLOCK_SET } else { 0 } | if self.probe { PROBE } else { 0 };
        out[..4].copy_from_slice(&[MARK, VERSION, KIND_HELLO, flags]);
        out[4..20].copy_from_slice(&self.receiver.0);
        out[20..28].copy_from_slice(&self.t1.0.to_be_bytes());
        let (body, tag) = out.split_at_mut(HELLO - MAC);
        tag.copy_from_slice(&hmac(key, body).finalize().into_bytes()[..MAC]);
        out
    }

    /// Who says that it is from it: to find the key by. Nothing is proven yet.
    #[must_use]
    pub fn claimed(datagram: &[u8]) -> Option<ReceiverId> {
        let fits = datagram.len() == HELLO && datagram[..3] == [MARK, VERSION, KIND_HELLO];
        fits.then(|| ReceiverId(field(datagram, 4)))
    }

    /// Opens a hello.
    ///
    /// # Errors
    /// [`Error::Malformed`], or [`Error::Unauthentic`] for another key.
    pub fn open(key: &[u8; 32], datagram: &[u8]) -> Result<Self, Error> {
        let receiver = Self::claimed(datagram).ok_or(Error::Malformed("hello"))?;
        verify(key, datagram)?;
        Ok(Self {
            receiver,
            t1: UnixMicros(u64::from_be_bytes(field(datagram, 20))),
            clock_set: datagram[3] & CLOCK_SET != 0,
            probe: datagram[3] & PROBE != 0,
        })
    }
}

impl Answer {
    /// The datagram.
    #[must_use]
    pub fn seal(&self, key: &[u8; 32]) -> [u8; ANSWER] {
        let mut out = [0; ANSWER];
        out[..4].copy_from_slice(&[MARK, VERSION, KIND_ANSWER, 0]);
        for (at, time) in [(4, self.t1), (12, self.t2), (20, self.t3)] {
            out[at..at + 8].copy_from_slice(&time.0.to_be_bytes());
        }
        let (body, tag) = out.split_at_mut(ANSWER - MAC);
        tag.copy_from_slice(&hmac(key, body).finalize().into_bytes()[..MAC]);
        out
    }

    /// Opens an answer; whether it answers the last hello is for the caller to check by `t1`.
    ///
    /// # Errors
    /// [`Error::Malformed`], or [`Error::Unauthentic`] for another key.
    pub fn open(key: &[u8; 32], datagram: &[u8]) -> Result<Self, Error> {
        if datagram.len() != ANSWER || datagram[..3] != [MARK, VERSION, KIND_ANSWER] {
            return Err(Error::Malformed("answer to hello"));
        }
        verify(key, datagram)?;
        let time = |at| UnixMicros(u64::from_be_bytes(field(datagram, at)));
        Ok(Self {
            t1: time(4),
            t2: time(12),
            t3: time(20),
        })
    }
}

fn field<const N: usize>(datagram: &[u8], at: usize) -> [u8; N] {
    datagram[at..at + N].try_into().expect("the length was checked")
}

fn verify(key: &[u8; 32], datagram: &[u8]) -> Result<(), Error> {
    let (body, tag) = datagram.split_at(datagram.len() - MAC);
    hmac(key, body)
        .verify_truncated_left(tag)
        .map_err(|_| Error::Unauthentic)
}

fn hmac(key: &[u8; 32], body: &[u8]) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u8; 32] = [5; 32];

    fn hello() -> Hello {
        Hello {
            receiver: ReceiverId([3; 16]),
            t1: UnixMicros(1_800_000_000_000_001),
            clock_set: true,
            probe: false,
        }
    }

    #[test]
    fn hello_and_answer_read_as_written_and_never_for_each_other() {
        for (clock_set, probe) in [(false, false), (true, false), (true, true)] {
            let hello = Hello {
                clock_set,
                probe,
                ..hello()
            };
            assert_eq!(Hello::open(&KEY, &hello.seal(&KEY)), Ok(hello));
        }
        let answer = Answer {
            t1: UnixMicros(1),
            t2: UnixMicros(2),
            t3: UnixMicros(3),
        };
        assert_eq!(Answer::open(&KEY, &answer.seal(&KEY)), Ok(answer));
        assert!(Hello::open(&KEY, &answer.seal(&KEY)).is_err());
        assert!(Answer::open(&KEY, &hello().seal(&KEY)).is_err());
        const { assert!(ANSWER <= HELLO, "no amplification") }
    }

    #[test]
    fn another_key_is_refused() {
        assert_eq!(Hello::open(&[6; 32], &hello().seal(&KEY)), Err(Error::Unauthentic));
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_noticed(bit in 0..HELLO * 8) {
            let mut datagram = hello().seal(&KEY);
            datagram[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Hello::open(&KEY, &datagram).is_err());
        }

        #[test]
        fn any_bytes_yield_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(Hello::open(&KEY, &bytes).is_err() && Answer::open(&KEY, &bytes).is_err());
            let _ = Hello::claimed(&bytes);
        }
    }
}
