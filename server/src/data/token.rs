//! Signing keys in a PKCS#11 token (a smart card, a hardware module): the private key never leaves it. Here: finding, making,
//! destroying and using Ed25519 keys (CKM_EDDSA) by their label. Not here: when (`signer`).
//!
//! A key's label is `loa-signing-<number>`. A token that was pulled out and put back is logged into again.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use loa_protocol::{Signature, SignatureError, VerifyingKey};

use super::signer::{KeyError, Signer, refused};

/// `edwards25519` as the curve's name (PKCS#11 3.0 §6.3.3): what tokens take for Ed25519.
const CURVE: &[u8] = b"\x13\x0cedwards25519";

/// How to get at a token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// The manufacturer's library.
    pub module: PathBuf,
    /// The token's label.
    pub label: String,
    /// The user's PIN; not printed.
    pub pin: String,
}

impl fmt::Debug for TokenSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSettings({}, {:?}, …)", self.module.display(), self.label)
    }
}

/// A token.
pub struct Token {
    settings: TokenSettings,
    context: Pkcs11,
    session: Mutex<Option<Session>>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?})", self.settings.label)
    }
}

/// A key in a token.
pub(super) struct TokenKey {
    token: Arc<Token>,
    label: String,
    public: VerifyingKey,
}

fn told(error: Pkcs11Error) -> KeyError {
    KeyError::Token(error.to_string())
}

fn label(number: u32) -> String {
    format!("loa-signing-{number}")
}

impl Token {
    /// Loads the library and logs into the token.
    ///
    /// # Errors
    /// When there is no such library or token, or the PIN is wrong.
    pub fn open(settings: TokenSettings) -> Result<Arc<Self>, KeyError> {
        let context = Pkcs11::new(&settings.module).map_err(told)?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(told(error)),
        }
        let token = Self {
            settings,
            context,
            session: Mutex::new(None),
        };
        token.with(|_| Ok(()))?;
        Ok(Arc::new(token))
    }

    /// Does it in a session that is logged in; once more in a new one if the token was away.
    fn with<T>(&self, work: impl Fn(&Session) -> Result<T, Pkcs11Error>) -> Result<T, KeyError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*session
            && let Ok(done) = work(open)
        {
            return Ok(done);
        }
        *session = None;
        let open = self.log_in()?;
        let done = work(&open).map_err(told)?;
        *session = Some(open);
        Ok(done)
    }

    fn log_in(&self) -> Result<Session, KeyError> {
        let mut slots = self.context.get_slots_with_token().map_err(told)?.into_iter();
        let named = |slot: &_| {
            let info = self.context.get_token_info(*slot);
            info.is_ok_and(|info| info.label().trim_end() == self.settings.label)
        };
        let missing = || KeyError::Token(format!("no token is called {:?}", self.settings.label));
        let slot = slots.find(named).ok_or_else(missing)?;
        let session = self.context.open_rw_session(slot).map_err(told)?;
        let pin = AuthPin::new(self.settings.pin.clone().into());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) => Ok(session),
            Err(Pkcs11Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => Err(told(error)),
        }
    }

    /// The key of that number, if it is there.
    pub(super) fn find(self: &Arc<Self>, number: u32) -> Result<Option<TokenKey>, KeyError> {
        let label = label(number);
        let point = self.with(|session| {
            let Some(public) = object(session, ObjectClass::PUBLIC_KEY, &label)? else {
                return Ok(None);
            };
            let attributes = session.get_attributes(public, &[AttributeType::EcPoint])?;
            let point = attributes.into_iter().find_map(|it| match it {
                Attribute::EcPoint(point) => Some(point),
                _ => None,
            });
            Ok(point)
        })?;
        let Some(point) = point else { return Ok(None) };
        // An octet string, or the bytes as they are.
        let raw = point.strip_prefix(b"\x04\x20").unwrap_or(&point);
        let public = <[u8; 32]>::try_from(raw)
            .ok()
            .and_then(|raw| VerifyingKey::from_bytes(&raw).ok());
        let public = public.ok_or_else(|| KeyError::Token(format!("{label} is not an Ed25519 key")))?;
        Ok(Some(TokenKey {
            token: self.clone(),
            label,
            public,
        }))
    }

    /// A new key of that number.
    pub(super) fn make(self: &Arc<Self>, number: u32) -> Result<TokenKey, KeyError> {
        let name = || Attribute::Label(label(number).into_bytes());
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(CURVE.to_vec()),
            name(),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            name(),
        ];
        self.with(|session| session.generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private))?;
        self.find(number)?.ok_or(KeyError::Missing(number))
    }

    /// Destroys the private key of that number; `false` if there was none.
    pub(super) fn destroy(&self, number: u32) -> Result<bool, KeyError> {
        self.with(|session| {
            let private = object(session, ObjectClass::PRIVATE_KEY, &label(number))?;
            if let Some(private) = private {
                session.destroy_object(private)?;
            }
            if let Some(public) = object(session, ObjectClass::PUBLIC_KEY, &label(number))? {
                session.destroy_object(public)?;
            }
            Ok(private.is_some())
        })
    }
}

