//! What must hold of every decoder for every input, whoever made it: no panic, and what is accepted can be written again and
//! read as the same. Used by `mutations.rs` and by the fuzz targets in `protocol/fuzz`.
//!
//! An input stands for a whole message, and, where messages are authenticated, also for what somebody with the key put into
//! one: otherwise nothing but the envelope would ever be tried.

#![allow(unreachable_pub, reason = "the fuzz targets use it from another crate")]

use crate::keys::{SSRC, STREAM, device_key, ephemeral_key, secret, signing_key};
use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes128Gcm, KeyInit};
use loa_protocol::claim::{Answer as ClaimAnswer, Code, Configuration, Request};
use loa_protocol::command::Command;
use loa_protocol::enrolment::{Enrolment, MAX_ENROLMENT};
use loa_protocol::hello::{Answer, Hello};
use loa_protocol::key::Secret;
use loa_protocol::report::{Receipt, Telemetry};
use loa_protocol::rotation::Rotation;
use loa_protocol::rtp::{self, Header, SenderReport};
use loa_protocol::srtp::{self, Opener, SessionKeys};
use loa_protocol::succession::Trust;
use loa_protocol::topic::Topic;
use loa_protocol::{ClaimId, MAX_DATAGRAM, MAX_MESSAGE, ReceiverId, UnixMicros, cose};

/// Gives an input to a decoder and panics if something does not hold.
pub type Attempt = fn(&[u8]);

/// Every decoder: a name, and what tries it.
pub const ALL: [(&str, Attempt); 16] = [
    ("command", command),
    ("telemetry", telemetry),
    ("receipt", receipt),
    ("succession", succession),
    ("rotation", rotation),
    ("claim_request", claim_request),
    ("claim_answer", claim_answer),
    ("claim_configuration", claim_configuration),
    ("claim_code", claim_code),
    ("hello", hello),
    ("answer", answer),
    ("enrolment", enrolment),
    ("rtp", rtp),
    ("rtcp", rtcp),
    ("srtp", srtp),
    ("topic", topic),
];

pub fn command(input: &[u8]) {
    let key = signing_key();
    let again = |command: &Command| {
        let mut out = [0; MAX_MESSAGE];
        // What had unknown keys is shorter now, so that it fits.
        let length = command.seal(&key, &mut out).expect("what was read can be written");
        assert_eq!(
            Command::open(&key.verifying_key(), &out[..length]).as_ref(),
            Ok(command)
        );
    };
    // Nobody without the key makes a command; what is changed in one is noticed, but for what is not signed.
    if let Ok(command) = Command::open(&key.verifying_key(), input) {
        again(&command);
    }
    let mut message = [0; MAX_MESSAGE];
    if let Ok(length) = cose::sign1(&key, b"loa/1 command", input, &mut message)
        && let Ok(command) = Command::open(&key.verifying_key(), &message[..length])
    {
        again(&command);
    }
}

pub fn telemetry(input: &[u8]) {
    let key = secret().report_key();
    let again = |telemetry: &Telemetry| {
        let mut out = [0; MAX_MESSAGE];
        let length = telemetry.seal(&key, &mut out).expect("what was read can be written");
        assert_eq!(Telemetry::open(&key, &out[..length]).as_ref(), Ok(telemetry));
    };
    if let Ok(telemetry) = Telemetry::open(&key, input) {
        again(&telemetry);
    }
    let mut message = [0; MAX_MESSAGE];
    if let Ok(length) = cose::mac0(&key, b"loa/1 telemetry", input, &mut message)
        && let Ok(telemetry) = Telemetry::open(&key, &message[..length])
    {
        again(&telemetry);
    }
}

pub fn receipt(input: &[u8]) {
    let key = secret().report_key();
    let again = |receipt: &Receipt| {
        let mut out = [0; MAX_MESSAGE];
        let length = receipt.seal(&key, &mut out).expect("what was read can be written");
        assert_eq!(Receipt::open(&key, &out[..length]).as_ref(), Ok(receipt));
    };
    if let Ok(receipt) = Receipt::open(&key, input) {
        again(&receipt);
    }
    let mut message = [0; MAX_MESSAGE];
    if let Ok(length) = cose::mac0(&key, b"loa/1 receipt", input, &mut message)
        && let Ok(receipt) = Receipt::open(&key, &message[..length])
    {
        again(&receipt);
    }
}

