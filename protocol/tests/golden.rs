//! Golden vectors: the exact bytes of every message, kept for ever in `golden/*.hex`. A receiver that was built with one of
//! them must go on understanding what is built with any other, so a vector is never changed; new ones are added.
//!
//! Each vector is made here from its value and compared with its file, and its file is read and compared with the value. With
//! `LOA_NEW_GOLDEN=1` files of new vectors are written; those that are there stay as they are.

mod keys;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes128Gcm, KeyInit};
use keys::{SSRC, STREAM, device_key, ephemeral_key, secret, signing_key};
use loa_protocol::cbor::{self, WriteError, Writer};
use loa_protocol::claim::{self, Code, Configuration, Request};
use loa_protocol::command::{Authority, Command, MAX_AUTHORITY, Order, Play, Policy, Recipient, Rotate, Window};
use loa_protocol::enrolment::{Enrolment, MAX_ENROLMENT, Unfinished};
use loa_protocol::hello::{Answer, Hello};
use loa_protocol::precedence::Class;
use loa_protocol::report::{MediaPath, Outcome, Receipt, Serial, Telemetry, fingerprint};
use loa_protocol::rotation::Rotation;
use loa_protocol::rtp::{Header, SenderReport};
use loa_protocol::srtp::{self, Opener, SessionKeys};
use loa_protocol::succession::{FIRST, Trust};
use loa_protocol::{AreaId, BroadcastId, Error, MAX_MESSAGE, ReceiverId, SigningKey, UnixMicros, cose};

const RECEIVER: ReceiverId = ReceiverId([0x11; 16]);
const AREAS: [AreaId; 2] = [AreaId([0xA0; 16]), AreaId([0xA1; 16])];
const BROADCAST: BroadcastId = BroadcastId([0xB0; 16]);
/// 2026-12-01T05:30:00+07:00.
const MORNING: UnixMicros = UnixMicros(1_796_077_800_000_000);

/// The server's signing key after that of the other vectors.
fn next_signing_key() -> SigningKey {
    SigningKey::from_bytes(&[0x43; 32])
}

fn command(to: Recipient, order: Order) -> Command {
    Command {
        to,
        number: 7,
        issued: MORNING.offset(-60_000_000),
        expires: MORNING.offset(600_000_000),
        order,
    }
}

fn play() -> Play {
    Play {
        broadcast: BROADCAST,
        stream: STREAM,
        ssrc: SSRC,
        class: Class::Priority,
        depth: 3,
        start: MORNING,
        samples: 14_400_000,
        packet_samples: 2880,
        pre_skip: 312,
        overrides: false,
    }
}

/// Not a certificate, but as good as one here.
fn authority(alone: bool) -> Authority {
    Authority {
        certificate: (0..=255).cycle().take(MAX_AUTHORITY).collect(),
        alone,
    }
}

fn rotate() -> Rotate {
    Rotate {
        epoch: 1,
        server: ephemeral_key().public(),
    }
}

fn policy() -> Policy {
    Policy {
        volume_cap: 80,
        utc_offset: 420,
        allowed: [Window::daily(300, 390), Window::daily(1020, 1110)]
            .into_iter()
            .collect(),
        daily_minutes: None,
    }
}

fn telemetry() -> Telemetry {
    Telemetry {
        serial: Serial {
            boot: MORNING.0 - 3_600_000_000,
            number: 12,
        },
        at: MORNING,
        uptime: 3600,
        playing: None,
        volume: 80,
        path: MediaPath::Udp,
        round_trip: 23_456,
        clock_error: 789,
        expected: 100_000,
        lost: 17,
        refused_media: 2,
        refused_commands: 1,
        firmware: "0.1.0".try_into().expect("short"),
        board: "rp2350".try_into().expect("short"),
        ..Telemetry::default()
    }
}

fn receipt() -> Receipt {
    Receipt {
        serial: Serial {
            boot: MORNING.0 - 3_600_000_000,
            number: 13,
        },
        at: MORNING.offset(300_000_000),
        broadcast: BROADCAST,
        outcome: Outcome::Interrupted,
        planned: 14_400_000,
        played: 14_390_400,
        expected: 5001,
        received: 4990,
        lost: 11,
        late: 3,
        duplicate: 1,
        concealed: 31_680,
        level: Some(2315),
    }
}

fn enrolment() -> Enrolment {
    Enrolment {
        receiver: RECEIVER,
        secret: secret(),
        server_key: signing_key().verifying_key(),
        areas: AREAS.into_iter().collect(),
        mqtt_host: "mqtt.loa.example".try_into().expect("short"),
        mqtt_port: 8883,
        mqtt_ca: None,
        media_host: "192.0.2.1".try_into().expect("short"),
        media_port: 5004,
        key_number: FIRST,
        next_ca: None,
        epoch: 0,
        unfinished: None,
    }
}

fn hello() -> Hello {
    Hello {
        receiver: RECEIVER,
        t1: MORNING,
        clock_set: true,
        probe: false,
    }
}

fn answer() -> Answer {
    Answer {
        t1: MORNING,
        t2: MORNING.offset(11_000),
        t3: MORNING.offset(11_050),
    }
}

/// Reads bytes and panics if they give something else than they should.
type Check = Box<dyn Fn(&[u8])>;

/// A vector: its name, its bytes as they are made now, and what reading it must give.
struct Vector {
    name: &'static str,
    bytes: Vec<u8>,
    reads: Check,
}

fn vector<T: PartialEq + Debug + 'static>(
    name: &'static str,
    bytes: Vec<u8>,
    read: impl Fn(&[u8]) -> Result<T, Error> + 'static,
    expected: Result<T, Error>,
) -> Vector {
    Vector {
        name,
        bytes,
        reads: Box::new(move |bytes| assert_eq!(read(bytes), expected, "{name}")),
    }
}

