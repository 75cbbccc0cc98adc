//! How long somebody who guesses has to wait. Here: counting failures by whose password they were for and where they came
//! from, and the waiting that follows; pure, time is an argument. Not here: what was guessed (`http`), where counts are kept
//! (`store::failures`).
//!
//! Nobody is ever locked out: after some failures each further attempt has to wait twice as long as the one before, up to a
//! limit, and counts are forgotten after a quiet day. A browser in which its user has signed in before is judged by
//! its own count alone: however many strangers fail, from wherever, it never waits. [`Rule::most`] bounds what can be tried in a
//! day; for a user's password from browsers unknown, over all addresses, that is [`NAME`]'s.
//!
//! An attempt is counted before it is judged and taken back if it was right: many at once gain nothing.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use loa_protocol::UnixMicros;
use ring::digest;

/// Counts kept at most.
const MOST: usize = 100_000;
/// After so long without a failure a count is forgotten, in microseconds.
pub const QUIET: u64 = 24 * 3600 * SECOND;
const SECOND: u64 = 1_000_000;

/// What failures are counted for. What is kept of it is a hash: people type passwords where names belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    hash: [u8; 32],
    rule: Rule,
}

/// How patient one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule {
    /// Failures that cost nothing.
    pub free: u64,
    /// The longest wait, in seconds; the first is one second.
    pub longest: u64,
}

/// A user name's password, over all sources.
pub const NAME: Rule = Rule { free: 20, longest: 900 };
/// A user name's password, from one network.
pub const NAME_FROM: Rule = Rule { free: 5, longest: 3600 };
/// Whatever password or code, from one network: many people may be behind one address.
pub const NETWORK: Rule = Rule { free: 40, longest: 300 };
/// A user's password, from a browser in which they have signed in before.
pub const DEVICE: Rule = Rule { free: 5, longest: 900 };
/// A user's second factor, from whoever knows the password.
pub const CODE: Rule = Rule { free: 10, longest: 900 };

impl Rule {
    /// Attempts that are let through in any 24 hours at most.
    pub const fn most(self) -> u64 {
        let (mut wait, mut spent, mut n) = (1, 0, self.free + 1);
        while spent < 24 * 3600 {
            spent += wait;
            n += 1;
            wait = if wait * 2 > self.longest {
                self.longest
            } else {
                wait * 2
            };
        }
        n
    }

    /// How long to wait after so many failures, in microseconds.
    fn wait(self, failures: u64) -> u64 {
        let doublings = match failures.checked_sub(self.free) {
            None | Some(0) => return 0,
            Some(over) => over - 1,
        };
        let wait = 1u64.checked_shl(u32::try_from(doublings).unwrap_or(u32::MAX));
        wait.unwrap_or(u64::MAX).min(self.longest) * SECOND
    }
}

impl Key {
    fn new(rule: Rule, kind: &str, parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(kind.as_bytes());
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        Self {
            hash: context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"),
            rule,
        }
    }

    /// `username`'s password from `origin`; `device` is the hash of what the browser showed to be known by, if it is.
    pub fn of_password(username: &str, origin: IpAddr, device: Option<&str>) -> Vec<Self> {
        let (name, network) = (username.as_bytes(), network(origin));
        match device {
            Some(device) => vec![Self::new(DEVICE, "device", &[name, device.as_bytes()])],
            None => vec![
                Self::new(NAME_FROM, "name from", &[name, &network]),
                Self::new(NETWORK, "network", &[&network]),
                Self::new(NAME, "name", &[name]),
            ],
        }
    }

    /// `username`'s second factor, in the same way; whoever tries knows the password.
    pub fn of_factor(username: &str, origin: IpAddr, device: Option<&str>) -> Vec<Self> {
        let (name, network) = (username.as_bytes(), network(origin));
        match device {
            Some(device) => vec![Self::new(CODE, "device code", &[name, device.as_bytes()])],
            None => vec![
                Self::new(CODE, "code", &[name]),
                Self::new(NETWORK, "network", &[&network]),
            ],
        }
    }

    /// The password of who is signed in, asked for again.
    pub fn of_session(user: &str) -> Vec<Self> {
        vec![Self::new(DEVICE, "session", &[user.as_bytes()])]
    }

    /// As it is kept.
    pub fn text(&self) -> String {
        let digits: [u8; 64] = loa_protocol::id::hex(&self.hash);
        String::from_utf8(digits.to_vec()).expect("hexadecimal digits")
    }
}