pub fn succession(input: &[u8]) {
    let key = signing_key();
    let trust = Trust {
        number: 1,
        key: key.verifying_key(),
    };
    let again = |next: &Trust| {
        assert_eq!(next.number, 2);
        let mut out = [0; MAX_MESSAGE];
        let length = next.seal(&key, &mut out).expect("what was read can be written");
        assert_eq!(trust.next(&out[..length]).as_ref(), Ok(next));
    };
    if let Ok(next) = trust.next(input) {
        again(&next);
        assert_eq!(trust.walk([input, input]), next, "no step is taken twice");
    }
    let mut message = [0; MAX_MESSAGE];
    if let Ok(length) = cose::sign1(&key, b"loa/1 succession", input, &mut message)
        && let Ok(next) = trust.next(&message[..length])
    {
        again(&next);
    }
}

pub fn rotation(input: &[u8]) {
    let key = secret().report_key();
    let again = |rotation: &Rotation| {
        let mut out = [0; MAX_MESSAGE];
        let length = rotation.seal(&key, &mut out).expect("what was read can be written");
        assert_eq!(Rotation::open(&key, &out[..length]).as_ref(), Ok(rotation));
        // Whatever it says, the server gets a secret or an error.
        let _ = ephemeral_key().next_secret(&rotation.receiver, &secret(), rotation.epoch);
    };
    if let Ok(rotation) = Rotation::open(&key, input) {
        again(&rotation);
    }
    let mut message = [0; MAX_MESSAGE];
    if let Ok(length) = cose::mac0(&key, b"loa/1 rotation", input, &mut message)
        && let Ok(rotation) = Rotation::open(&key, &message[..length])
    {
        again(&rotation);
    }
}

pub fn claim_request(input: &[u8]) {
    let id = device_key().public().claim();
    if let Ok(request) = Request::decode(id, input) {
        assert_eq!(request.device.claim(), id, "nobody asks in another's name");
        let mut out = [0; MAX_MESSAGE];
        let length = request.encode(&mut out).expect("what was read can be written");
        assert_eq!(Request::decode(id, &out[..length]), Ok(request));
    }
    let _ = Request::decode(ClaimId([0; 16]), input);
    let text = String::from_utf8_lossy(input);
    if let Some(id) = ClaimId::from_client(&text) {
        assert_eq!(id.client().as_str(), text, "no two clients are the same device");
    }
}

pub fn claim_answer(input: &[u8]) {
    let key = signing_key();
    let again = |answer: &ClaimAnswer| {
        let mut out = [0; MAX_MESSAGE];
        let length = answer.seal(&key, &mut out).expect("what was read can be written");
        assert_eq!(
            ClaimAnswer::open(&key.verifying_key(), &out[..length]).as_ref(),
            Ok(answer)
        );
    };
    if let Ok(answer) = ClaimAnswer::open(&key.verifying_key(), input) {
        again(&answer);
    }
    let mut message = [0; MAX_MESSAGE];
    if let Ok(length) = cose::sign1(&key, b"loa/1 claim", input, &mut message)
        && let Ok(answer) = ClaimAnswer::open(&key.verifying_key(), &message[..length])
    {
        again(&answer);
    }
}

pub fn claim_configuration(input: &[u8]) {
    let framed = |mark: &[u8; 4]| match u16::try_from(input.len()) {
        Ok(length) => [mark, &length.to_be_bytes()[..], input].concat(),
        Err(_) => Vec::new(),
    };
    for flash in [input.to_vec(), framed(b"LOA0")] {
        if let Ok(Some(configuration)) = Configuration::decode(&flash) {
            let mut out = [0; MAX_ENROLMENT];
            let length = configuration.encode(&mut out).expect("what was read can be written");
            assert_eq!(Configuration::decode(&out[..length]), Ok(Some(configuration)));
            assert_eq!(Enrolment::decode(&flash), Ok(None), "it is one or the other");
        }
    }
}

pub fn claim_code(input: &[u8]) {
    if let Some(code) = Code::parse(&String::from_utf8_lossy(input)) {
        assert_eq!(Code::parse(&code.to_string()), Some(code));
    }
}

