//! What each connection may do: the rules of `loa_protocol::topic`, asked by the broker for every login, message, last
//! will and subscription. Each connection has a gate of its own, so that one whose place another has taken is known:
//! its last will would say that a receiver is gone which has just come back.

use std::future::{Future, ready};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use loa_protocol::topic::{ROOT, Topic};
use mqtt5::broker::auth::{AuthProvider, AuthResult};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;
use tokio::sync::broadcast;

use super::credentials::{Credentials, Seat, Who};

/// Subscriptions that one connection may ask for: its own two topics and the areas on its path, more than once. The
/// broker's own limit searches all subscriptions of all clients each time.
const SUBSCRIPTIONS: u32 = 64;

/// Messages of a device that asks to be enrolled, in one connection: it asks twice a minute, and is to connect again after
/// some hours.
const QUESTIONS: u32 = 1000;
/// Seconds between questions, at least: one more may come at once.
const QUESTION_EVERY: u64 = 5;

/// One connection's gate.
pub(super) struct Gate {
    credentials: Arc<Credentials>,
    seat: Arc<Seat>,
    who: OnceLock<Who>,
    asked: AtomicU32,
    questions: AtomicU32,
    since: std::time::Instant,
}

impl Gate {
    /// `kick` ends the connection.
    pub(super) fn new(credentials: Arc<Credentials>, kick: broadcast::Sender<()>, from: IpAddr) -> Self {
        Self {
            credentials,
            seat: Arc::new(Seat::new(kick, from.to_canonical())),
            who: OnceLock::new(),
            asked: AtomicU32::new(0),
            questions: AtomicU32::new(0),
            since: std::time::Instant::now(),
        }
    }

    /// The connection has ended.
    pub(super) fn leave(&self) {
        if let Some(who) = self.who.get() {
            self.credentials.stand_up(*who, &self.seat);
        }
    }

    /// Waits until another connection has its place.
    pub(super) async fn until_lost(&self) {
        self.seat.until_lost().await;
    }

    fn log_in(&self, connect: &ConnectPacket) -> AuthResult {
        let user = connect.username.as_deref().unwrap_or_default();
        let password = connect.password.as_deref().unwrap_or_default();
        let Some(who) = self.credentials.login(&connect.client_id, user, password) else {
            self.credentials.counters().logins.add(1);
            return AuthResult::fail(ReasonCode::BadUsernameOrPassword);
        };
        if self.who.set(who).is_err() {
            return AuthResult::fail(ReasonCode::ProtocolError);
        }
        match who {
            Who::Server => {}
            Who::Receiver(id) => self.credentials.sit(id, &self.seat),
            Who::Claimant(id) if self.credentials.queue(id, &self.seat) => {}
            Who::Claimant(_) => return AuthResult::fail(ReasonCode::QuotaExceeded),
        }
        // Without a name: the broker would add it to every message.
        AuthResult::success()
    }

    fn may_write(&self, topic: &str) -> bool {
        !self.seat.lost()
            && match self.who.get() {
                Some(Who::Server) => below_root(topic),
                Some(Who::Receiver(id)) => Topic::parse(topic).is_some_and(|topic| topic.may_write(*id)),
                Some(Who::Claimant(id)) => {
                    Topic::parse(topic).is_some_and(|topic| topic.claimant_may_write(*id)) && self.may_ask()
                }
                None => false,
            }
    }

    fn may_read(&self, filter: &str) -> bool {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        asked < SUBSCRIPTIONS
            && !self.seat.lost()
            && match self.who.get() {
                Some(Who::Server) => below_root(filter),
                // No filter with wildcards is a topic.
                Some(Who::Receiver(id)) => Topic::parse(filter).is_some_and(|topic| topic.may_read(*id)),
                Some(Who::Claimant(id)) => Topic::parse(filter).is_some_and(|topic| topic.claimant_may_read(*id)),
                None => false,
            }
    }

    /// Whether it has not asked too often.
    fn may_ask(&self) -> bool {
        let allowed = 2 + self.since.elapsed().as_secs() / QUESTION_EVERY;
        let asked = self.questions.fetch_add(1, Ordering::Relaxed);
        asked < QUESTIONS && u64::from(asked) < allowed
    }

    fn count(&self, allowed: bool) -> bool {
        self.credentials.counters().topics.add(u64::from(!allowed));
        allowed
    }
}

fn below_root(topic: &str) -> bool {
    topic.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/'))
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl AuthProvider for Gate {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _from: SocketAddr,
    ) -> Answer<'a, mqtt5::error::Result<AuthResult>> {
        Box::pin(ready(Ok(self.log_in(connect))))
    }

    fn authorize_publish<'a>(&'a self, _client: &str, _user: Option<&'a str>, topic: &'a str) -> Answer<'a, bool> {
        Box::pin(ready(self.count(self.may_write(topic))))
    }

    fn authorize_subscribe<'a>(&'a self, _client: &str, _user: Option<&'a str>, filter: &'a str) -> Answer<'a, bool> {
        Box::pin(ready(self.count(self.may_read(filter))))
    }
}