fn object(session: &Session, class: ObjectClass, label: &str) -> Result<Option<ObjectHandle>, Pkcs11Error> {
    let wanted = [Attribute::Class(class), Attribute::Label(label.as_bytes().to_vec())];
    Ok(session.find_objects(&wanted)?.first().copied())
}

impl loa_protocol::Signer<Signature> for TokenKey {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, SignatureError> {
        let signed = self.token.with(|session| {
            let Some(private) = object(session, ObjectClass::PRIVATE_KEY, &self.label)? else {
                return Ok(None);
            };
            let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
            session.sign(&mechanism, private, message).map(Some)
        });
        match signed {
            Ok(Some(bytes)) => Signature::from_slice(&bytes),
            Ok(None) => {
                tracing::error!(key = self.label, "the private key is not in the token");
                Err(refused())
            }
            Err(error) => {
                tracing::error!(%error, key = self.label, "the token did not sign");
                Err(refused())
            }
        }
    }
}

impl Signer for TokenKey {
    fn verifying_key(&self) -> VerifyingKey {
        self.public
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{KeyPlace, Keyring, KnownKey};
    use loa_protocol::MAX_MESSAGE;
    use loa_protocol::command::{Command, Order, Recipient};
    use loa_protocol::succession::{FIRST, Trust};
    use loa_protocol::{ReceiverId, UnixMicros};

    const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

    /// With SoftHSM, a token in software: keys are made, sign commands that receivers obey, follow each other and are destroyed.
    #[test]
    fn a_token_signs_and_its_keys_follow_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        std::fs::create_dir(&tokens).unwrap();
        let settings = folder.path().join("softhsm2.conf");
        std::fs::write(&settings, format!("directories.tokendir = {}\n", tokens.display())).unwrap();
        // The library reads where its tokens lie from the environment, which is this process's: so the test is a process of its own.
        if std::env::var_os("LOA_TEST_TOKEN").is_none() {
            let made = std::process::Command::new("softhsm2-util")
                .args([
                    "--init-token",
                    "--free",
                    "--label",
                    "loa",
                    "--pin",
                    "246810",
                    "--so-pin",
                    "135791",
                ])
                .env("SOFTHSM2_CONF", &settings)
                .output()
                .expect("softhsm2 is installed");
            assert!(made.status.success(), "{made:?}");
            let again = std::process::Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "data::token::tests::a_token_signs_and_its_keys_follow_each_other",
                ])
                .env("LOA_TEST_TOKEN", "1")
                .env("SOFTHSM2_CONF", &settings)
                .output()
                .unwrap();
            assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
            return;
        }
        let settings = |label: &str, pin: &str| TokenSettings {
            module: MODULE.into(),
            label: label.into(),
            pin: pin.into(),
        };
        assert_eq!(
            format!("{:?}", settings("loa", "246810")),
            format!("TokenSettings({MODULE}, \"loa\", …)")
        );
        assert!(matches!(
            Token::open(settings("other", "246810")),
            Err(KeyError::Token(_))
        ));
        let wrong = Token::open(settings("loa", "999999")).unwrap_err().to_string();
        assert!(!wrong.contains("999999"), "{wrong}");
        let token = Token::open(settings("loa", "246810")).unwrap();
        let place = KeyPlace::Token(token.clone());
        assert!(token.find(FIRST).unwrap().is_none());
        let trust = Trust {
            number: FIRST,
            key: place.make(FIRST).unwrap().verifying_key(),
        };
        let mut known = vec![KnownKey { trust, step: None }];
        let ring = Keyring::open(place.clone(), &known).unwrap();
        let command = Command {
            to: Recipient::Receiver(ReceiverId([1; 16])),
            number: 1,
            issued: UnixMicros(1),
            expires: UnixMicros(2),
            order: Order::Reboot,
        };
        let mut sealed = [0; MAX_MESSAGE];
        let length = command.seal(&*ring.signer(), &mut sealed).unwrap();
        assert_eq!(Command::open(&trust.key, &sealed[..length]), Ok(command.clone()));
        known.push(ring.succeed().unwrap());
        ring.follow(&known).unwrap();
        assert!(place.destroy(FIRST).unwrap() && !place.destroy(FIRST).unwrap());
        assert_eq!(trust.walk(ring.steps_from(1).iter().map(Vec::as_slice)), ring.trust());
        // Found again by who comes anew.
        let ring = Keyring::open(place.clone(), &known).unwrap();
        let length = command.seal(&*ring.signer(), &mut sealed).unwrap();
        assert_eq!(Command::open(&ring.trust().key, &sealed[..length]), Ok(command.clone()));
        // What is not there does not sign, and says so.
        place.destroy(2).unwrap();
        assert_eq!(
            command.seal(&*ring.signer(), &mut sealed),
            Err(loa_protocol::Error::Unsigned)
        );
    }
}