pub fn hello(input: &[u8]) {
    let key = secret().hello_key();
    let _ = Hello::claimed(input);
    if let Ok(hello) = Hello::open(&key, input) {
        assert_eq!(Some(hello.receiver), Hello::claimed(input));
        assert_eq!(Hello::open(&key, &hello.seal(&key)), Ok(hello));
    }
    if let Some((id, rest)) = input.split_first_chunk::<16>()
        && let Some((t1, flags)) = rest.split_first_chunk::<8>()
    {
        let t1 = UnixMicros(u64::from_be_bytes(*t1));
        let flags = flags.first().copied().unwrap_or_default();
        let (clock_set, probe) = (flags & 1 != 0, flags & 2 != 0);
        let hello = Hello {
            receiver: ReceiverId(*id),
            t1,
            clock_set,
            probe,
        };
        assert_eq!(Hello::open(&key, &hello.seal(&key)), Ok(hello));
    }
}

pub fn answer(input: &[u8]) {
    let key = secret().hello_key();
    if let Ok(answer) = Answer::open(&key, input) {
        assert_eq!(answer.seal(&key)[..], *input);
    }
    if let Some(times) = input.first_chunk::<24>() {
        let time = |at: usize| UnixMicros(u64::from_be_bytes(core::array::from_fn(|i| times[at + i])));
        let answer = Answer {
            t1: time(0),
            t2: time(8),
            t3: time(16),
        };
        assert_eq!(Answer::open(&key, &answer.seal(&key)), Ok(answer));
    }
}

pub fn enrolment(input: &[u8]) {
    if let Ok(Some(enrolment)) = Enrolment::decode(input) {
        let mut out = [0; MAX_ENROLMENT];
        let length = enrolment.encode(&mut out).expect("what was read can be written");
        assert_eq!(Enrolment::decode(&out[..length]), Ok(Some(enrolment)));
    }
    // Framed, so that what is inside is tried too.
    if let Ok(length) = u16::try_from(input.len()) {
        let framed = [b"LOA1", &length.to_be_bytes()[..], input].concat();
        let _ = Enrolment::decode(&framed);
    }
}

pub fn rtp(input: &[u8]) {
    if let Ok(header) = Header::parse(input) {
        assert!(rtp::is_media(input) && header.length <= input.len() && header.payload_type < 128);
        if let Ok(payload) = header.payload(input) {
            assert!(header.length + payload.len() <= input.len());
        }
    }
    assert!(rtp::is_media(input) || !rtp::is_rtcp(input));
}

pub fn rtcp(input: &[u8]) {
    if let Ok(report) = SenderReport::parse(input) {
        assert!(rtp::is_rtcp(input));
        // Exact but for the lowest bits of the NTP fraction, which are finer than a microsecond.
        assert_eq!(UnixMicros::from_ntp(report.at.to_ntp()), report.at);
    }
}

pub fn srtp(input: &[u8]) {
    // The vectors are sealed with the key of the tests, so that this is another.
    let mut stranger = Opener::new(&Secret([0x55; 32]).srtp(STREAM), SSRC);
    let mut packet = input.to_vec();
    assert!(
        stranger.rtp(&mut packet, 0).is_err(),
        "nobody makes a packet without the key"
    );
    let mut packet = input.to_vec();
    assert!(
        stranger.rtcp(&mut packet).is_err(),
        "nobody makes a report without the key"
    );
    let master = secret().srtp(STREAM);
    let mut opener = Opener::new(&master, SSRC);
    let _ = opener.rtcp(&mut input.to_vec());

    // Any plain packet that somebody with the key sealed opens as it was, once.
    let keys = SessionKeys::derive(&master);
    let mut packet = input[..input.len().min(MAX_DATAGRAM)].to_vec();
    if let Some(ssrc) = packet.get_mut(8..12) {
        ssrc.copy_from_slice(&SSRC.to_be_bytes());
    }
    if let Ok(header) = Header::parse(&packet) {
        let index = u64::from(header.sequence) + (3 << 16);
        let nonce = srtp::rtp_nonce(&keys.rtp_salt, SSRC, index);
        let plain = packet.clone();
        let (head, body) = packet.split_at_mut(header.length);
        let tag = Aes128Gcm::new(&keys.rtp_key.into()).encrypt_in_place_detached(&nonce.into(), head, body);
        packet.extend(tag.expect("far below the limit of GCM"));
        let opened = opener
            .rtp(&mut packet.clone(), index + 100)
            .map(|got| (got.0, got.1, got.2));
        assert_eq!(opened, Ok((index, header, plain.len())));
        assert!(opener.rtp(&mut packet, index + 100).is_err(), "a packet opens once");
    }
}

pub fn topic(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(topic) = Topic::parse(&text) {
        assert_eq!(topic.text().as_str(), text, "no two topics mean the same");
    }
}
