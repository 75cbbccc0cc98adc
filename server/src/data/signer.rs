//! The key that commands to receivers are signed with, wherever it lies. Here: the trait, the key in a file, and the ring of
//! all keys that follow each other. Not here: a key in a token (`token`), the messages (`loa_protocol::succession`), the rows
//! (`store::keys`).
//!
//! Only the newest key signs. Those before are needed no more once they have vouched for their successor; what they said is
//! kept for ever, so that a receiver that was away walks from the key that it trusts to the newest.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use loa_protocol::succession::{FIRST, Trust};
use loa_protocol::{MAX_MESSAGE, Signature, SignatureError, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::keys::{destroy, kept, read};
use super::token::Token;

/// Something that signs as the server.
pub trait Signer: loa_protocol::Signer<Signature> + Send + Sync {
    /// What its signatures are verified with.
    fn verifying_key(&self) -> VerifyingKey;
}

impl Signer for SigningKey {
    fn verifying_key(&self) -> VerifyingKey {
        SigningKey::verifying_key(self)
    }
}

/// Why a signing key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Its file.
    #[error("the signing key: {0}")]
    File(#[from] io::Error),
    /// The token that it lies in.
    #[error("the PKCS#11 token: {0}")]
    Token(String),
    /// It is gone: no receiver would obey another in its place.
    #[error(
        "the signing key number {0} is not where it should be: restore it from a backup (receivers obey no other key that it has not vouched for)"
    )]
    Missing(u32),
    /// It is there, but another than the one that receivers were told.
    #[error("the signing key number {0} is another than the one that receivers trust: restore it from a backup")]
    Other(u32),
    /// It did not sign.
    #[error("the signing key number {0} did not vouch for its successor")]
    Unsigned(u32),
}

/// A key as it is written down for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// The key and its number.
    pub trust: Trust,
    /// The succession message of the one before; none for the first.
    pub step: Option<Vec<u8>>,
}

/// Where signing keys lie.
#[derive(Debug, Clone)]
pub enum KeyPlace {
    /// Files that only the server can read, in this folder.
    Folder(PathBuf),
    /// A PKCS#11 token.
    Token(Arc<Token>),
    /// Memory: no key is to follow.
    Nowhere,
}

impl KeyPlace {
    /// The key of that number, if it is there.
    fn find(&self, number: u32) -> Result<Option<Arc<dyn Signer>>, KeyError> {
        match self {
            Self::Folder(_) => {
                let path = self.file(number);
                match path.exists() {
                    true => Ok(Some(Arc::new(SigningKey::from_bytes(&Zeroizing::new(read(&path)?))))),
                    false => Ok(None),
                }
            }
            Self::Token(token) => Ok(token.find(number)?.map(|key| Arc::new(key) as Arc<dyn Signer>)),
            Self::Nowhere => Ok(None),
        }
    }

    /// The key of that number, made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn make(&self, number: u32) -> Result<Arc<dyn Signer>, KeyError> {
        if let Some(found) = self.find(number)? {
            return Ok(found);
        }
        Ok(match self {
            Self::Folder(_) => {
                let seed = Zeroizing::new(kept(&self.file(number))?);
                Arc::new(SigningKey::from_bytes(&seed))
            }
            Self::Token(token) => Arc::new(token.make(number)?),
            Self::Nowhere => return Err(KeyError::Missing(number)),
        })
    }

    /// Destroys the private key of that number; `false` if there was none.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn destroy(&self, number: u32) -> Result<bool, KeyError> {
        Ok(match self {
            Self::Folder(_) => destroy(&self.file(number))?,
            Self::Token(token) => token.destroy(number)?,
            Self::Nowhere => false,
        })
    }

    fn file(&self, number: u32) -> PathBuf {
        let Self::Folder(folder) = self else {
            return PathBuf::new();
        };
        match number {
            FIRST => folder.join("signing.key"),
            number => folder.join(format!("signing-{number}.key")),
        }
    }
}

/// All signing keys of a server, the newest of which signs.
pub struct Keyring {
    place: KeyPlace,
    chain: ArcSwap<Chain>,
}

struct Chain {
    signer: Arc<dyn Signer>,
    trust: Trust,
    steps: Vec<Vec<u8>>,
}

impl Keyring {
    /// The ring of the keys in `known`, the first one first, of which there must be one.
    ///
    /// # Errors
    /// When the newest of them cannot be used.
    pub fn open(place: KeyPlace, known: &[KnownKey]) -> Result<Self, KeyError> {
        let chain = ArcSwap::from_pointee(chain(&place, known)?);
        Ok(Self { place, chain })
    }

    /// The ring of one key, which lies nowhere.
    pub fn of_key(key: SigningKey) -> Self {
        let trust = Trust {
            number: FIRST,
            key: Signer::verifying_key(&key),
        };
        let chain = Chain {
            signer: Arc::new(key),
            trust,
            steps: Vec::new(),
        };
        Self {
            place: KeyPlace::Nowhere,
            chain: ArcSwap::from_pointee(chain),
        }
    }