fn open_command(bytes: &[u8]) -> Result<Command, Error> {
    Command::open(&signing_key().verifying_key(), bytes)
}

fn open_telemetry(bytes: &[u8]) -> Result<Telemetry, Error> {
    Telemetry::open(&secret().report_key(), bytes)
}

fn open_receipt(bytes: &[u8]) -> Result<Receipt, Error> {
    Receipt::open(&secret().report_key(), bytes)
}

fn written(write: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> Vec<u8> {
    let mut out = vec![0; MAX_ENROLMENT];
    let length = write(&mut out).expect("vectors fit");
    out.truncate(length);
    out
}

fn map(write: impl FnOnce(&mut Writer<'_>) -> Result<(), WriteError>) -> Vec<u8> {
    written(|out| cbor::encode(out, write))
}

/// A command whose payload is `payload`.
fn signed(payload: &[u8]) -> Vec<u8> {
    written(|out| cose::sign1(&signing_key(), b"loa/1 command", payload, out))
}

/// A report whose payload is `payload`.
fn reported(context: &str, payload: &[u8]) -> Vec<u8> {
    written(|out| cose::mac0(&secret().report_key(), context.as_bytes(), payload, out))
}

fn framed(body: &[u8]) -> Vec<u8> {
    [b"LOA1", &(body.len() as u16).to_be_bytes()[..], body].concat()
}

/// The head of every command: keys 1, 3, 4, 5.
fn head<'e, 'a>(e: &'e mut Writer<'a>, entries: u64) -> Result<&'e mut Writer<'a>, WriteError> {
    let it = command(Recipient::Receiver(RECEIVER), Order::Reboot);
    e.map(entries)?.u8(1)?.bytes(&RECEIVER.0)?.u8(3)?.u64(it.number)?;
    e.u8(4)?.u64(it.issued.0)?.u8(5)?.u64(it.expires.0)
}

fn commands() -> Vec<Vector> {
    let to = Recipient::Receiver(RECEIVER);
    let whole = |name, to, order| {
        let it = command(to, order);
        vector(name, written(|out| it.seal(&signing_key(), out)), open_command, Ok(it))
    };
    let mut all = vec![
        whole("command_play", to, Order::Play(play())),
        whole(
            "command_play_overrides",
            to,
            Order::Play(Play {
                overrides: true,
                class: Class::Emergency,
                ..play()
            }),
        ),
        whole("command_stop_area", Recipient::Area(AREAS[1]), Order::Stop(BROADCAST)),
        whole("command_volume", to, Order::Volume(65)),
        whole("command_reboot", to, Order::Reboot),
        whole("command_policy", to, Order::Policy(policy())),
        whole("command_areas", to, Order::Areas(AREAS.into_iter().collect())),
        whole("command_authority", to, Order::Authority(authority(false))),
        whole("command_authority_alone", to, Order::Authority(authority(true))),
        whole("command_rotate", to, Order::Rotate(rotate())),
        whole(
            "command_policy_week",
            to,
            Order::Policy(Policy {
                allowed: [
                    Window {
                        days: 0b001_1111,
                        ..Window::daily(300, 390)
                    },
                    Window {
                        volume: 55,
                        ..Window::daily(1260, 300)
                    },
                ]
                .into_iter()
                .collect(),
                ..policy()
            }),
        ),
        whole(
            "command_policy_daily_minutes",
            to,
            Order::Policy(Policy {
                daily_minutes: Some(90),
                ..policy()
            }),
        ),
    ];
    // Unknown keys, before, between and after the known ones, with values of every type.
    let unknown = map(|e| {
        e.map(9)?
            .u8(0)?
            .str("before")?
            .u8(1)?
            .bytes(&RECEIVER.0)?
            .u8(3)?
            .u64(7)?;
        e.u8(4)?
            .u64(MORNING.0 - 60_000_000)?
            .u8(5)?
            .u64(MORNING.0 + 600_000_000)?;
        e.u8(6)?.array(2)?.map(1)?.u8(1)?.null()?.f64(1.5)?;
        e.u8(13)?.bool(true)?.u8(15)?.i8(-5)?.u64(1 << 40)?.bytes(b"after")?;
        Ok(())
    });
    all.push(vector(
        "command_unknown",
        signed(&unknown),
        open_command,
        Ok(command(to, Order::Reboot)),
    ));
    let unknown = map(|e| {
        let p = play();
        let e = head(e, 5)?
            .u8(10)?
            .map(11)?
            .u8(1)?
            .bytes(&p.broadcast.0)?
            .u8(2)?
            .bytes(&p.stream.0)?;
        e.u8(3)?
            .u32(p.ssrc)?
            .u8(4)?
            .u8(1)?
            .u8(5)?
            .u8(p.depth)?
            .u8(6)?
            .u64(p.start.0)?
            .u8(7)?
            .u64(p.samples)?;
        e.u8(8)?
            .u16(p.packet_samples)?
            .u8(9)?
            .u16(p.pre_skip)?
            .u8(11)?
            .str("unknown")?
            .u16(999)?
            .array(0)?;
        Ok(())
    });
    all.push(vector(
        "command_play_unknown",
        signed(&unknown),
        open_command,
        Ok(command(to, Order::Play(play()))),
    ));
    let unknown = map(|e| {
        let e = head(e, 5)?.u8(14)?.map(5)?.u8(1)?.u8(80)?.u8(2)?.i16(420)?;
        e.u8(3)?
            .array(2)?
            .array(2)?
            .u16(300)?
            .u16(390)?
            .array(2)?
            .u16(1020)?
            .u16(1110)?;
        e.u8(5)?.bool(false)?.u8(6)?.null()?;
        Ok(())
    });
    all.push(vector(
        "command_policy_unknown",
        signed(&unknown),
        open_command,
        Ok(command(to, Order::Policy(policy()))),
    ));

    let bad = |name, payload: Vec<u8>, error| vector(name, signed(&payload), open_command, Err(error));
    let malformed = Error::Malformed;
    let whole = command(to, Order::Reboot);
    let mut forged = written(|out| whole.seal(&signing_key(), out));
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let reboot = map(|e| head(e, 5)?.u8(13)?.bool(true).map(|_| ()));
    let other = written(|out| cose::sign1(&signing_key(), b"loa/1 update", &reboot, out));
    let mac = written(|out| cose::mac0(&secret().report_key(), b"loa/1 command", &reboot, out));
    let mut algorithm = signed(&reboot);
    algorithm[5] = 0x26;
    all.extend([
        vector(
            "command_bad_forged",
            forged.clone(),
            open_command,
            Err(Error::Unauthentic),
        ),
        vector("command_bad_context", other, open_command, Err(Error::Unauthentic)),
        vector(
            "command_bad_algorithm",
            algorithm,
            open_command,
            Err(Error::Unauthentic),
        ),
        vector("command_bad_mac0", mac, open_command, Err(malformed("COSE envelope"))),
        vector(
            "command_bad_cut",
            forged[..80].to_vec(),
            open_command,
            Err(malformed("CBOR")),
        ),
        vector(
            "command_bad_longer",
            [&signed(&reboot)[..], &[0]].concat(),
            open_command,
            Err(malformed("COSE envelope")),
        ),
        bad(
            "command_bad_no_order",
            map(|e| head(e, 4).map(|_| ())),
            Error::Missing("order"),
        ),
        bad(
            "command_bad_no_recipient",
            map(|e| {
                e.map(4)?
                    .u8(3)?
                    .u8(7)?
                    .u8(4)?
                    .u8(1)?
                    .u8(5)?
                    .u8(2)?
                    .u8(13)?
                    .bool(true)
                    .map(|_| ())
            }),
            Error::Missing("recipient"),
        ),
        bad(
            "command_bad_two_recipients",
            map(|e| {
                e.map(6)?
                    .u8(1)?
                    .bytes(&RECEIVER.0)?
                    .u8(2)?
                    .bytes(&AREAS[0].0)?
                    .u8(3)?
                    .u8(7)?;
                e.u8(4)?.u8(1)?.u8(5)?.u8(2)?.u8(13)?.bool(true).map(|_| ())
            }),
            malformed("command: two recipients"),
        ),
        bad(
            "command_bad_two_orders",
            map(|e| head(e, 6)?.u8(12)?.u8(50)?.u8(13)?.bool(true).map(|_| ())),
            malformed("command: two orders"),
        ),
        bad(
            "command_bad_key_order",
            map(|e| e.map(2)?.u8(3)?.u8(7)?.u8(1)?.bytes(&RECEIVER.0).map(|_| ())),
            malformed("CBOR: keys out of order"),
        ),
        bad(
            "command_bad_key_twice",
            map(|e| e.map(2)?.u8(3)?.u8(7)?.u8(3)?.u8(8).map(|_| ())),
            malformed("CBOR: keys out of order"),
        ),
        bad(
            "command_bad_indefinite",
            vec![0xBF, 0x03, 0x07, 0xFF],
            malformed("CBOR: map of indefinite length"),
        ),
        bad(
            "command_bad_trailing",
            [&reboot[..], &[0]].concat(),
            malformed("CBOR: bytes after the map"),
        ),
        bad(
            "command_bad_volume",
            map(|e| head(e, 5)?.u8(12)?.u8(101).map(|_| ())),
            Error::OutOfRange("per cent"),
        ),
        bad(
            "command_bad_reboot",
            map(|e| head(e, 5)?.u8(13)?.bool(false).map(|_| ())),
            Error::OutOfRange("reboot"),
        ),
        bad(
            "command_bad_stop",
            map(|e| head(e, 5)?.u8(11)?.bytes(&[0; 15]).map(|_| ())),
            malformed("broadcast"),
        ),
        bad(
            "command_bad_packet_samples",
            bad_play(2881, 1, 1),
            Error::OutOfRange("packet samples"),
        ),
        bad(
            "command_bad_samples",
            bad_play(2880, 86_400 * 48_000 + 1, 1),
            Error::OutOfRange("samples"),
        ),
        bad(
            "command_bad_rotate_area",
            map(|e| {
                e.map(5)?
                    .u8(2)?
                    .bytes(&AREAS[0].0)?
                    .u8(3)?
                    .u8(7)?
                    .u8(4)?
                    .u8(1)?
                    .u8(5)?
                    .u8(2)?;
                let key = ephemeral_key().public();
                e.u8(18)?.map(2)?.u8(1)?.u8(1)?.u8(2)?.bytes(&key.0).map(|_| ())
            }),
            Error::OutOfRange("recipient"),
        ),
        bad(
            "command_bad_rotate_epoch",
            map(|e| {
                let key = ephemeral_key().public();
                head(e, 5)?
                    .u8(18)?
                    .map(2)?
                    .u8(1)?
                    .u8(0)?
                    .u8(2)?
                    .bytes(&key.0)
                    .map(|_| ())
            }),
            Error::OutOfRange("epoch"),
        ),
        bad(
            "command_bad_authority",
            map(|e| {
                let long = [0; MAX_AUTHORITY + 1];
                head(e, 5)?.u8(17)?.map(1)?.u8(1)?.bytes(&long).map(|_| ())
            }),
            Error::OutOfRange("certificate"),
        ),
        bad(
            "command_bad_areas",
            map(|e| {
                let e = head(e, 5)?.u8(16)?.array(9)?;
                (0..9).try_for_each(|n| e.bytes(&[n; 16]).map(|_| ()))
            }),
            Error::OutOfRange("areas"),
        ),
        bad("command_bad_class", bad_play(2880, 1, 3), Error::OutOfRange("class")),
        bad(
            "command_bad_window",
            bad_policy(1440, 0),
            Error::OutOfRange("allowed hours"),
        ),
        bad(
            "command_bad_utc_offset",
            bad_policy(0, 1441),
            Error::OutOfRange("UTC offset"),
        ),
    ]);
    all
}

fn bad_play(packet_samples: u16, samples: u64, class: u8) -> Vec<u8> {
    map(|e| {
        let p = play();
        let e = head(e, 5)?
            .u8(10)?
            .map(9)?
            .u8(1)?
            .bytes(&p.broadcast.0)?
            .u8(2)?
            .bytes(&p.stream.0)?;
        e.u8(3)?
            .u32(p.ssrc)?
            .u8(4)?
            .u8(class)?
            .u8(5)?
            .u8(p.depth)?
            .u8(6)?
            .u64(p.start.0)?;
        e.u8(7)?
            .u64(samples)?
            .u8(8)?
            .u16(packet_samples)?
            .u8(9)?
            .u16(p.pre_skip)?;
        Ok(())
    })
}

fn bad_policy(from: u16, utc_offset: i16) -> Vec<u8> {
    map(|e| {
        let e = head(e, 5)?.u8(14)?.map(3)?.u8(1)?.u8(80)?.u8(2)?.i16(utc_offset)?;
        e.u8(3)?.array(1)?.array(2)?.u16(from)?.u16(60)?;
        Ok(())
    })
}

fn reports() -> Vec<Vector> {
    let key = secret().report_key();
    let playing = Telemetry {
        playing: Some(BROADCAST),
        path: MediaPath::Mqtt,
        ..telemetry()
    };
    let keyed = Telemetry {
        key_number: 3,
        secret_epoch: 2,
        authority: Some(fingerprint(&authority(false).certificate)),
        area: Some(AREAS[1]),
        ..telemetry()
    };
    let silent = Receipt {
        level: None,
        outcome: Outcome::Failed,
        played: 0,
        ..receipt()
    };
    let few = Telemetry {
        serial: Serial { boot: 5, number: 6 },
        ..Telemetry::default()
    };
    let telemetry_unknown = map(|e| {
        e.map(4)?
            .u8(1)?
            .u8(5)?
            .u8(2)?
            .u8(6)?
            .u8(7)?
            .u8(9)?
            .u8(200)?
            .str("later")
            .map(|_| ())
    });
    let receipt_unknown = map(|e| {
        e.map(5)?
            .u8(1)?
            .u8(5)?
            .u8(2)?
            .u8(6)?
            .u8(4)?
            .bytes(&BROADCAST.0)?
            .u8(5)?
            .u8(1)?;
        e.u8(15)?.array(1)?.map(0)?;
        Ok(())
    });
    let begun = Receipt {
        serial: Serial { boot: 5, number: 6 },
        broadcast: BROADCAST,
        outcome: Outcome::Playing,
        ..Receipt::default()
    };
    let no_serial = map(|e| e.map(1)?.u8(1)?.u8(5).map(|_| ()));
    let outcome = map(|e| {
        e.map(4)?
            .u8(1)?
            .u8(5)?
            .u8(2)?
            .u8(6)?
            .u8(4)?
            .bytes(&BROADCAST.0)?
            .u8(5)?
            .u8(6)
            .map(|_| ())
    });
    let long = map(|e| {
        e.map(3)?
            .u8(1)?
            .u8(5)?
            .u8(2)?
            .u8(6)?
            .u8(14)?
            .str("a name of 25 bytes, no mo")
            .map(|_| ())
    });
    let mut forged = written(|out| telemetry().seal(&key, out));
    forged[40] ^= 0x80;
    vec![
        vector(
            "telemetry",
            written(|out| telemetry().seal(&key, out)),
            open_telemetry,
            Ok(telemetry()),
        ),
        vector(
            "telemetry_playing",
            written(|out| playing.seal(&key, out)),
            open_telemetry,
            Ok(playing),
        ),
        vector(
            "telemetry_keys",
            written(|out| keyed.seal(&key, out)),
            open_telemetry,
            Ok(keyed),
        ),
        // A path that is not known yet reads as none; absent fields read as 0.
        vector(
            "telemetry_unknown",
            reported("loa/1 telemetry", &telemetry_unknown),
            open_telemetry,
            Ok(few),
        ),
        vector(
            "receipt",
            written(|out| receipt().seal(&key, out)),
            open_receipt,
            Ok(receipt()),
        ),
        vector(
            "receipt_silent",
            written(|out| silent.seal(&key, out)),
            open_receipt,
            Ok(silent),
        ),
        vector(
            "receipt_unknown",
            reported("loa/1 receipt", &receipt_unknown),
            open_receipt,
            Ok(begun),
        ),
        vector(
            "telemetry_bad_no_serial",
            reported("loa/1 telemetry", &no_serial),
            open_telemetry,
            Err(Error::Missing("serial")),
        ),
        vector(
            "telemetry_bad_name",
            reported("loa/1 telemetry", &long),
            open_telemetry,
            Err(Error::OutOfRange("name")),
        ),
        vector("telemetry_bad_forged", forged, open_telemetry, Err(Error::Unauthentic)),
        vector(
            "receipt_bad_context",
            written(|out| telemetry().seal(&key, out)),
            open_receipt,
            Err(Error::Unauthentic),
        ),
        vector(
            "receipt_bad_outcome",
            reported("loa/1 receipt", &outcome),
            open_receipt,
            Err(Error::OutOfRange("outcome")),
        ),
    ]
}

fn rotations() -> Vec<Vector> {
    let it = Rotation {
        serial: Serial {
            boot: MORNING.0 - 3_600_000_000,
            number: 14,
        },
        at: MORNING,
        epoch: 1,
        receiver: device_key().public(),
        server: ephemeral_key().public(),
    };
    let key = secret().report_key();
    let read = |bytes: &[u8]| Rotation::open(&secret().report_key(), bytes);
    let whole = written(|out| it.seal(&key, out));
    let mut forged = whole.clone();
    forged[60] ^= 1;
    let unknown = map(|e| {
        e.map(7)?
            .u8(1)?
            .u64(it.serial.boot)?
            .u8(2)?
            .u8(14)?
            .u8(3)?
            .u64(it.at.0)?;
        e.u8(4)?
            .u8(1)?
            .u8(5)?
            .bytes(&it.receiver.0)?
            .u8(6)?
            .bytes(&it.server.0)?;
        e.u8(7)?.array(1)?.null().map(|_| ())
    });
    let no_serial = map(|e| {
        e.map(4)?.u8(3)?.u64(it.at.0)?.u8(4)?.u8(1)?;
        e.u8(5)?.bytes(&it.receiver.0)?.u8(6)?.bytes(&it.server.0).map(|_| ())
    });
    vec![
        vector("rotation", whole, read, Ok(it)),
        vector("rotation_unknown", reported("loa/1 rotation", &unknown), read, Ok(it)),
        vector("rotation_bad_forged", forged, read, Err(Error::Unauthentic)),
        vector(
            "rotation_bad_context",
            reported("loa/1 telemetry", &unknown),
            read,
            Err(Error::Unauthentic),
        ),
        vector(
            "rotation_bad_no_serial",
            reported("loa/1 rotation", &no_serial),
            read,
            Err(Error::Missing("serial")),
        ),
    ]
}

fn successions() -> Vec<Vector> {
    let trust = Trust {
        number: FIRST,
        key: signing_key().verifying_key(),
    };
    let next = Trust {
        number: 2,
        key: next_signing_key().verifying_key(),
    };
    let read = move |bytes: &[u8]| trust.next(bytes);
    let signed =
        |context: &str, payload: &[u8]| written(|out| cose::sign1(&signing_key(), context.as_bytes(), payload, out));
    let body = |number: u32, key: &[u8]| {
        map(|e| {
            e.map(3)?.u8(1)?.u32(number)?.u8(2)?.bytes(key)?;
            e.u8(9)?.str("unknown").map(|_| ())
        })
    };
    let key = *next.key.as_bytes();
    // The neutral element: what claims to be signed with it could be by anybody.
    let weak: [u8; 32] = core::array::from_fn(|i| u8::from(i == 0));
    vec![
        vector(
            "succession",
            written(|out| next.seal(&signing_key(), out)),
            read,
            Ok(next),
        ),
        vector(
            "succession_unknown",
            signed("loa/1 succession", &body(2, &key)),
            read,
            Ok(next),
        ),
        vector(
            "succession_bad_own",
            written(|out| next.seal(&next_signing_key(), out)),
            read,
            Err(Error::Unauthentic),
        ),
        vector(
            "succession_bad_context",
            signed("loa/1 command", &body(2, &key)),
            read,
            Err(Error::Unauthentic),
        ),
        vector(
            "succession_bad_number",
            signed("loa/1 succession", &body(3, &key)),
            read,
            Err(Error::OutOfRange("number")),
        ),
        vector(
            "succession_bad_weak",
            signed("loa/1 succession", &body(2, &weak)),
            read,
            Err(Error::OutOfRange("server key")),
        ),
    ]
}

fn claims() -> Vec<Vector> {
    let device = device_key().public();
    let request = Request {
        device,
        firmware: "0.1.0".try_into().expect("short"),
        board: "rp2350".try_into().expect("short"),
        key_number: FIRST,
    };
    let answer = claim::Answer {
        device,
        server: ephemeral_key().public(),
        receiver: RECEIVER,
        areas: AREAS.into_iter().collect(),
        media_host: "192.0.2.1".try_into().expect("short"),
        media_port: 5004,
        epoch: 0,
    };
    let replacing = claim::Answer {
        epoch: 3,
        ..answer.clone()
    };
    let flashed = Configuration {
        device: None,
        server_key: signing_key().verifying_key(),
        mqtt_host: "mqtt.loa.example".try_into().expect("short"),
        mqtt_port: 8883,
        mqtt_ca: Some((0..=255).collect()),
        key_number: FIRST,
        next_ca: None,
    };
    let begun = Configuration {
        device: Some(device_key()),
        server_key: next_signing_key().verifying_key(),
        key_number: 2,
        next_ca: Some(authority(false).certificate),
        ..flashed.clone()
    };
    let read = move |bytes: &[u8]| Request::decode(device.claim(), bytes);
    let read_answer = |bytes: &[u8]| claim::Answer::open(&signing_key().verifying_key(), bytes);
    let read_code = |bytes: &[u8]| Ok(core::str::from_utf8(bytes).ok().and_then(Code::parse));
    let code = device.claim().code();
    let asked = written(|out| request.encode(out));
    let mut other = asked.clone();
    other[10] ^= 1;
    let no_enrolment = map(|e| e.map(2)?.u8(1)?.bytes(&device.0)?.u8(2)?.bytes(&device.0).map(|_| ()));
    let no_enrolment = written(|out| cose::sign1(&signing_key(), b"loa/1 claim", &no_enrolment, out));
    let text = |name, text: String| vector(name, text.into_bytes(), read_code, Ok(Some(code)));
    vec![
        vector("claim_request", asked, read, Ok(request)),
        vector("claim_request_bad_key", other, read, Err(Error::Unauthentic)),
        vector(
            "claim_answer",
            written(|out| answer.seal(&signing_key(), out)),
            read_answer,
            Ok(answer.clone()),
        ),
        vector(
            "claim_answer_replacing",
            written(|out| replacing.seal(&signing_key(), out)),
            read_answer,
            Ok(replacing),
        ),
        vector(
            "claim_answer_bad_signer",
            written(|out| answer.seal(&next_signing_key(), out)),
            read_answer,
            Err(Error::Unauthentic),
        ),
        vector(
            "claim_answer_bad_empty",
            no_enrolment,
            read_answer,
            Err(Error::Missing("enrolment")),
        ),
        vector(
            "claim_configuration",
            written(|out| flashed.encode(out)),
            Configuration::decode,
            Ok(Some(flashed)),
        ),
        vector(
            "claim_configuration_begun",
            written(|out| begun.encode(out)),
            Configuration::decode,
            Ok(Some(begun)),
        ),
        vector(
            "claim_configuration_bad_enrolled",
            written(|out| enrolment().encode(out)),
            Configuration::decode,
            Ok(None),
        ),
        vector(
            "claim_configuration_bad_empty",
            b"LOA0\0\x01\xA0".to_vec(),
            Configuration::decode,
            Err(Error::Missing("server key")),
        ),
        text("claim_code", code.to_string()),
        text("claim_code_qr", format!("{}{code}", claim::QR)),
        text(
            "claim_code_typed",
            code.to_string().replace('-', " ").replace('0', "o").to_lowercase(),
        ),
    ]
}

fn hellos() -> Vec<Vector> {
    let key = secret().hello_key();
    let first = Hello {
        clock_set: false,
        t1: UnixMicros(1_234_567),
        ..hello()
    };
    let probe = Hello { probe: true, ..hello() };
    let mut forged = hello().seal(&key).to_vec();
    forged[24] ^= 4;
    let mut later = hello().seal(&key).to_vec();
    later[1] = 2;
    let read = |bytes: &[u8]| Hello::open(&secret().hello_key(), bytes);
    let read_answer = |bytes: &[u8]| Answer::open(&secret().hello_key(), bytes);
    vec![
        vector("hello", hello().seal(&key).to_vec(), read, Ok(hello())),
        vector("hello_clock_not_set", first.seal(&key).to_vec(), read, Ok(first)),
        vector("hello_probe", probe.seal(&key).to_vec(), read, Ok(probe)),
        vector("answer", answer().seal(&key).to_vec(), read_answer, Ok(answer())),
        vector("hello_bad_forged", forged, read, Err(Error::Unauthentic)),
        vector("hello_bad_version", later, read, Err(Error::Malformed("hello"))),
        vector(
            "hello_bad_short",
            hello().seal(&key)[..51].to_vec(),
            read,
            Err(Error::Malformed("hello")),
        ),
        vector(
            "answer_bad_kind",
            hello().seal(&key).to_vec(),
            read_answer,
            Err(Error::Malformed("answer to hello")),
        ),
    ]
}

fn enrolments() -> Vec<Vector> {
    let ca: Vec<u8> = (0..=255).collect();
    let tls = Enrolment {
        mqtt_ca: Some(ca.into_iter().collect()),
        ..enrolment()
    };
    let rotating = Enrolment {
        secret: device_key()
            .next_secret(&ephemeral_key().public(), &secret(), 1)
            .expect("a good key"),
        server_key: next_signing_key().verifying_key(),
        mqtt_ca: Some((0..=255).collect()),
        key_number: 2,
        next_ca: Some(authority(false).certificate),
        epoch: 1,
        unfinished: Some(Unfinished {
            secret: secret(),
            server: ephemeral_key().public(),
            receiver: device_key().public(),
        }),
        ..enrolment()
    };
    let whole = |it: &Enrolment| written(|out| it.encode(out));
    let body = |entries: u64, key: &'static [u8], host: &'static str| {
        map(|e| {
            e.map(entries)?
                .u8(1)?
                .bytes(&RECEIVER.0)?
                .u8(2)?
                .bytes(&secret().0)?
                .u8(3)?
                .bytes(key)?;
            e.u8(4)?
                .array(2)?
                .bytes(&AREAS[0].0)?
                .bytes(&AREAS[1].0)?
                .u8(5)?
                .str(host)?
                .u8(6)?
                .u16(8883)?;
            e.u8(8)?.str("192.0.2.1")?.u8(9)?.u16(5004)?;
            if entries == 10 {
                e.u8(10)?.map(1)?.u8(1)?.str("unknown")?.u8(99)?.bool(true)?;
            }
            Ok(())
        })
    };
    let key: &'static [u8; 32] = Box::leak(Box::new(*signing_key().verifying_key().as_bytes()));
    // Not the y coordinate of any point (RFC 8032 §5.1.3).
    let no_key: &[u8; 32] = &{
        let mut key = [0; 32];
        key[0] = 2;
        key
    };
    let no_key: &'static [u8; 32] = Box::leak(Box::new(*no_key));
    let cut = whole(&enrolment())[..40].to_vec();
    let bad = |name, bytes, error| vector(name, bytes, Enrolment::decode, Err(error));
    vec![
        vector(
            "enrolment",
            whole(&enrolment()),
            Enrolment::decode,
            Ok(Some(enrolment())),
        ),
        vector("enrolment_tls", whole(&tls), Enrolment::decode, Ok(Some(tls))),
        vector(
            "enrolment_rotating",
            whole(&rotating),
            Enrolment::decode,
            Ok(Some(rotating.clone())),
        ),
        vector(
            "enrolment_unknown",
            framed(&body(10, key, "mqtt.loa.example")),
            Enrolment::decode,
            Ok(Some(enrolment())),
        ),
        vector("enrolment_erased", vec![0xFF; 32], Enrolment::decode, Ok(None)),
        bad("enrolment_bad_cut", cut, Error::Malformed("enrolment: cut short")),
        bad(
            "enrolment_bad_key",
            framed(&body(8, no_key, "mqtt.loa.example")),
            Error::OutOfRange("server key"),
        ),
        bad(
            "enrolment_bad_host",
            framed(&body(8, key, "")),
            Error::OutOfRange("host"),
        ),
        bad("enrolment_bad_empty", framed(&[0xA0]), Error::Missing("receiver")),
    ]
}

/// The plain RTP packet number `index` of the stream.
fn plain_rtp(index: u64) -> Vec<u8> {
    let mut packet = vec![0x80, 111];
    packet.extend((index as u16).to_be_bytes());
    packet.extend(((index * 2880) as u32).to_be_bytes());
    packet.extend(SSRC.to_be_bytes());
    packet.extend(b"\x18 as good as Opus");
    packet
}

/// The plain sender report: at `MORNING` the RTP time stamp is 96 000.
fn plain_report() -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend(SSRC.to_be_bytes());
    packet.extend(MORNING.to_ntp().to_be_bytes());
    for word in [96_000u32, 34, 5678] {
        packet.extend(word.to_be_bytes());
    }
    packet
}

fn sealed_rtp(index: u64) -> Vec<u8> {
    let keys = SessionKeys::derive(&secret().srtp(STREAM));
    let mut packet = plain_rtp(index);
    let (head, body) = packet.split_at_mut(12);
    let nonce = srtp::rtp_nonce(&keys.rtp_salt, SSRC, index).into();
    let tag = Aes128Gcm::new(&keys.rtp_key.into()).encrypt_in_place_detached(&nonce, head, body);
    packet.extend(tag.expect("far below the limit of GCM"));
    packet
}

fn sealed_report(index: u32) -> Vec<u8> {
    let keys = SessionKeys::derive(&secret().srtp(STREAM));
    let mut packet = plain_report();
    let trailer = (1 << 31 | index).to_be_bytes();
    let (head, body) = packet.split_at_mut(8);
    let aad = [&*head, &trailer].concat();
    let nonce = srtp::rtcp_nonce(&keys.rtcp_salt, SSRC, index).into();
    let tag = Aes128Gcm::new(&keys.rtcp_key.into()).encrypt_in_place_detached(&nonce, &aad, body);
    packet.extend(tag.expect("far below the limit of GCM"));
    packet.extend(trailer);
    packet
}

fn media() -> Vec<Vector> {
    let everything = [
        &[0xB1, 0xEF, 0x12, 0x34, 0, 0, 0x0B, 0x40][..],
        &SSRC.to_be_bytes(),
        &[0, 0, 0, 1, 0xBE, 0xDE, 0, 1, 9, 9, 9, 9, b'o', b'p', 0, 2],
    ]
    .concat();
    let header = Header {
        payload_type: 111,
        marker: true,
        padding: true,
        sequence: 0x1234,
        timestamp: 2880,
        ssrc: SSRC,
        length: 24,
    };
    let payload = |bytes: &[u8]| Ok(Header::parse(bytes)?.payload(bytes)?.to_vec());
    let read = |bytes: &[u8]| {
        let header = Header::parse(bytes)?;
        Ok((header, header.payload(bytes)?.to_vec()))
    };
    let report = SenderReport {
        ssrc: SSRC,
        at: MORNING,
        timestamp: 96_000,
        packets: 34,
        bytes: 5678,
    };
    // Near is what the receiver's clock says: the packet after the second wrap of the sequence number.
    let open = |bytes: &[u8]| {
        let mut packet = bytes.to_vec();
        let (index, header, end) = Opener::new(&secret().srtp(STREAM), SSRC).rtp(&mut packet, 131_000)?;
        Ok((index, header.payload(&packet[..end])?.to_vec()))
    };
    let open_report = |bytes: &[u8]| {
        let mut packet = bytes.to_vec();
        let end = Opener::new(&secret().srtp(STREAM), SSRC).rtcp(&mut packet)?;
        SenderReport::parse(&packet[..end])
    };
    let mut changed = sealed_rtp(131_074);
    changed[14] ^= 1;
    let mut clear = sealed_report(5);
    let flag = clear.len() - 4;
    clear[flag] &= 0x7F;
    let mut other = sealed_rtp(131_074);
    other[11] ^= 1;
    vec![
        vector("rtp", plain_rtp(131_074), payload, Ok(b"\x18 as good as Opus".to_vec())),
        vector("rtp_everything", everything.clone(), read, Ok((header, b"op".to_vec()))),
        vector(
            "rtp_bad_short",
            everything[..23].to_vec(),
            payload,
            Err(Error::Malformed("RTP packet")),
        ),
        vector(
            "rtp_bad_version",
            [&[0x40], &everything[1..]].concat(),
            payload,
            Err(Error::Malformed("RTP packet")),
        ),
        vector(
            "rtp_bad_padding",
            [&everything[..27], &[200]].concat(),
            payload,
            Err(Error::Malformed("RTP padding")),
        ),
        vector("rtcp", plain_report(), SenderReport::parse, Ok(report)),
        vector(
            "rtcp_bad_length",
            plain_report()[..24].to_vec(),
            SenderReport::parse,
            Err(Error::Malformed("RTCP sender report")),
        ),
        vector(
            "srtp",
            sealed_rtp(131_074),
            open,
            Ok((131_074, b"\x18 as good as Opus".to_vec())),
        ),
        vector("srtp_bad_changed", changed, open, Err(Error::Unauthentic)),
        vector("srtp_bad_ssrc", other, open, Err(Error::Unauthentic)),
        vector(
            "srtp_bad_short",
            sealed_rtp(0)[..27].to_vec(),
            open,
            Err(Error::Malformed("SRTP packet")),
        ),
        // Under an index that lies elsewhere: another rollover counter, another nonce.
        vector("srtp_bad_rollover", sealed_rtp(2), open, Err(Error::Unauthentic)),
        vector("srtcp", sealed_report(5), open_report, Ok(report)),
        vector("srtcp_bad_clear", clear, open_report, Err(Error::Unauthentic)),
    ]
}

fn derived_keys() -> Vec<Vector> {
    let session = SessionKeys::derive(&secret().srtp(STREAM));
    let master = secret().srtp(STREAM);
    let next = device_key().next_secret(&ephemeral_key().public(), &secret(), 1);
    let next = next.expect("a good key");
    let claimed = ephemeral_key().granted_secret(&device_key().public());
    let claimed = claimed.expect("a good key");
    let same = |bytes: &[u8]| Ok(bytes.to_vec());
    let key = |name, bytes: Vec<u8>| vector(name, bytes.clone(), same, Ok(bytes));
    vec![
        key("key_secret", secret().0.to_vec()),
        key("key_mqtt_password", secret().mqtt_password().to_vec()),
        key("key_hello", secret().hello_key().to_vec()),
        key("key_report", secret().report_key().to_vec()),
        key("key_srtp_master", [&master.key[..], &master.salt].concat()),
        key(
            "key_srtp_session",
            [
                &session.rtp_key[..],
                &session.rtp_salt,
                &session.rtcp_key,
                &session.rtcp_salt,
            ]
            .concat(),
        ),
        key("key_device_private", device_key().to_bytes().to_vec()),
        key("key_device_public", device_key().public().0.to_vec()),
        key("key_ephemeral_private", ephemeral_key().to_bytes().to_vec()),
        key("key_ephemeral_public", ephemeral_key().public().0.to_vec()),
        key("key_next_secret", next.0.to_vec()),
        key("key_claimed_secret", claimed.0.to_vec()),
        key("key_command_next_private", next_signing_key().to_bytes().to_vec()),
        key("key_command_private", signing_key().to_bytes().to_vec()),
        key("key_command_public", signing_key().verifying_key().as_bytes().to_vec()),
    ]
}

fn topics() -> Vec<Vector> {
    use loa_protocol::topic::{ClaimWord, Downlink, Topic, Uplink};
    let read = |bytes: &[u8]| Ok(core::str::from_utf8(bytes).ok().and_then(Topic::parse));
    let claim = device_key().public().claim();
    let topic = |name, topic: Topic| vector(name, topic.text().as_bytes().to_vec(), read, Ok(Some(topic)));
    vec![
        topic("topic_command", Topic::Down(RECEIVER, Downlink::Command)),
        topic("topic_media", Topic::Down(RECEIVER, Downlink::Media)),
        topic("topic_presence", Topic::Up(RECEIVER, Uplink::Presence)),
        topic("topic_telemetry", Topic::Up(RECEIVER, Uplink::Telemetry)),
        topic("topic_receipt", Topic::Up(RECEIVER, Uplink::Receipt)),
        topic("topic_uplink", Topic::Up(RECEIVER, Uplink::Media)),
        topic("topic_succession", Topic::Down(RECEIVER, Downlink::Succession)),
        topic("topic_rotation", Topic::Up(RECEIVER, Uplink::Rotation)),
        topic("topic_claim_request", Topic::Claim(claim, ClaimWord::Request)),
        topic("topic_claim_answer", Topic::Claim(claim, ClaimWord::Answer)),
        topic("topic_area_command", Topic::Area(AREAS[0])),
    ]
}

fn all() -> Vec<Vector> {
    [
        commands(),
        reports(),
        rotations(),
        successions(),
        claims(),
        hellos(),
        enrolments(),
        media(),
        derived_keys(),
        topics(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .chunks(32)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n")
        .collect()
}

fn parse(text: &str) -> Vec<u8> {
    let digits: String = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits"))
        .collect()
}

#[test]
fn every_vector_is_written_and_read_as_ever() {
    let new = std::env::var_os("LOA_NEW_GOLDEN").is_some();
    for vector in all() {
        let path = folder().join(vector.name).with_extension("hex");
        if new && !path.exists() {
            std::fs::write(&path, hex(&vector.bytes)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let kept = parse(&text);
        assert_eq!(
            hex(&vector.bytes),
            hex(&kept),
            "{} is written differently than it ever was",
            vector.name
        );
        (vector.reads)(&kept);
    }
}

#[test]
fn every_file_has_its_vector() {
    let names: BTreeSet<String> = all().into_iter().map(|vector| format!("{}.hex", vector.name)).collect();
    let files = std::fs::read_dir(folder()).unwrap();
    let files: BTreeSet<String> = files
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, names);
    assert_eq!(names.len(), all().len(), "two vectors have the same name");
}

/// The unprotected header is not authenticated: anybody may add to it, and nothing may come of it.
#[test]
fn what_is_not_protected_changes_nothing() {
    let it = command(Recipient::Receiver(RECEIVER), Order::Reboot);
    let message = written(|out| it.seal(&signing_key(), out));
    // Tag, array, protected header of three bytes; then the empty map.
    assert_eq!(message[6], 0xA0);
    let added = [&message[..6], &[0xA1, 0x04, 0x42, 1, 2], &message[7..]].concat();
    assert_eq!(open_command(&added), Ok(it));
    assert!(added.len() < MAX_MESSAGE);
}
