//! Identifiers. Here: new ones (UUIDv7: they sort by when they were made), and those that never leave the server. Those
//! on the wire are `loa_protocol`'s.

use loa_protocol::{BroadcastId, UnixMicros};
use ring::digest;

/// Sixteen bytes of UUIDv7 (RFC 9562 §5.7) made at `now`.
pub fn fresh(now: UnixMicros) -> [u8; 16] {
    let nanos = u32::try_from(now.0 % 1_000_000 * 1000).expect("below a second");
    let at = uuid::Timestamp::from_unix(uuid::NoContext, now.0 / 1_000_000, nanos);
    uuid::Uuid::new_v7(at).into_bytes()
}

/// Sixteen bytes for what begins at `start` and is told from others by `name`: the same whoever works it out. They sort by `start`, as those
/// of UUIDv7 do by when they were made.
pub fn derived(start: UnixMicros, name: &str) -> BroadcastId {
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let mut id = [0; 16];
    id[..6].copy_from_slice(&(start.0 / 1000).to_be_bytes()[2..]);
    id[6..].copy_from_slice(&hash.as_ref()[..10]);
    id[6] = id[6] & 0x0F | 0x80;
    id[8] = id[8] & 0x3F | 0x80;
    BroadcastId(id)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Reads 32 hexadecimal digits, hyphens ignored; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                loa_protocol::AreaId::parse(text).map(|id| Self(id.0))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                loa_protocol::AreaId(self.0).fmt(f)
            }
        }
    };
}

id!(
    /// A bulletin.
    BulletinId
);
id!(
    /// A schedule.
    ScheduleId
);
id!(
    /// Leave to go past hours and minutes.
    OverrideId
);
id!(
    /// A person who uses the console.
    UserId
);
id!(
    /// A session.
    SessionId
);
id!(
    /// A second factor.
    FactorId
);
id!(
    /// Somebody's account at a provider of sign-in.
    IdentityId
);
id!(
    /// An API token, not what it is shown by.
    TokenId
);
id!(
    /// How a word is to be read.
    ReadingId
);
id!(
    /// A recorded phrase.
    PhraseId
);
id!(
    /// A bulletin in an area's inbox.
    DeliveryId
);
id!(
    /// An upload that comes in pieces.
    UploadId
);
