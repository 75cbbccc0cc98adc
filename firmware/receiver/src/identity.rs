//! Who the receiver is and whom it trusts. Here: its enrolment, the keys derived from it, and how they change: succession of the
//! server's key, rotation of the secret, areas, authorities. Not here: what is done with the keys, and storing.
//!
//! Nothing changes before it is stored: a change is proposed, the shell stores it, and only then is it what counts. Wherever the power
//! fails, what was stored last is a whole identity, and the server knows at least one secret of it.

use crate::Enrolment;
use heapless::Vec;
use loa_protocol::AreaId;
use loa_protocol::agreement::PrivateKey;
use loa_protocol::command::{Authority, Rotate};
use loa_protocol::enrolment::{MAX_DEPTH, Unfinished};
use loa_protocol::hello::Answer;
use loa_protocol::key::Secret;
use loa_protocol::random::Random;
use loa_protocol::report::{Telemetry, fingerprint};

/// What the secret is used for most.
#[derive(Clone)]
struct Keys {
    hello: [u8; 32],
    report: [u8; 32],
}

impl Keys {
    fn of(secret: &Secret) -> Self {
        Self {
            hello: secret.hello_key(),
            report: secret.report_key(),
        }
    }
}

pub(crate) struct Identity {
    enrolment: Enrolment,
    keys: Keys,
    /// Of the secret before, while a rotation is unfinished.
    before: Option<Keys>,
    /// The secret before the last rotation that was finished since boot: sound may still come under it.
    retired: Option<Secret>,
    /// What is to be stored.
    proposed: Option<Enrolment>,
    /// The shell was asked to store it.
    told: bool,
    /// The next hello is said under the new secret.
    anew: bool,
    random: Random,
}

/// What follows from a change that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing but that it can be told.
    Told,
    /// It was moved.
    Areas,
}

impl Identity {
    pub(crate) fn new(enrolment: Enrolment, seed: [u8; 32]) -> Self {
        Self {
            keys: Keys::of(&enrolment.secret),
            before: enrolment.unfinished.as_ref().map(|it| Keys::of(&it.secret)),
            enrolment,
            retired: None,
            proposed: None,
            told: false,
            anew: false,
            random: Random::new(seed),
        }
    }

    pub(crate) fn enrolment(&self) -> &Enrolment {
        &self.enrolment
    }

    /// A number that nobody can foresee.
    pub(crate) fn random(&mut self) -> u64 {
        self.random.number()
    }

    /// The key of the next hello: in turn, while the server may know only one of two secrets.
    pub(crate) fn hello_key(&mut self) -> &[u8; 32] {
        match &self.before {
            Some(before) => {
                self.anew = !self.anew;
                if self.anew { &self.keys.hello } else { &before.hello }
            }
            None => &self.keys.hello,
        }
    }

    /// Opens an answer to hello; whether it is under a secret that is not finished.
    pub(crate) fn answer(&self, datagram: &[u8]) -> Option<(Answer, bool)> {
        let answer = Answer::open(&self.keys.hello, datagram).ok();
        if let Some(answer) = answer {
            return Some((answer, self.before.is_some()));
        }
        let before = self.before.as_ref()?;
        Some((Answer::open(&before.hello, datagram).ok()?, false))
    }

    /// The key of reports: that of the secret which the server has for certain.
    pub(crate) fn report_key(&self) -> &[u8; 32] {
        &self.before.as_ref().unwrap_or(&self.keys).report
    }

    /// The secrets that sound may come under, the likely one first.
    pub(crate) fn sound(&self) -> (&Secret, Option<&Secret>) {
        match &self.enrolment.unfinished {
            Some(it) => (&it.secret, Some(&self.enrolment.secret)),
            None => (&self.enrolment.secret, self.retired.as_ref()),
        }
    }

    /// MQTT password and authority for a try: while there are two of a kind, in turn.
    pub(crate) fn login(&self, attempt: u32) -> ([u8; 64], Option<&[u8]>) {
        let enrolment = &self.enrolment;
        let older = enrolment.next_ca.is_some() && attempt & 1 == 1;
        let ca = match older {
            true => enrolment.mqtt_ca.as_deref(),
            false => enrolment.newest_ca(),
        };
        let attempt = if enrolment.next_ca.is_some() {
            attempt >> 1
        } else {
            attempt
        };
        let secret = match &enrolment.unfinished {
            Some(it) if attempt & 1 == 0 => &it.secret,
            _ => &enrolment.secret,
        };
        (secret.mqtt_password(), ca)
    }

    /// What telemetry says of it.
    pub(crate) fn tell(&self, telemetry: &mut Telemetry) {
        let it = &self.enrolment;
        telemetry.key_number = it.key_number;
        telemetry.secret_epoch = it.epoch - u32::from(it.unfinished.is_some() && it.epoch > 0);
        telemetry.authority = it.newest_ca().map(fingerprint);
        telemetry.area = it.areas.last().copied();
    }

