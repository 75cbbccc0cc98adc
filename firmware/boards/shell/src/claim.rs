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

#[cfg(test)]
mod tests {
    use super::*;
    use embassy_futures::block_on;
    use embassy_futures::select::select;
    use loa_protocol::SigningKey;
    use loa_protocol::claim::{Code, Configuration};
    use loa_receiver::Build;

    /// Hardware whose flash can be written, or not; what it was told, in order.
    struct Bench {
        writable: bool,
        told: std::vec::Vec<&'static str>,
    }

    impl Board for Bench {
        fn play(&mut self, _: Micros, _: &[i16]) {
            unreachable!("nothing sounds")
        }

        fn amplifier(&mut self, _: bool) {
            unreachable!("nothing sounds")
        }

        fn status(&mut self, status: Status) {
            assert_eq!(status, Status::Claiming);
        }

        fn code(&mut self, _: Code) {
            self.told.push("code");
        }

        fn alive(&mut self, _: Micros, turns: u64) {
            assert!(turns > 0);
        }

        fn store(&mut self, flash: &[u8]) -> bool {
            let stored = Configuration::decode(flash).unwrap().unwrap();
            assert!(stored.device.is_some());
            self.told.push("store");
            self.writable
        }

        fn reboot(&mut self) -> ! {
            unreachable!("nobody has answered")
        }
    }

    /// What a device tells its board, and whether it asks, once there is a session.
    fn boot(configuration: Configuration, writable: bool) -> (Configuration, std::vec::Vec<&'static str>, bool) {
        let build = Build {
            firmware: "1.2.3",
            board: "bench",
        };
        let mut claimant = Claimant::new(configuration, build, [7; 32]);
        let mut board = Bench {
            writable,
            told: std::vec::Vec::new(),
        };
        let wires = Wires::new();
        assert!(wires.heard.try_send(Heard::Up).is_ok());
        // Time enough for many turns of its loop; what it does at all, it does in the first ones.
        block_on(select(
            claim(&mut claimant, &mut board, &wires),
            Timer::after(Duration::from_millis(300)),
        ));
        let first = wires.outbox.try_receive();
        assert!(matches!(first, Ok(Message::Subscribe { topic }) if topic == claimant.answers()));
        let asked = matches!(wires.outbox.try_receive(), Ok(Message::Publish { .. }));
        (claimant.configuration().clone(), board.told, asked)
    }

    #[test]
    fn a_key_is_stored_before_its_code_is_shown_and_no_other_way() {
        let flashed = Configuration {
            device: None,
            server_key: SigningKey::from_bytes(&[1; 32]).verifying_key(),
            mqtt_host: "broker.example".try_into().unwrap(),
            mqtt_port: 8883,
            mqtt_ca: None,
            key_number: 1,
            next_ca: None,
        };
        let (kept, told, asked) = boot(flashed.clone(), true);
        assert_eq!((told.as_slice(), asked), (&["store", "code"][..], true));
        let (_, told, asked) = boot(kept, false);
        assert_eq!((told.as_slice(), asked), (&["code"][..], true), "it was stored");
        let (_, told, asked) = boot(flashed, false);
        assert_eq!((told.as_slice(), asked), (&["store"][..], false));
    }
}
