//! How a server's signing key is followed by another: each says which one comes after it, in a `COSE_Sign1`. Without
//! expiry: a receiver that was away for a year walks from the key it knows to the newest, obeys that one only, and the private key
//! of each one before can be destroyed as soon as it has signed its successor.

use crate::cbor::{self, Field};
use crate::enrolment::verifying_key;
use crate::{Error, Signature, Signer, VerifyingKey, cose};

const CONTEXT: &[u8] = b"loa/1 succession";
const LENGTH: usize = 48;

/// Number of a server's first signing key.
pub const FIRST: u32 = 1;

/// A signing key that is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// Which of the server's keys it is, from [`FIRST`] on. \[1\]
    pub number: u32,
    /// The key. \[2\]
    pub key: VerifyingKey,
}

impl Trust {
    /// Writes that `self` follows the key of `predecessor` into `out`; returns its length. CBOR keys in brackets.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`], or [`Error::OutOfRange`] for what no receiver would take.
    pub fn seal(&self, predecessor: &(impl Signer<Signature> + ?Sized), out: &mut [u8]) -> Result<usize, Error> {
        self.check()?;
        let mut payload = [0; LENGTH];
        let length = cbor::encode(&mut payload, |e| {
            e.map(2)?.u8(1)?.u32(self.number)?.u8(2)?.bytes(self.key.as_bytes())?;
            Ok(())
        })?;
        cose::sign1(predecessor, CONTEXT, &payload[..length], out)
    }

    /// One step: the key that this one says comes after it.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] if this one does not say so, [`Error::OutOfRange`] for another number than the next and for a key
    /// of small order, otherwise what is wrong with the message.
    pub fn next(&self, message: &[u8]) -> Result<Self, Error> {
        let (mut number, mut key) = (None, None);
        cbor::decode(cose::verify1(&self.key, CONTEXT, message)?, |field, d| {
            match field {
                1 => number = Some(d.u32()?),
                2 => key = Some(verifying_key(d)?),
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        let next = Self {
            number: number.ok_or(Error::Missing("number"))?,
            key: key.ok_or(Error::Missing("server key"))?,
        };
        next.check()?;
        match self.number.checked_add(1) == Some(next.number) {
            true => Ok(next),
            false => Err(Error::OutOfRange("number")),
        }
    }

    /// As many steps as `messages` give, in order; those that do not fit are passed over.
    #[must_use]
    pub fn walk<'m>(self, messages: impl IntoIterator<Item = &'m [u8]>) -> Self {
        let step = |trust: Self, message| trust.next(message).unwrap_or(trust);
        messages.into_iter().fold(self, step)
    }

    /// A key of small order would never verify anything: whoever trusted it would be lost.
    fn check(&self) -> Result<(), Error> {
        match (self.number > FIRST, self.key.is_weak()) {
            (false, _) => Err(Error::OutOfRange("number")),
            (_, true) => Err(Error::OutOfRange("server key")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAX_MESSAGE, SigningKey};

    fn key(n: u32) -> SigningKey {
        SigningKey::from_bytes(&[n as u8; 32])
    }

    fn trust(n: u32) -> Trust {
        Trust {
            number: n,
            key: key(n).verifying_key(),
        }
    }

    fn step(n: u32) -> std::vec::Vec<u8> {
        let mut out = [0; MAX_MESSAGE];
        let length = trust(n).seal(&key(n - 1), &mut out).unwrap();
        out[..length].to_vec()
    }

    #[test]
    fn a_chain_is_walked_to_its_end_and_never_back() {
        let steps: std::vec::Vec<_> = (2..=9).map(step).collect();
        let all = || steps.iter().map(std::vec::Vec::as_slice);
        assert_eq!(trust(1).walk(all()), trust(9));
        // From the middle on, again and again: what was walked is passed over.
        assert_eq!(trust(4).walk(all().chain(all())), trust(9));
        assert_eq!(trust(9).walk(all()), trust(9));
        // A step is missing: up to there.
        assert_eq!(trust(1).walk(all().filter(|step| *step != steps[3])), trust(4));
        assert_eq!(trust(2).next(&steps[0]), Err(Error::Unauthentic));
    }

    #[test]
    fn numbers_and_keys_that_lead_nowhere_are_refused() {
        let mut out = [0; MAX_MESSAGE];
        let leap = Trust { number: 5, ..trust(2) };
        let length = leap.seal(&key(1), &mut out).unwrap();
        assert_eq!(trust(1).next(&out[..length]), Err(Error::OutOfRange("number")));
        let mut one = [0; 32];
        one[0] = 1;
        let weak = Trust {
            number: 2,
            key: VerifyingKey::from_bytes(&one).unwrap(),
        };
        assert_eq!(weak.seal(&key(1), &mut out), Err(Error::OutOfRange("server key")));
        assert_eq!(
            Trust { number: 1, ..trust(2) }.seal(&key(1), &mut out),
            Err(Error::OutOfRange("number"))
        );
        let last = Trust {
            number: u32::MAX,
            ..trust(1)
        };
        assert_eq!(last.next(&step(2)), Err(Error::OutOfRange("number")));
    }
}