/// What belongs to one holder: a /24 of IPv4, a /64 of IPv6.
fn network(origin: IpAddr) -> Vec<u8> {
    match origin.to_canonical() {
        IpAddr::V4(ip) => ip.octets()[..3].to_vec(),
        IpAddr::V6(ip) => ip.octets()[..8].to_vec(),
    }
}

/// Failures so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub failures: u64,
    /// When the last was.
    pub last: UnixMicros,
}

/// An attempt has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// How long, rounded up to seconds.
    pub time: Duration,
    /// Nobody was told so since the last failure.
    pub news: bool,
}

/// All counts.
#[derive(Debug, Default)]
pub struct Patience {
    counts: HashMap<[u8; 32], (Count, bool)>,
}

impl Patience {
    /// What was kept, as [`Key::text`] and counts.
    pub fn of(kept: impl IntoIterator<Item = (String, Count)>) -> Self {
        let counts = kept.into_iter().filter_map(|(text, count)| {
            let id = |half: &str| loa_protocol::AreaId::parse(half).map(|id| id.0);
            let (a, b) = (id(text.get(..32)?)?, id(text.get(32..)?)?);
            let mut hash = [0; 32];
            hash[..16].copy_from_slice(&a);
            hash[16..].copy_from_slice(&b);
            Some((hash, (count, false)))
        });
        Self {
            counts: counts.collect(),
        }
    }

    /// Lets an attempt through, counted as a failure until it is [`forgiven`](Self::forgive), or says how long to wait; an
    /// attempt that has to wait is not counted.
    ///
    /// # Errors
    /// The longest wait that one of `keys` asks for.
    pub fn attempt(&mut self, now: UnixMicros, keys: &[Key]) -> Result<(), Wait> {
        let mut longest = 0;
        let mut news = false;
        for key in keys {
            let Some((count, told)) = self.counts.get_mut(&key.hash) else {
                continue;
            };
            // A clock that was set back is no reason to wait longer than the rule says.
            count.last = count.last.min(now);
            if count.last.0 + QUIET <= now.0 {
                self.counts.remove(&key.hash);
                continue;
            }
            let wait = (count.last.0 + key.rule.wait(count.failures)).saturating_sub(now.0);
            if wait > 0 {
                news |= !std::mem::replace(told, true);
                longest = longest.max(wait);
            }
        }
        if longest > 0 {
            let time = Duration::from_secs(longest.div_ceil(SECOND));
            return Err(Wait { time, news });
        }
        for key in keys {
            let none = (Count { failures: 0, last: now }, false);
            let (count, told) = self.counts.entry(key.hash).or_insert(none);
            *told = false;
            *count = Count {
                failures: count.failures + 1,
                last: now,
            };
        }
        self.shrink(keys);
        Ok(())
    }

    /// The attempt was right, or was not judged: it is not counted. If `right`, what the first key counted is forgotten, since it is
    /// about this user here; what strangers did elsewhere is not.
    pub fn forgive(&mut self, keys: &[Key], right: bool) {
        for (n, key) in keys.iter().enumerate() {
            let Some((count, _)) = self.counts.get_mut(&key.hash) else {
                continue;
            };
            count.failures = if n == 0 && right {
                0
            } else {
                count.failures.saturating_sub(1)
            };
            if count.failures == 0 {
                self.counts.remove(&key.hash);
            }
        }
    }

    /// What is to be kept of `keys`; without a count: nothing.
    pub fn kept(&self, keys: &[Key]) -> Vec<(String, Option<Count>)> {
        let count = |key: &Key| self.counts.get(&key.hash).map(|it| it.0);
        keys.iter().map(|key| (key.text(), count(key))).collect()
    }

    /// Drops what tells least when there is too much: the fewest failures, the oldest first. So names made up to push others
    /// out push out each other.
    fn shrink(&mut self, but: &[Key]) {
        if self.counts.len() <= MOST {
            return;
        }
        let mut all: Vec<_> = self
            .counts
            .iter()
            .map(|(hash, it)| (it.0.failures, it.0.last, *hash))
            .collect();
        all.sort_unstable();
        let but = |hash: &[u8; 32]| but.iter().any(|key| key.hash == *hash);
        for (.., hash) in all.into_iter().filter(|it| !but(&it.2)).take(MOST / 10) {
            self.counts.remove(&hash);
        }
    }
}
