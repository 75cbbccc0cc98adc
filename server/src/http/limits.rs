//! How much one may ask for. Here: requests a minute, of an address and of a session, fewer where an answer costs much.
//! This machine itself is not limited: its scripts and its proxy are trusted, and a proxy says whom it speaks for. Not
//! here: who may sign in how often as whom, and connections (`listen`).

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

use super::App;
use super::error::Problem;
use super::gate::Origin;
use super::metrics::Count;
use crate::config::Config;

/// Most who are told apart; whoever comes beyond shares one measure with all the others.
const MOST: usize = 50_000;
const MINUTE: Duration = Duration::from_secs(60);

/// A bucket for each of many: so much a minute, all of it at once if one likes (GCRA: what is kept is when it is full again).
#[derive(Debug)]
pub(super) struct Buckets<K> {
    /// Of each request; zero: no limit.
    cost: Duration,
    full_at: HashMap<K, Duration>,
    others: Duration,
}

impl<K: std::hash::Hash + Eq> Buckets<K> {
    pub(super) fn new(a_minute: u32) -> Self {
        Self {
            cost: MINUTE.checked_div(a_minute).unwrap_or_default(),
            full_at: HashMap::new(),
            others: Duration::ZERO,
        }
    }

    /// Takes one for `who` at `now` (since any fixed instant), or says how long to wait.
    pub(super) fn take(&mut self, who: K, now: Duration) -> Result<(), Duration> {
        if self.cost.is_zero() {
            return Ok(());
        }
        if self.full_at.len() >= MOST && !self.full_at.contains_key(&who) {
            // Who has a full bucket is as good as new.
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        let full_at = if self.full_at.len() >= MOST && !self.full_at.contains_key(&who) {
            &mut self.others
        } else {
            self.full_at.entry(who).or_default()
        };
        let after = (*full_at).max(now) + self.cost;
        match after.checked_sub(now + MINUTE) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *full_at = after;
                Ok(())
            }
        }
    }
}

/// All limits of a server.
#[derive(Debug)]
pub(super) struct Limits {
    begun: Instant,
    names: RandomState,
    requests: Mutex<Buckets<IpAddr>>,
    sessions: Mutex<Buckets<u64>>,
    sign_ins: Mutex<Buckets<IpAddr>>,
    uploads: Mutex<Buckets<IpAddr>>,
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            begun: Instant::now(),
            names: RandomState::new(),
            requests: Mutex::new(Buckets::new(config.limits_requests)),
            sessions: Mutex::new(Buckets::new(config.limits_session_requests)),
            sign_ins: Mutex::new(Buckets::new(config.limits_sign_ins)),
            uploads: Mutex::new(Buckets::new(config.limits_uploads)),
        }
    }
}

/// What a request costs beside itself.
#[derive(Debug, PartialEq, Eq)]
enum Cost {
    Usual,
    SignIn,
    Upload,
}

fn cost(method: &Method, path: &str) -> Cost {
    let guesses = ["session", "setup", "link", "account"];
    let part = path.strip_prefix("/api/v1/").map(|rest| rest.split('/').next());
    match part.flatten() {
        Some("bulletins") if method == Method::POST && path == "/api/v1/bulletins" => Cost::Upload,
        Some("uploads") if method == Method::POST && path.ends_with("/bulletin") => Cost::Upload,
        Some(part) if method == Method::POST && guesses.contains(&part) => Cost::SignIn,
        _ => Cost::Usual,
    }
}

/// Refuses who asks for too much, and says when to ask again.
pub(super) async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let origin = match Origin::from_request_parts(&mut parts, &app).await {
        Ok(Origin(origin)) => origin,
        Err(problem) => return problem.into_response(),
    };
    if !origin.is_loopback()
        && let Err((wait, counted)) = check(&app, network(origin), &parts.method, parts.uri.path(), &parts.headers)
    {
        counted.add();
        return Problem::wait(wait).into_response();
    }
    next.run(Request::from_parts(parts, body)).await
}

