//! The same rules for an outside broker. Here: the access list and the passwords that make Mosquitto (2.0 and later)
//! enforce what the embedded broker does. Not here: running it.
//!
//! Its configuration needs, beside the two files, `allow_anonymous false` and `use_username_as_clientid true`: a client
//! identifier is then nobody else's to take.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loa_protocol::ReceiverId;
use loa_protocol::claim::{PASSWORD, USER};
use loa_protocol::key::Secret;
use loa_protocol::topic::{ClaimWord, Downlink, ROOT, Topic, Uplink};
use std::fmt::Write as _;
use std::num::NonZeroU32;

use super::SERVER;

/// Rounds of PBKDF2: Mosquitto's default. Passwords have 256 random bits, more rounds would protect nothing.
const ROUNDS: NonZeroU32 = NonZeroU32::new(101).expect("not zero");

/// The access list (`acl_file`).
pub fn access_list() -> String {
    let mut text = format!("# Written by Loa.\nuser {SERVER}\ntopic readwrite {ROOT}/#\n\n");
    let mut rule = |access: &str, topic: std::fmt::Arguments<'_>| {
        writeln!(text, "pattern {access} {ROOT}/{topic}").expect("text grows");
    };
    for kind in Downlink::ALL {
        rule("read", format_args!("%u/{}", kind.name()));
    }
    rule("read", format_args!("area/+/{}", Downlink::Command.name()));
    for kind in Uplink::ALL {
        rule("write", format_args!("%u/{}", kind.name()));
    }
    // It knows user names only, and what passes here is no secret.
    let (ask, hear) = (Topic::every_claim(), ClaimWord::Answer.name());
    writeln!(
        text,
        "\nuser {USER}\ntopic write {ask}\ntopic read {ROOT}/claim/+/{hear}\ntopic deny {ROOT}/area/#"
    )
    .expect("text grows");
    text
}

/// The line in the password file of devices that ask to be enrolled: a password that is no secret.
pub fn claim_line(salt: &[u8; 12]) -> String {
    line(USER, PASSWORD.as_bytes(), salt)
}

/// A receiver's line in the password file (`password_file`). `salt` is random, and another one for each line.
pub fn receiver_line(id: ReceiverId, secret: &Secret, salt: &[u8; 12]) -> String {
    let name: String = id.hex().iter().map(|digit| char::from(*digit)).collect();
    line(&name, &secret.mqtt_password(), salt)
}

/// The server's own line in the password file.
pub fn server_line(password: &str, salt: &[u8; 12]) -> String {
    line(SERVER, password.as_bytes(), salt)
}

/// `name:$7$rounds$salt$hash`: PBKDF2-HMAC-SHA512 in base 64, as mosquitto_passwd writes it.
fn line(name: &str, password: &[u8], salt: &[u8]) -> String {
    let mut hash = [0; 64];
    ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA512, ROUNDS, salt, password, &mut hash);
    format!(
        "{name}:$7${ROUNDS}${}${}\n",
        STANDARD.encode(salt),
        STANDARD.encode(hash)
    )
}
