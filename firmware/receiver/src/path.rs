//! The way to the server and back. Here: when to say hello, by UDP or over MQTT, and what an answer means for the way that sound
//! takes. Not here: hello's bytes (`loa-protocol`), the time in it ([`crate::clock`]).
//!
//! The server sends a receiver's packets to where its last hello came from that had its clock set and was no probe.

use crate::clock::Local;
use heapless::Deque;
use loa_protocol::UnixMicros;
use loa_protocol::report::MediaPath;

/// From an unanswered hello to the next.
const IMPATIENT: Local = 1_000_000;
/// From an answered hello to the next: keeps the way through a NAT open.
const CONTENT: Local = 5_000_000;
/// From one probe of UDP to the next, while the way is over MQTT.
const PROBE: Local = 30_000_000;
/// So many hellos unanswered: the way is shut.
const SHUT: u32 = 3;
/// So many unanswered: there is no hurry any more.
const HOPELESS: u32 = 30;
/// Hellos that may still be answered.
const OUTSTANDING: usize = 8;

/// A way to say hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Udp,
    Mqtt,
}

/// A hello that was said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    pub(crate) t1: UnixMicros,
    pub(crate) at: Local,
    pub(crate) way: Way,
    pub(crate) probe: bool,
    pub(crate) clock_set: bool,
}

pub(crate) struct Path {
    way: Way,
    path: MediaPath,
    due: Local,
    probe_due: Local,
    /// When the last hello that is no probe was said, if it is unanswered.
    unanswered_since: Option<Local>,
    unanswered: u32,
    outstanding: Deque<Said, OUTSTANDING>,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            way: Way::Udp,
            path: MediaPath::None,
            due: 0,
            probe_due: Local::MAX,
            unanswered_since: None,
            unanswered: 0,
            outstanding: Deque::new(),
        }
    }
}

impl Path {
    /// How sound comes now.
    pub(crate) fn media(&self) -> MediaPath {
        self.path
    }

    /// When a hello is due.
    pub(crate) fn due(&self) -> Local {
        match self.way {
            Way::Udp => self.due,
            Way::Mqtt => self.due.min(self.probe_due),
        }
    }

    pub(crate) fn mqtt_up(&mut self, now: Local) {
        self.due = now;
    }

    pub(crate) fn mqtt_down(&mut self, now: Local) {
        if self.way == Way::Mqtt {
            self.path = MediaPath::None;
            self.change(Way::Udp, now);
        }
    }

    /// The hello that is due at `now`: on which way, and whether it is a probe. Call until `None`; [`Path::said`] after each.
    pub(crate) fn next(&mut self, now: Local, mqtt: bool) -> Option<(Way, bool)> {
        if now >= self.due {
            if self.unanswered_since.is_some_and(|since| now - since >= IMPATIENT) {
                self.unanswered = self.unanswered.saturating_add(1);
            }
            if self.unanswered >= SHUT {
                self.path = MediaPath::None;
                if self.way == Way::Udp && mqtt {
                    self.change(Way::Mqtt, now);
                    self.probe_due = now + PROBE;
                }
            }
            if self.way == Way::Mqtt && self.unanswered > 0 {
                // Nobody answers here either: the server may be back by UDP first.
                self.probe_due = now;
            }
            let patience = if self.unanswered < HOPELESS { IMPATIENT } else { CONTENT };
            self.due = now + patience;
            self.unanswered_since = Some(now);
            return Some((self.way, false));
        }
        if self.way == Way::Mqtt && now >= self.probe_due {
            self.probe_due = now + PROBE;
            return Some((Way::Udp, true));
        }
        None
    }

    /// Remembers a hello, so that its answer is known.
    pub(crate) fn said(&mut self, said: Said) {
        if self.outstanding.is_full() {
            self.outstanding.pop_front();
        }
        let _ = self.outstanding.push_back(said);
    }

    /// The hello that an answer with this `t1` on this way is to; only the first answer to it counts.
    pub(crate) fn take(&mut self, t1: UnixMicros, way: Way) -> Option<Said> {
        let position = self
            .outstanding
            .iter()
            .position(|said| said.t1 == t1 && said.way == way)?;
        let mut found = None;
        for n in 0..self.outstanding.len() {
            let Some(said) = self.outstanding.pop_front() else {
                break;
            };
            if n == position {
                found = Some(said);
            } else {
                let _ = self.outstanding.push_back(said);
            }
        }
        found
    }

    /// `said` was answered.
    pub(crate) fn answered(&mut self, said: &Said, now: Local) {
        if said.probe {
            // UDP is open (again): ask for the packets there.
            if self.way == Way::Mqtt {
                self.change(Way::Udp, now);
            }
            return;
        }
        if said.way != self.way {
            return;
        }
        (self.unanswered, self.unanswered_since) = (0, None);
        if said.clock_set {
            self.path = match said.way {
                Way::Udp => MediaPath::Udp,
                Way::Mqtt => MediaPath::Mqtt,
            };
            self.due = said.at + CONTENT;
        } else {
            // Now the clock is set, and only such a hello is bound to.
            self.due = now;
        }
    }

    fn change(&mut self, way: Way, now: Local) {
        self.way = way;
        (self.unanswered, self.unanswered_since) = (0, None);
        self.due = now;
    }
}
