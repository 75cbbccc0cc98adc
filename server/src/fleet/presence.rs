//! Who is thought to be online, when the line to the broker was down. Here: pure book-keeping. Presence is retained by the
//! broker and comes again with every connection to it; but a broker that was itself started afresh has forgotten it, and
//! who does not come back then would be taken for present for ever.

use std::collections::HashMap;

use loa_protocol::{ReceiverId, UnixMicros};

/// Who was present must say so again within this after the line came up, in microseconds: receivers come back within it
/// however many they are.
const GRACE: u64 = 90_000_000;

/// Who is thought to be online.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Each with the number of the connection over which it last said so.
    present: HashMap<ReceiverId, u64>,
    connection: u64,
    check_at: Option<UnixMicros>,
}

impl Presence {
    /// The line came up at `now`.
    pub(super) fn line_up(&mut self, now: UnixMicros) {
        self.connection += 1;
        self.check_at = (!self.present.is_empty()).then(|| UnixMicros(now.0.saturating_add(GRACE)));
    }

    /// A receiver came, or went.
    pub(super) fn heard(&mut self, receiver: ReceiverId, online: bool) {
        match online {
            true => self.present.insert(receiver, self.connection),
            false => self.present.remove(&receiver),
        };
    }

    /// When [`Presence::overdue`] is to be asked.
    pub(super) fn next_wakeup(&self) -> Option<UnixMicros> {
        self.check_at
    }

    /// One that was present before the line was down and has not come back; ask until `None`.
    pub(super) fn overdue(&mut self, now: UnixMicros) -> Option<ReceiverId> {
        self.check_at.filter(|at| *at <= now)?;
        let missing = self.present.iter().find(|(_, heard)| **heard < self.connection);
        let missing = missing.map(|(receiver, _)| *receiver);
        match missing {
            Some(receiver) => self.present.remove(&receiver),
            None => {
                self.check_at = None;
                None
            }
        };
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_come_back_is_missed() {
        let now = UnixMicros(1_800_000_000_000_000);
        let id = |n| ReceiverId([n; 16]);
        let mut presence = Presence::default();
        presence.line_up(now);
        for n in 1..=3 {
            presence.heard(id(n), true);
        }
        presence.heard(id(3), false);
        assert_eq!(presence.next_wakeup(), None);
        presence.line_up(now.offset(5_000_000));
        presence.heard(id(1), true);
        let late = presence.next_wakeup().unwrap();
        assert_eq!(
            (late, presence.overdue(late.offset(-1))),
            (now.offset(95_000_000), None)
        );
        assert_eq!((presence.overdue(late), presence.overdue(late)), (Some(id(2)), None));
        assert_eq!(presence.next_wakeup(), None);
    }
}
