//! Who is thought to be online. Here: pure book-keeping of what the broker says (presence) and what receivers prove (their
//! reports). Presence is the broker's word alone, so both ways it is corrected: who reports is there, and who has not for long is
//! not. Presence is retained by the broker and comes again with every connection to it; but a broker that was itself started
//! afresh has forgotten it, and who does not come back then would be taken for present until it is missed.

use std::collections::HashMap;

use loa_protocol::{ReceiverId, UnixMicros};

/// Who was present must say so again within this after the line came up, in microseconds: receivers come back within it
/// however many they are.
const GRACE: u64 = 90_000_000;
/// Receivers report every 30 s; who has missed three is gone, whatever the broker says.
const SILENT: u64 = 100_000_000;
/// How often it is looked who is silent.
const LOOK: u64 = 10_000_000;

/// Who is thought to be online.
#[derive(Debug, Default)]
pub(super) struct Presence {
    present: HashMap<ReceiverId, Heard>,
    connection: u64,
    check_at: Option<UnixMicros>,
    look_at: Option<UnixMicros>,
    /// Found to be gone, and not told yet.
    missing: Vec<ReceiverId>,
}

/// When one was last heard of.
#[derive(Debug)]
struct Heard {
    /// The number of the connection over which that was.
    connection: u64,
    at: UnixMicros,
}

impl Presence {
    /// The line came up at `now`.
    pub(super) fn line_up(&mut self, now: UnixMicros) {
        self.connection += 1;
        self.check_at = (!self.present.is_empty()).then(|| UnixMicros(now.0.saturating_add(GRACE)));
    }

    /// The broker says that a receiver came, or went.
    pub(super) fn heard(&mut self, receiver: ReceiverId, online: bool, now: UnixMicros) {
        match online {
            true => _ = self.spoke(receiver, now),
            false => _ = self.present.remove(&receiver),
        }
    }

    /// A receiver has proven that it is there; `true` if it was thought to be away.
    pub(super) fn spoke(&mut self, receiver: ReceiverId, now: UnixMicros) -> bool {
        let (connection, at) = (self.connection, now);
        self.look_at.get_or_insert(UnixMicros(now.0.saturating_add(LOOK)));
        self.present.insert(receiver, Heard { connection, at }).is_none()
    }

    /// When [`Presence::overdue`] is to be asked.
    pub(super) fn next_wakeup(&self) -> Option<UnixMicros> {
        [self.check_at, self.look_at].into_iter().flatten().min()
    }

    /// One that was thought to be present and is missed; ask until `None`.
    pub(super) fn overdue(&mut self, now: UnixMicros) -> Option<ReceiverId> {
        if self.check_at.is_some_and(|at| at <= now) {
            self.check_at = None;
            let connection = self.connection;
            self.miss(|heard| heard.connection < connection);
        }
        if self.look_at.is_some_and(|at| at <= now) {
            self.miss(|heard| now.0.saturating_sub(heard.at.0) >= SILENT);
            self.look_at = (!self.present.is_empty()).then(|| UnixMicros(now.0.saturating_add(LOOK)));
        }
        self.missing.pop()
    }

    fn miss(&mut self, gone: impl Fn(&Heard) -> bool) {
        let gone = self.present.extract_if(|_, heard| gone(heard));
        self.missing.extend(gone.map(|(receiver, _)| receiver));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);

    fn id(n: u8) -> ReceiverId {
        ReceiverId([n; 16])
    }

    fn later(seconds: i64) -> UnixMicros {
        NOW.offset(seconds * 1_000_000)
    }

    #[test]
    fn who_does_not_come_back_is_missed() {
        let mut presence = Presence::default();
        presence.line_up(NOW);
        for n in 1..=3 {
            presence.heard(id(n), true, NOW);
        }
        presence.heard(id(3), false, NOW);
        presence.line_up(later(5));
        presence.heard(id(1), true, later(5));
        presence.spoke(id(2), NOW);
        presence.line_up(later(6));
        presence.heard(id(1), true, later(7));
        assert_eq!(presence.overdue(later(95)), None);
        assert_eq!(
            (presence.overdue(later(96)), presence.overdue(later(96))),
            (Some(id(2)), None)
        );
    }

    #[test]
    fn what_the_broker_says_is_corrected_by_what_receivers_prove() {
        let mut presence = Presence::default();
        presence.line_up(NOW);
        presence.heard(id(1), true, NOW);
        // Said to be gone, and reporting.
        presence.heard(id(1), false, later(10));
        assert!(presence.spoke(id(1), later(30)) && !presence.spoke(id(1), later(60)));
        // Said to be there, and silent; said so again and again it is never proven, but the broker can do that.
        presence.heard(id(2), true, later(30));
        let mut missed = Vec::new();
        for second in 60..200 {
            presence.spoke(id(1), later(second));
            missed.extend(presence.overdue(later(second)).map(|id| (second, id)));
        }
        assert_eq!(missed, [(130, id(2))]);
        presence.heard(id(1), false, later(200));
        assert_eq!(presence.overdue(presence.next_wakeup().unwrap()), None);
        assert_eq!(presence.next_wakeup(), None);
    }
}