    /// Takes up keys that were added to `known`; `true` if the newest is another now.
    ///
    /// # Errors
    /// When it cannot be used: the one before goes on signing.
    pub fn follow(&self, known: &[KnownKey]) -> Result<bool, KeyError> {
        let newer = known.last().is_some_and(|last| last.trust.number > self.trust().number);
        if newer {
            self.chain.store(Arc::new(chain(&self.place, known)?));
        }
        Ok(newer)
    }

    /// The newest key.
    pub fn signer(&self) -> Arc<dyn Signer> {
        self.chain.load().signer.clone()
    }

    /// The newest key's number, and what its signatures are verified with.
    pub fn trust(&self) -> Trust {
        self.chain.load().trust
    }

    /// The succession messages that lead from the key `number` to the newest, in order.
    pub fn steps_from(&self, number: u32) -> Vec<Vec<u8>> {
        let chain = self.chain.load();
        let from = number.max(FIRST) - FIRST;
        chain.steps.get(from as usize..).unwrap_or_default().to_vec()
    }

    /// The key after the newest, vouched for by it. Nobody is told; it counts once it is in the database.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn succeed(&self) -> Result<KnownKey, KeyError> {
        let (signer, trust) = (self.signer(), self.trust());
        let next = self.place.make(trust.number + 1)?;
        let next = Trust {
            number: trust.number + 1,
            key: next.verifying_key(),
        };
        let mut step = [0; MAX_MESSAGE];
        let length = next
            .seal(&*signer, &mut step)
            .map_err(|_| KeyError::Unsigned(trust.number))?;
        let step = step[..length].to_vec();
        // What does not lead there would lead every receiver astray.
        if trust.next(&step) != Ok(next) {
            return Err(KeyError::Unsigned(trust.number));
        }
        Ok(KnownKey {
            trust: next,
            step: Some(step),
        })
    }

    /// Where its keys lie.
    pub fn place(&self) -> &KeyPlace {
        &self.place
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({})", self.trust().number)
    }
}

fn chain(place: &KeyPlace, known: &[KnownKey]) -> Result<Chain, KeyError> {
    let newest = known.last().ok_or(KeyError::Missing(FIRST))?.trust;
    let signer = place.find(newest.number)?.ok_or(KeyError::Missing(newest.number))?;
    if signer.verifying_key() != newest.key {
        return Err(KeyError::Other(newest.number));
    }
    Ok(Chain {
        signer,
        trust: newest,
        steps: known.iter().filter_map(|key| key.step.clone()).collect(),
    })
}

/// What the protocol's crate makes of a key that did not sign.
pub(super) fn refused() -> SignatureError {
    SignatureError::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(place: &KeyPlace) -> Vec<KnownKey> {
        let trust = Trust {
            number: FIRST,
            key: place.make(FIRST).unwrap().verifying_key(),
        };
        vec![KnownKey { trust, step: None }]
    }

    #[test]
    fn one_that_was_away_walks_to_the_newest_key_after_the_old_ones_are_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        let place = KeyPlace::Folder(folder.path().into());
        let mut known = first(&place);
        let ring = Keyring::open(place.clone(), &known).unwrap();
        let away = ring.trust();
        for number in 2..=4 {
            // Twice: the second finds the key of a first that was broken off.
            let next = ring.succeed().unwrap();
            assert_eq!(ring.succeed().unwrap().trust, next.trust);
            known.push(next);
            assert!(ring.follow(&known).unwrap() && !ring.follow(&known).unwrap());
            assert_eq!(ring.trust().number, number);
            assert!(place.destroy(number - 1).unwrap() && !place.destroy(number - 1).unwrap());
        }
        let reopened = Keyring::open(place.clone(), &known).unwrap();
        let walk = |steps: &[Vec<u8>], from: Trust| from.walk(steps.iter().map(Vec::as_slice));
        assert_eq!(walk(&reopened.steps_from(FIRST), away), reopened.trust());
        assert_eq!(reopened.steps_from(3).len(), 1);
        assert!(reopened.steps_from(4).is_empty() && reopened.steps_from(9).is_empty());
        assert_eq!(reopened.steps_from(0).len(), 3);
    }

    #[test]
    fn a_key_that_is_lost_or_another_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = KeyPlace::Folder(folder.path().into());
        let known = first(&place);
        place.destroy(FIRST).unwrap();
        assert!(matches!(
            Keyring::open(place.clone(), &known),
            Err(KeyError::Missing(FIRST))
        ));
        place.make(FIRST).unwrap();
        assert!(matches!(Keyring::open(place, &known), Err(KeyError::Other(FIRST))));
    }
}
