//! MQTT topics: all below `loa/1/`, the receiver's identifier as 32 hexadecimal digits.
//!
//! | topic | from | QoS | payload |
//! | --- | --- | --- | --- |
//! | `loa/1/<receiver>/command` | server | 1 | [`crate::command`] |
//! | `loa/1/<receiver>/succession` | server | 1 | [`crate::succession`] |
//! | `loa/1/<receiver>/media` | server | 0 | a media datagram |
//! | `loa/1/<receiver>/presence` | receiver (also its last will) | 1, retained | `1` or `0` |
//! | `loa/1/<receiver>/telemetry` | receiver | 0 | [`crate::report`] |
//! | `loa/1/<receiver>/receipt` | receiver | 1 | [`crate::report`] |
//! | `loa/1/<receiver>/rotation` | receiver | 1 | [`crate::rotation`] |
//! | `loa/1/<receiver>/uplink` | receiver | 0 | a media datagram |
//! | `loa/1/area/<area>/command` | server | 1 | [`crate::command`] |
//! | `loa/1/claim/<claim>/request` | claimant | 1 | [`crate::claim`] |
//! | `loa/1/claim/<claim>/answer` | server | 1 | [`crate::claim`], [`crate::succession`] |
//!
//! A receiver may read `command`, `succession` and `media` below its own identifier and the `command` of areas, and write the
//! rest of its own; a claimant may write its own `request` and read its own `answer`; they may nothing else. The server may
//! read and write all.

use crate::id::hex;
use crate::{AreaId, ClaimId, ReceiverId};
use heapless::String;

/// The root of all topics; the number is the protocol's version.
pub const ROOT: &str = "loa/1";

/// Longest topic in bytes.
pub const MAX_TOPIC: usize = 64;

/// A topic's text.
pub type Text = String<MAX_TOPIC>;

/// Payload of a presence message: the receiver is connected, its clock is set, and it listens for commands.
pub const PRESENT: &[u8] = b"1";
/// Payload of a presence message, and of the last will: the receiver is gone.
pub const ABSENT: &[u8] = b"0";

/// What a server says to one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Downlink {
    /// Signed commands.
    Command,
    /// Tunnelled media datagrams.
    Media,
    /// The signing keys that follow the one it trusts.
    Succession,
}

/// What a receiver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uplink {
    /// Whether it is connected.
    Presence,
    /// How it is.
    Telemetry,
    /// What it played.
    Receipt,
    /// Tunnelled media datagrams.
    Media,
    /// Its half of a new secret.
    Rotation,
}

/// What goes to and fro while a device asks to be enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimWord {
    /// From the device.
    Request,
    /// From the server.
    Answer,
}

impl ClaimWord {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Request, Self::Answer];

    /// The topic's last level.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }
}

impl Uplink {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Presence,
        Self::Telemetry,
        Self::Receipt,
        Self::Media,
        Self::Rotation,
    ];

    /// The topic's last level.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Telemetry => "telemetry",
            Self::Receipt => "receipt",
            Self::Media => "uplink",
            Self::Rotation => "rotation",
        }
    }
}

impl Downlink {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Command, Self::Media, Self::Succession];

    /// The topic's last level.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Media => "media",
            Self::Succession => "succession",
        }
    }
}

/// A topic, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// From the server to a receiver.
    Down(ReceiverId, Downlink),
    /// From a receiver to the server.
    Up(ReceiverId, Uplink),
    /// Commands for all receivers of an area and below.
    Area(AreaId),
    /// Between the server and a device that asks to be enrolled.
    Claim(ClaimId, ClaimWord),
}

impl Topic {
    /// Its text.
    #[must_use]
    pub fn text(&self) -> Text {
        match self {
            Self::Down(id, kind) => join(&["", &digits(&id.hex()), kind.name()]),
            Self::Up(id, kind) => join(&["", &digits(&id.hex()), kind.name()]),
            Self::Area(id) => join(&["", "area", &digits(&id.hex()), "command"]),
            Self::Claim(id, word) => join(&["", "claim", &digits(&id.hex()), word.name()]),
        }
    }

    /// Reads a topic; `None` if it is none of these.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(ROOT)?.strip_prefix('/')?;
        let (first, rest) = rest.split_once('/')?;
        if first == "area" {
            let (id, kind) = rest.split_once('/')?;
            return (kind == "command")
                .then(|| exact(id))
                .flatten()
                .map(|id| Self::Area(AreaId(id)));
        }
        if first == "claim" {
            let (id, name) = rest.split_once('/')?;
            let word = ClaimWord::ALL.into_iter().find(|word| word.name() == name)?;
            return exact(id).map(|id| Self::Claim(ClaimId(id), word));
        }
        let id = exact(first).map(ReceiverId)?;
        let up = Uplink::ALL
            .into_iter()
            .find(|kind| kind.name() == rest)
            .map(|kind| Self::Up(id, kind));
        up.or_else(|| {
            Downlink::ALL
                .into_iter()
                .find(|kind| kind.name() == rest)
                .map(|kind| Self::Down(id, kind))
        })
    }

    /// The filter that a server subscribes to for one kind of what receivers say.
    #[must_use]
    pub fn every(kind: Uplink) -> Text {
        join(&["", "+", kind.name()])
    }

    /// The filter that a server subscribes to for what devices ask that want to be enrolled.
    #[must_use]
    pub fn every_claim() -> Text {
        join(&["", "claim", "+", ClaimWord::Request.name()])
    }

    /// Whether the device that asks as `id` may publish here.
    #[must_use]
    pub fn claimant_may_write(&self, id: ClaimId) -> bool {
        *self == Self::Claim(id, ClaimWord::Request)
    }

    /// Whether the device that asks as `id` may subscribe to this topic.
    #[must_use]
    pub fn claimant_may_read(&self, id: ClaimId) -> bool {
        *self == Self::Claim(id, ClaimWord::Answer)
    }

    /// Whether the receiver `id` may publish here.
    #[must_use]
    pub fn may_write(&self, id: ReceiverId) -> bool {
        matches!(self, Self::Up(of, _) if *of == id)
    }

    /// Whether the receiver `id` may subscribe to this topic.
    #[must_use]
    pub fn may_read(&self, id: ReceiverId) -> bool {
        match self {
            Self::Down(of, _) => *of == id,
            Self::Area(_) => true,
            Self::Up(..) | Self::Claim(..) => false,
        }
    }
}

