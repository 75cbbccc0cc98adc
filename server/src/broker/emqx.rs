//! The same rules for EMQX (5.0 and later). Here: its authorization file (`acl.conf`: Erlang terms) and the users to be
//! imported into its built-in database (JSON, SHA-256 with the salt before the password). Not here: running it.
//!
//! Its configuration needs, beside the two files, `mqtt.use_username_as_clientid = true` (a client identifier is then nobody
//! else's to take), `authorization.no_match = deny`, and the built-in database as the only authentication, with
//! `password_hash_algorithm = {name = sha256, salt_position = prefix}`.

use std::fmt::Write as _;

use loa_protocol::ReceiverId;
use loa_protocol::claim::{PASSWORD, USER};
use loa_protocol::key::Secret;
use loa_protocol::topic::{ClaimWord, Downlink, ROOT, Topic, Uplink};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::SERVER;

/// The authorization file.
pub fn access_list() -> String {
    let list = |topics: Vec<String>| {
        topics
            .iter()
            .map(|topic| format!("\"{topic}\""))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let own = |name: &str| format!("{ROOT}/${{username}}/{name}");
    let mut read: Vec<_> = Downlink::ALL.map(|kind| own(kind.name())).to_vec();
    read.push(format!("{ROOT}/area/+/{}", Downlink::Command.name()));
    let write = Uplink::ALL.map(|kind| own(kind.name())).to_vec();
    let answers = format!("{ROOT}/claim/+/{}", ClaimWord::Answer.name());
    let receivers = "{username, {re, \"^[0-9a-f]{32}$\"}}";
    let mut text = String::from("%% Written by Loa.\n");
    for (who, what, topics) in [
        (format!("{{username, \"{SERVER}\"}}"), "all", vec![format!("{ROOT}/#")]),
        (receivers.to_owned(), "subscribe", read),
        (receivers.to_owned(), "publish", write),
        (format!("{{username, \"{USER}\"}}"), "subscribe", vec![answers]),
        (
            format!("{{username, \"{USER}\"}}"),
            "publish",
            vec![Topic::every_claim().to_string()],
        ),
    ] {
        writeln!(text, "{{allow, {who}, {what}, [{}]}}.", list(topics)).expect("text grows");
    }
    text + "{deny, all}.\n"
}

/// A receiver among the users. `salt` is random, and another one for each.
pub fn receiver(id: ReceiverId, secret: &Secret, salt: &[u8; 16]) -> Value {
    let name: String = id.hex().iter().map(|digit| char::from(*digit)).collect();
    user(&name, &secret.mqtt_password(), salt)
}

/// The server itself among the users.
pub fn server(password: &str, salt: &[u8; 16]) -> Value {
    user(SERVER, password.as_bytes(), salt)
}

/// Devices that ask to be enrolled: a password that is no secret.
pub fn claimants(salt: &[u8; 16]) -> Value {
    user(USER, PASSWORD.as_bytes(), salt)
}

fn user(name: &str, password: &[u8], salt: &[u8; 16]) -> Value {
    let text = |digits: &[u8]| digits.iter().map(|digit| char::from(*digit)).collect::<String>();
    let salt = text(&loa_protocol::id::hex::<32>(salt));
    let hash = digest(&SHA256, &[salt.as_bytes(), password].concat());
    json!({
        "user_id": name,
        "password_hash": text(&loa_protocol::id::hex::<64>(hash.as_ref())),
        "salt": salt,
        "is_superuser": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read by Erlang itself, as EMQX reads it.
    #[test]
    fn the_rules_are_erlang_terms_that_forbid_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("acl.conf");
        std::fs::write(&file, access_list()).unwrap();
        let program = format!(
            "case file:consult(\"{}\") of \
               {{ok, Terms}} -> \
                 {{deny, all}} = lists:last(Terms), \
                 Rules = [T || T <- Terms, tuple_size(T) =:= 4], \
                 [true = lists:member(P, [subscribe, publish, all]) || {{allow, _, P, _}} <- Rules], \
                 [{{match, _}} = re:run(\"{}\", Re) || {{allow, {{username, {{re, Re}}}}, _, _}} <- Rules], \
                 [nomatch = re:run(\"loa-server\", Re) || {{allow, {{username, {{re, Re}}}}, _, _}} <- Rules], \
                 io:format(\"~p\", [length(Terms)]); \
               {{error, Why}} -> io:format(\"~p\", [Why]) \
             end, halt().",
            file.display(),
            "ab".repeat(16),
        );
        let read = std::process::Command::new("erl")
            .args(["-noshell", "-boot", "start_clean", "-eval", &program])
            .output()
            .expect("erlang-base is installed");
        assert_eq!(String::from_utf8_lossy(&read.stdout), "6", "{read:?}");
    }

    #[test]
    fn users_are_hashed_with_their_salt_before() {
        let one = receiver(ReceiverId([0xAB; 16]), &Secret([1; 32]), &[2; 16]);
        assert_eq!(one["user_id"], "ab".repeat(16));
        let password = Secret([1; 32]).mqtt_password();
        let salted = ["02".repeat(16).as_bytes(), &password].concat();
        let hash = loa_protocol::id::hex::<64>(digest(&SHA256, &salted).as_ref());
        assert_eq!(one["password_hash"].as_str().unwrap().as_bytes(), hash);
        assert!(!one.to_string().contains(std::str::from_utf8(&password).unwrap()));
    }
}