    /// A step of succession came; `false` if it is refused.
    pub(crate) fn succession(&mut self, message: &[u8]) -> bool {
        let Ok(next) = self.enrolment.trust().next(message) else {
            return false;
        };
        self.propose(|it| (it.server_key, it.key_number) = (next.key, next.number))
    }

    /// It is moved; `false` if that is refused.
    pub(crate) fn areas(&mut self, areas: &Vec<AreaId, MAX_DEPTH>) -> bool {
        *areas == self.enrolment.areas || self.propose(|it| it.areas.clone_from(areas))
    }

    /// Another authority; `false` if it is refused.
    pub(crate) fn authority(&mut self, order: &Authority) -> bool {
        let (old, new) = (&self.enrolment.mqtt_ca, &self.enrolment.next_ca);
        let Some(old) = old else {
            // Without TLS there is nothing to check.
            return false;
        };
        let given = &order.certificate[..];
        let is_new = new.as_ref().is_some_and(|new| new == given);
        let known = is_new || old == given;
        match (order.alone, known) {
            (true, false) => false,
            (true, true) if new.is_none() => true,
            (true, true) => self.propose(|it| {
                if let Some(new) = it.next_ca.take().filter(|_| is_new) {
                    it.mqtt_ca = Vec::from_slice(&new).ok();
                }
            }),
            (false, true) => true,
            (false, false) => self.propose(|it| {
                let newest = it.next_ca.replace(order.certificate.clone());
                if let Some(newest) = newest {
                    it.mqtt_ca = Vec::from_slice(&newest).ok();
                }
            }),
        }
    }

    /// An order to rotate the secret; `false` if it is refused.
    pub(crate) fn rotate(&mut self, order: &Rotate) -> bool {
        let it = &self.enrolment;
        let old = match &it.unfinished {
            _ if Some(order.epoch) == it.epoch.checked_add(1) => it.secret.clone(),
            // The report is wanted again.
            Some(unfinished) if order.epoch == it.epoch && unfinished.server == order.server => return true,
            // The server never took a report.
            Some(unfinished) if order.epoch == it.epoch => unfinished.secret.clone(),
            None if order.epoch == it.epoch => return true,
            _ => return false,
        };
        let private = PrivateKey::new(self.random.bytes());
        let Ok(secret) = private.next_secret(&order.server, &old, order.epoch) else {
            return false;
        };
        self.propose(|it| {
            it.secret = secret;
            it.epoch = order.epoch;
            it.unfinished = Some(Unfinished {
                secret: old,
                server: order.server,
                receiver: private.public(),
            });
        })
    }

    /// The server has answered under the new secret: the one before is no longer needed.
    pub(crate) fn acknowledged(&mut self) {
        self.propose(|it| it.unfinished = None);
    }

    /// What the server needs to compute the new secret, as long as it may not have it.
    pub(crate) fn unfinished(&self) -> Option<(u32, &Unfinished)> {
        let it = self.enrolment.unfinished.as_ref()?;
        Some((self.enrolment.epoch, it))
    }

    /// Whether there is something to be stored that the shell was not asked to.
    pub(crate) fn is_to_store(&self) -> bool {
        self.proposed.is_some() && !self.told
    }

    /// What is to be stored.
    pub(crate) fn storing(&mut self) -> &Enrolment {
        self.told = true;
        self.proposed.as_ref().unwrap_or(&self.enrolment)
    }

    /// What was proposed is stored, or cannot be; what follows.
    pub(crate) fn stored(&mut self, done: bool) -> Option<Change> {
        self.told = false;
        let new = self.proposed.take().filter(|_| done)?;
        let old = core::mem::replace(&mut self.enrolment, new);
        let it = &self.enrolment;
        if it.secret != old.secret || it.unfinished != old.unfinished {
            self.keys = Keys::of(&it.secret);
            self.before = it.unfinished.as_ref().map(|it| Keys::of(&it.secret));
            self.anew = false;
        }
        if it.unfinished.is_none()
            && let Some(unfinished) = old.unfinished
        {
            self.retired = Some(unfinished.secret);
        }
        Some(match it.areas == old.areas {
            true => Change::Told,
            false => Change::Areas,
        })
    }

    /// One change at a time: `false` if another one is being stored.
    fn propose(&mut self, change: impl FnOnce(&mut Enrolment)) -> bool {
        if self.proposed.is_some() {
            return false;
        }
        change(self.proposed.insert(self.enrolment.clone()));
        true
    }
}

/// As much of a name as fits.
pub(crate) fn fitting<const N: usize>(text: &str) -> heapless::String<N> {
    let mut name = heapless::String::new();
    for c in text.chars() {
        if name.push(c).is_err() {
            break;
        }
    }
    name
}