fn join(levels: &[&str]) -> Text {
    let mut text = Text::new();
    for (index, level) in levels.iter().enumerate() {
        let pushed = match index {
            0 => text.push_str(ROOT),
            _ => text.push('/').and_then(|()| text.push_str(level)),
        };
        pushed.expect("the longest topic has 53 bytes");
    }
    text
}

fn digits(hex: &[u8; 32]) -> String<32> {
    hex.iter().map(|digit| char::from(*digit)).collect()
}

/// Reads an identifier only in the one form that topics have, so that no two topics mean the same receiver.
fn exact(text: &str) -> Option<[u8; 16]> {
    let id = ReceiverId::parse(text)?;
    (text.as_bytes() == hex::<32>(&id.0)).then_some(id.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ME: ReceiverId = ReceiverId([0xAB; 16]);

    #[test]
    fn every_topic_reads_as_it_was_written() {
        let mut all = vec![Topic::Area(AreaId([7; 16]))];
        all.extend(Uplink::ALL.map(|kind| Topic::Up(ME, kind)));
        all.extend(Downlink::ALL.map(|kind| Topic::Down(ME, kind)));
        all.extend(ClaimWord::ALL.map(|word| Topic::Claim(ClaimId(ME.0), word)));
        for topic in all {
            assert_eq!(Topic::parse(&topic.text()), Some(topic), "{}", topic.text());
        }
        assert_eq!(
            Topic::Up(ME, Uplink::Media).text(),
            "loa/1/abababababababababababababababab/uplink"
        );
        assert_eq!(Topic::every(Uplink::Receipt), "loa/1/+/receipt");
    }

    #[test]
    fn a_receiver_has_only_its_own() {
        let other = ReceiverId([1; 16]);
        for kind in Uplink::ALL {
            assert!(Topic::Up(ME, kind).may_write(ME) && !Topic::Up(ME, kind).may_write(other));
            assert!(!Topic::Up(ME, kind).may_read(ME));
        }
        for kind in Downlink::ALL {
            assert!(Topic::Down(ME, kind).may_read(ME) && !Topic::Down(ME, kind).may_read(other));
            assert!(!Topic::Down(ME, kind).may_write(ME));
        }
        assert!(Topic::Area(AreaId([0; 16])).may_read(ME) && !Topic::Area(AreaId([0; 16])).may_write(ME));
    }

    #[test]
    fn who_asks_to_be_enrolled_has_its_question_and_its_answer() {
        let (me, other) = (ClaimId(ME.0), ClaimId([1; 16]));
        let (request, answer) = (
            Topic::Claim(me, ClaimWord::Request),
            Topic::Claim(me, ClaimWord::Answer),
        );
        assert!(request.claimant_may_write(me) && !request.claimant_may_read(me));
        assert!(answer.claimant_may_read(me) && !answer.claimant_may_write(me));
        for topic in [request, answer] {
            assert!(!topic.claimant_may_write(other) && !topic.claimant_may_read(other));
            // The same 16 bytes as a receiver's are something else.
            assert!(!topic.may_write(ME) && !topic.may_read(ME));
        }
        let mut forbidden = vec![Topic::Area(AreaId(ME.0))];
        forbidden.extend(Uplink::ALL.map(|kind| Topic::Up(ME, kind)));
        forbidden.extend(Downlink::ALL.map(|kind| Topic::Down(ME, kind)));
        for topic in forbidden {
            assert!(
                !topic.claimant_may_write(me) && !topic.claimant_may_read(me),
                "{topic:?}"
            );
        }
        assert_eq!(Topic::every_claim(), "loa/1/claim/+/request");
        assert_eq!(Topic::parse("loa/1/claim/+/answer"), None);
    }

    #[test]
    fn what_is_none_is_refused() {
        let upper = "loa/1/ABABABABABABABABABABABABABABABAB/uplink";
        let hyphens = "loa/1/abababab-abab-abab-abab-abababababab/uplink";
        for text in [
            "",
            "loa/1",
            "loa/1/+/command",
            "loa/1/area/x/command",
            "loa/2/x/y",
            "$SYS/broker",
            upper,
            hyphens,
        ] {
            assert_eq!(Topic::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,80}") {
            let _ = Topic::parse(&text);
        }
    }
}