fn check<'a>(
    app: &'a App,
    origin: IpAddr,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<(), (Duration, &'a Count)> {
    let (it, counters) = (&app.limits, &app.counters);
    let now = it.begun.elapsed();
    let of_address = |buckets: &Mutex<Buckets<IpAddr>>, count| {
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.take(origin, now).map_err(|wait| (wait, count))
    };
    of_address(&it.requests, &counters.over_address)?;
    if let Some(session) = headers.get(header::AUTHORIZATION).or(headers.get(header::COOKIE)) {
        let mut sessions = it.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = sessions.take(it.names.hash_one(session.as_bytes()), now);
        taken.map_err(|wait| (wait, &counters.over_session))?;
    }
    match cost(method, path) {
        Cost::Usual => Ok(()),
        Cost::SignIn => of_address(&it.sign_ins, &counters.over_sign_ins),
        Cost::Upload => of_address(&it.uploads, &counters.over_uploads),
    }
}

/// Whom an address counts as: of IPv6 a /64, since a line is given no less.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) if !it.is_loopback() => Ipv6Addr::from_bits(it.to_bits() & !u128::from(u64::MAX)).into(),
        it => it,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_minutes_worth_may_come_at_once_and_then_one_after_another() {
        let mut buckets = Buckets::new(60);
        let at = SECOND * 1000;
        for _ in 0..60 {
            assert_eq!(buckets.take("a", at), Ok(()));
        }
        assert_eq!(buckets.take("a", at), Err(SECOND));
        assert_eq!(buckets.take("b", at), Ok(()));
        assert_eq!(buckets.take("a", at + SECOND / 2), Err(SECOND / 2));
        assert_eq!(buckets.take("a", at + SECOND), Ok(()));
        assert_eq!(buckets.take("a", at + SECOND), Err(SECOND));
        // Refused attempts cost nothing: whoever waits is let in.
        for _ in 0..60 {
            assert_eq!(buckets.take("a", at + SECOND + MINUTE), Ok(()));
        }
        let mut free = Buckets::new(0);
        assert!((0..10_000).all(|_| free.take("a", at).is_ok()));
    }

    #[test]
    fn memory_is_bounded_and_newcomers_share_what_is_left() {
        let mut buckets = Buckets::new(2);
        let at = SECOND * 1000;
        for who in 0..MOST {
            assert_eq!(buckets.take(who, at), Ok(()));
        }
        assert_eq!(buckets.take(MOST, at), Ok(()));
        assert_eq!(buckets.take(MOST + 1, at), Ok(()));
        assert!(buckets.take(MOST + 2, at).is_err());
        assert_eq!(buckets.take(7, at), Ok(()), "who was known is not pushed out");
        assert_eq!(buckets.full_at.len(), MOST);
        assert_eq!(buckets.take(MOST + 2, at + MINUTE), Ok(()));
        assert!(buckets.full_at.len() < MOST);
    }

    #[test]
    fn addresses_of_one_line_are_one() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("203.0.113.9"), "203.0.113.9");
        assert_eq!(of("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::1"), "::1");
    }

    #[test]
    fn what_costs_much_is_known() {
        let of = |method: Method, path| cost(&method, path);
        assert_eq!(of(Method::POST, "/api/v1/session"), Cost::SignIn);
        assert_eq!(of(Method::POST, "/api/v1/session/totp"), Cost::SignIn);
        assert_eq!(of(Method::POST, "/api/v1/setup"), Cost::SignIn);
        assert_eq!(of(Method::GET, "/api/v1/session"), Cost::Usual);
        assert_eq!(of(Method::POST, "/api/v1/bulletins"), Cost::Upload);
        assert_eq!(of(Method::POST, "/api/v1/bulletins/x/approve"), Cost::Usual);
        assert_eq!(of(Method::GET, "/"), Cost::Usual);
    }
}
