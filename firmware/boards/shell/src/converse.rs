//! The half that may wait: connecting, TLS and the MQTT session, again and again.

use crate::backoff::Backoff;
use crate::board::{Contact, Login};
use crate::line::{State, Wire};
use crate::mqtt::{self, Credentials, Ended};
use crate::transport::{Plain, Records, Secured};
use crate::wires::{Heard, Wires};
use core::cell::Cell;
use embassy_futures::join::join;
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use loa_protocol::topic;
use rand_core::CryptoRngCore;

/// How long the TLS handshake may take, computing included.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// A session that stood for so long was a good one: the next try comes soon.
const GOOD: Duration = Duration::from_secs(10);
/// How often it says that it still runs.
const ALIVE: Duration = Duration::from_secs(1);

/// Holds the MQTT session, for ever.
pub async fn converse<R: CryptoRngCore>(contact: &Contact, wires: &Wires, random: &mut R) -> ! {
    let alive = async {
        loop {
            wires.conversing();
            Timer::after(ALIVE).await;
        }
    };
    join(sessions(contact, wires, random), alive).await.0
}

async fn sessions<R: CryptoRngCore>(contact: &Contact, wires: &Wires, random: &mut R) -> ! {
    let mut backoff = Backoff::new();
    let mut records = Records::new();
    // Attempts in a row that failed: while secret or authority change, the receiver has more than one to try.
    let mut attempt = 0_u32;
    loop {
        wires.asked.signal(attempt);
        let login = wires.login.wait().await;
        attempt = attempt.wrapping_add(1);
        let began = Instant::now();
        if wires.line.dial().await == State::Open {
            wires.overrun.reset();
            let up = Cell::new(false);
            let session = over(contact, &login, wires, &mut records, random, &up);
            match select3(session, wires.line.closed(), wires.overrun.wait()).await {
                Either3::First(ended) => log::warn!("MQTT session ended: {ended}"),
                Either3::Second(()) => log::warn!("MQTT session ended: the connection was closed"),
                Either3::Third(()) => log::warn!("MQTT session ended: the broker takes messages too slowly"),
            }
            if up.get() {
                attempt = 0;
                wires.heard.send(Heard::Down).await;
            }
        } else {
            log::warn!("no connection to {}:{}", contact.host, contact.port);
        }
        wires.line.hang_up();
        if began.elapsed() >= GOOD {
            backoff.reset();
        }
        Timer::after(backoff.pause(random)).await;
    }
}

/// One session over the open line.
async fn over<R: CryptoRngCore>(
    contact: &Contact,
    login: &Login,
    wires: &Wires,
    records: &mut Records,
    random: &mut R,
    up: &Cell<bool>,
) -> Ended {
    let credentials = Credentials {
        name: &contact.name,
        user: &contact.user,
        password: &login.password,
        will: contact.will.as_deref().map(|topic| (topic, topic::ABSENT)),
    };
    let wire = Wire(&wires.line);
    let Some(ca) = login.ca.as_deref() else {
        return mqtt::session(wire, &credentials, wires, up).await;
    };
    let open = Secured::open(wire, records, ca, &contact.host, random);
    let mut secured = match with_timeout(HANDSHAKE, open).await {
        Ok(Ok(secured)) => secured,
        Ok(Err(error)) => return Ended::Insecure(error),
        Err(_) => return Ended::Silent,
    };
    let plain = Plain::new();
    let (tunnel, stream) = secured.split(&plain);
    // The session first: what has been decrypted is read before the connection's end is noticed.
    match select(mqtt::session(stream, &credentials, wires, up), tunnel.pump()).await {
        Either::First(ended) => ended,
        Either::Second(error) => Ended::Insecure(error),
    }
}
