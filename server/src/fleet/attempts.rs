//! Anything that a receiver, or somebody who owns the broker, says over MQTT; see `crate::attempts`.

use loa_protocol::key::Secret;
use loa_protocol::topic::{Topic, Uplink};
use loa_protocol::{MAX_MESSAGE, ReceiverId, cose};

use super::mailbox::{Mailbox, News};

const ME: ReceiverId = ReceiverId([7; 16]);
const SECRET: Secret = Secret([3; 32]);

thread_local! {
    static KEY: [u8; 32] = SECRET.report_key();
}

/// The first byte says what it is: any text as a topic and what follows it; or a topic of the receiver that is known, with any bytes
/// as its payload; or any bytes under a seal that fits, as from a receiver whose firmware was replaced.
pub(crate) fn messages(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    let mut mailbox = Mailbox::default();
    mailbox.replace([(ME, SECRET)]);
    let uplink = [Uplink::Presence, Uplink::Telemetry, Uplink::Receipt, Uplink::Media][usize::from(kind >> 2) % 4];
    let topic = Topic::Up(ME, uplink).text();
    match kind % 3 {
        0 => {
            let (topic, payload) = rest.split_at(rest.len() / 2);
            let _ = mailbox.open(&String::from_utf8_lossy(topic), payload);
        }
        1 => {
            let news = mailbox.open(&topic, rest);
            let proven = matches!(news, Ok(News::Telemetry(..) | News::Receipt(..)));
            assert!(!proven, "a report without the key was believed");
        }
        _ => KEY.with(|key| {
            let context: &[u8] = match uplink {
                Uplink::Receipt => b"loa/1 receipt",
                _ => b"loa/1 telemetry",
            };
            let mut message = [0; MAX_MESSAGE];
            if let Ok(length) = cose::mac0(key, context, rest, &mut message) {
                let first = mailbox.open(&topic, &message[..length]).is_ok();
                let again = mailbox.open(&topic, &message[..length]).is_ok();
                let report = matches!(uplink, Uplink::Telemetry | Uplink::Receipt);
                assert!(!(report && first && again), "a report was taken twice");
            }
        }),
    }
}
