//! Which commands are obeyed. Here: addressee, number, age. Not here: the signature ([`Command::open`]), and carrying out.

use crate::Enrolment;
use loa_protocol::UnixMicros;
use loa_protocol::command::{Command, Order, Recipient};
use loa_protocol::enrolment::MAX_DEPTH;

/// How long before this boot a command may have been signed, in microseconds: older ones may have been obeyed before it.
const BEFORE_BOOT: u64 = 1_000_000;
/// How far ahead a broadcast may lie, in microseconds: ten years. Beyond it a clock is wrong.
const FAR: u64 = 315_576_000_000_000;

/// The numbers of the last commands obeyed: to this receiver, then to each of its areas.
#[derive(Default)]
pub(crate) struct Gate {
    last: [Option<u64>; 1 + MAX_DEPTH],
    /// When the receiver was last moved. Numbers of areas before are forgotten, so what was signed before that is not obeyed.
    moved: Option<UnixMicros>,
}

impl Gate {
    /// The receiver lies in other areas from now on.
    pub(crate) fn moved(&mut self, now: UnixMicros) {
        self.moved = Some(now);
        for last in &mut self.last[1..] {
            *last = None;
        }
    }

    /// Whether `command`, whose signature is good, is to be obeyed at `now` by a receiver whose clock was first set at `booted`. If so
    /// its number is spent.
    pub(crate) fn admits(
        &mut self,
        enrolment: &Enrolment,
        command: &Command,
        now: UnixMicros,
        booted: UnixMicros,
    ) -> bool {
        let addressee = match command.to {
            Recipient::Receiver(id) => (id == enrolment.receiver).then_some(0),
            Recipient::Area(id) => enrolment
                .areas
                .iter()
                .position(|area| *area == id)
                .map(|depth| 1 + depth),
        };
        let Some(last) = addressee.and_then(|addressee| self.last.get_mut(addressee)) else {
            return false;
        };
        let new = last.is_none_or(|last| command.number > last);
        let fresh = now < command.expires && command.issued.0.saturating_add(BEFORE_BOOT) >= booted.0;
        let settled = addressee == Some(0) || self.moved.is_none_or(|moved| command.issued > moved);
        let sane = match &command.order {
            Order::Play(play) => play.start.0 < now.0.saturating_add(FAR),
            _ => true,
        };
        let admitted = new && fresh && settled && sane;
        if admitted {
            *last = Some(command.number);
        }
        admitted
    }
}
