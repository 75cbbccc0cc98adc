//! The urgent half of a device that has no identity yet: it shows its code and asks until it is answered, stores what it has become and
//! starts afresh. Not here: what it says and whom it believes ([`Claimant`]); its session, which is [`crate::converse`]'s.

use crate::board::{Board, Login, store};
use crate::outbox::Message;
use crate::wires::{Heard, Wires};
use embassy_futures::select::{Either4, select4};
use embassy_time::{Duration, Instant, Ticker, Timer};
use heapless::Vec;
use loa_protocol::MAX_MESSAGE;
use loa_receiver::claim::{AGAIN, Claimant};
use loa_receiver::{Micros, Status};

/// Asks until it is answered; comes back as a receiver, at the next boot.
pub async fn claim<B: Board>(claimant: &mut Claimant, board: &mut B, wires: &Wires) -> ! {
    board.status(Status::Claiming);
    // Somebody reads the code from here on, and it must be the same after a loss of power: who cannot store its key shows none.
    let shown = !claimant.is_new() || store(board, |flash| claimant.configuration().encode(flash));
    if shown {
        board.code(claimant.code());
    }
    let mut alive = Ticker::every(Duration::from_micros(B::ALIVE / 2));
    let mut turns = 0;
    // When to ask again, while there is a session.
    let mut ask = Instant::MAX;
    loop {
        match select4(wires.heard.receive(), Timer::at(ask), wires.asked.wait(), alive.next()).await {
            Either4::First(Heard::Up) => {
                let topic = claimant.answers();
                wires.post(Message::Subscribe { topic });
                ask = Instant::now();
            }
            Either4::First(Heard::Down) => ask = Instant::MAX,
            Either4::First(Heard::Message { topic, payload }) => {
                let answer = claimant.hear(&topic, &payload);
                // If it cannot be stored, the same answer comes to the next question.
                if answer.is_some_and(|enrolment| store(board, |flash| enrolment.encode(flash))) {
                    log::info!("is enrolled");
                    board.reboot();
                }
            }
            Either4::Second(()) => {
                ask = Instant::now() + Duration::from_micros(AGAIN);
                if shown {
                    request(claimant, wires);
                }
            }
            Either4::Third(attempt) => wires.login.signal(Login::claim(claimant, attempt)),
            Either4::Fourth(()) if wires.stuck() => {}
            Either4::Fourth(()) => {
                turns += 1;
                board.alive(Micros(Instant::now().as_micros()), turns);
            }
        }
    }
}

fn request(claimant: &Claimant, wires: &Wires) {
    let mut payload = Vec::<u8, MAX_MESSAGE>::from_array([0; MAX_MESSAGE]);
    match claimant.request(&mut payload) {
        Ok((topic, length)) => {
            payload.truncate(length);
            wires.post(Message::Publish {
                topic,
                payload,
                at_least_once: true,
                retain: false,
            });
        }
        Err(error) => log::error!("cannot ask: {error}"),
    }
}
