//! Whatever value is written is read as the same, and never under another key or as another kind.

use loa_protocol::agreement::{PrivateKey, PublicKey};
use loa_protocol::claim::{Answer, Configuration, Request};
use loa_protocol::command::{
    Authority, Command, MAX_AUTHORITY, MAX_WINDOWS, Order, Play, Policy, Recipient, Rotate, Window,
};
use loa_protocol::enrolment::{Enrolment, MAX_ENROLMENT, Unfinished};
use loa_protocol::key::Secret;
use loa_protocol::precedence::Class;
use loa_protocol::report::{MediaPath, Outcome, Receipt, Serial, Telemetry};
use loa_protocol::rotation::Rotation;
use loa_protocol::succession::Trust;
use loa_protocol::{AreaId, BroadcastId, ClaimId, Error, MAX_MESSAGE, ReceiverId, SigningKey, StreamId, UnixMicros};
use proptest::array::uniform32;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn id() -> impl Strategy<Value = [u8; 16]> {
    proptest::array::uniform16(any::<u8>())
}

fn time() -> impl Strategy<Value = UnixMicros> {
    any::<u64>().prop_map(UnixMicros)
}

fn play() -> impl Strategy<Value = Play> {
    let who = (id(), id(), any::<u32>(), 0u8..3, any::<u8>());
    let what = (time(), 1u64..=86_400 * 48_000, 1u16..=48, any::<u16>(), any::<bool>());
    (who, what).prop_map(
        |((broadcast, stream, ssrc, class, depth), (start, samples, grains, pre_skip, overrides))| Play {
            broadcast: BroadcastId(broadcast),
            stream: StreamId(stream),
            ssrc,
            class: Class::try_from(class).expect("one of three"),
            depth,
            start,
            samples,
            packet_samples: grains * 120,
            pre_skip,
            overrides,
        },
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    let window = (0u16..1440, 1u16..=1440, 0u8..128, 0u8..=100).prop_map(|(from, to, days, volume)| Window {
        from,
        to,
        days,
        volume,
    });
    (
        0u8..=100,
        -1440i16..=1440,
        vec(window, 0..=MAX_WINDOWS),
        option::of(any::<u16>()),
    )
        .prop_map(|(volume_cap, utc_offset, allowed, daily_minutes)| Policy {
            volume_cap,
            utc_offset,
            allowed: allowed.into_iter().collect(),
            daily_minutes,
        })
}

fn command() -> impl Strategy<Value = Command> {
    let to = prop_oneof![
        id().prop_map(|id| Recipient::Receiver(ReceiverId(id))),
        id().prop_map(|id| Recipient::Area(AreaId(id)))
    ];
    let order = prop_oneof![
        play().prop_map(Order::Play),
        id().prop_map(|id| Order::Stop(BroadcastId(id))),
        (0u8..=100).prop_map(Order::Volume),
        Just(Order::Reboot),
        policy().prop_map(Order::Policy),
    ];
    let own = prop_oneof![
        vec(id(), 0..=8).prop_map(|path| Order::Areas(path.into_iter().map(AreaId).collect())),
        (vec(any::<u8>(), 1..=MAX_AUTHORITY), any::<bool>()).prop_map(|(der, alone)| Order::Authority(Authority {
            certificate: der.into_iter().collect(),
            alone
        })),
        (1u32.., uniform32(any::<u8>())).prop_map(|(epoch, key)| Order::Rotate(Rotate {
            epoch,
            server: PublicKey(key)
        })),
    ];
    let own = (id().prop_map(|id| Recipient::Receiver(ReceiverId(id))), own);
    (prop_oneof![(to, order), own], any::<u64>(), time(), time()).prop_map(|((to, order), number, issued, expires)| {
        Command {
            to,
            number,
            issued,
            expires,
            order,
        }
    })
}

fn serial() -> impl Strategy<Value = Serial> {
    any::<(u64, u64)>().prop_map(|(boot, number)| Serial { boot, number })
}

fn name() -> impl Strategy<Value = heapless::String<24>> {
    "[ -~]{0,24}".prop_map(|text| text.as_str().try_into().expect("short enough"))
}

fn telemetry() -> impl Strategy<Value = Telemetry> {
    let path = prop_oneof![Just(MediaPath::None), Just(MediaPath::Udp), Just(MediaPath::Mqtt)];
    let first = (
        serial(),
        time(),
        any::<u32>(),
        option::of(id()),
        0u8..=100,
        path,
        any::<u32>(),
        any::<u32>(),
    );
    let second = (any::<u64>(), any::<u64>(), any::<u32>(), any::<u32>(), name(), name());
    let third = (
        any::<u32>(),
        any::<u32>(),
        option::of(any::<[u8; 8]>()),
        option::of(id()),
    );
    (first, second, third).prop_map(
        |((serial, at, uptime, playing, volume, path, round_trip, clock_error), second, third)| Telemetry {
            serial,
            at,
            uptime,
            playing: playing.map(BroadcastId),
            volume,
            path,
            round_trip,
            clock_error,
            expected: second.0,
            lost: second.1,
            refused_media: second.2,
            refused_commands: second.3,
            firmware: second.4,
            board: second.5,
            key_number: third.0,
            secret_epoch: third.1,
            authority: third.2,
            area: third.3.map(AreaId),
        },
    )
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let outcome = prop::sample::select(vec![
        Outcome::Received,
        Outcome::Playing,
        Outcome::Played,
        Outcome::Interrupted,
        Outcome::Failed,
        Outcome::Refused,
    ]);
    (
        serial(),
        time(),
        id(),
        outcome,
        any::<[u64; 8]>(),
        option::of(any::<u16>()),
    )
        .prop_map(|(serial, at, broadcast, outcome, counts, level)| {
            let [planned, played, expected, received, lost, late, duplicate, concealed] = counts;
            let broadcast = BroadcastId(broadcast);
            Receipt {
                serial,
                at,
                broadcast,
                outcome,
                planned,
                played,
                expected,
                received,
                lost,
                late,
                duplicate,
                concealed,
                level,
            }
        })
}

fn enrolment() -> impl Strategy<Value = Enrolment> {
    let who = (id(), uniform32(any::<u8>()), uniform32(any::<u8>()), vec(id(), 0..=8));
    let mqtt = (
        "[a-z0-9.:-]{1,128}",
        any::<u16>(),
        option::of(vec(any::<u8>(), 0..=1024)),
    );
    let unfinished = any::<[[u8; 32]; 3]>().prop_map(|[secret, server, receiver]| Unfinished {
        secret: Secret(secret),
        server: PublicKey(server),
        receiver: PublicKey(receiver),
    });
    let later = (
        any::<u32>(),
        option::of(vec(any::<u8>(), 0..=MAX_AUTHORITY)),
        any::<u32>(),
        option::of(unfinished),
    );
    let media = ("[a-z0-9.:-]{1,128}", any::<u16>());
    (who, mqtt, media, later).prop_map(|(who, mqtt, (media_host, media_port), later)| Enrolment {
        receiver: ReceiverId(who.0),
        secret: Secret(who.1),
        server_key: SigningKey::from_bytes(&who.2).verifying_key(),
        areas: who.3.into_iter().map(AreaId).collect(),
        mqtt_host: mqtt.0.as_str().try_into().expect("short enough"),
        mqtt_port: mqtt.1,
        mqtt_ca: mqtt.2.map(|ca| ca.into_iter().collect()),
        media_host: media_host.as_str().try_into().expect("short enough"),
        media_port,
        key_number: later.0,
        next_ca: later.1.map(|ca| ca.into_iter().collect()),
        epoch: later.2,
        unfinished: later.3,
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let keys = any::<[[u8; 32]; 2]>();
    let place = (id(), vec(id(), 0..=8), "[a-z0-9.:-]{1,128}", any::<u16>(), any::<u32>());
    (keys, place).prop_map(|([device, server], place)| Answer {
        device: PublicKey(device),
        server: PublicKey(server),
        receiver: ReceiverId(place.0),
        areas: place.1.into_iter().map(AreaId).collect(),
        media_host: place.2.as_str().try_into().expect("short enough"),
        media_port: place.3,
        epoch: place.4,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn commands(command in command(), seed: [u8; 32], other: [u8; 32]) {
        let key = SigningKey::from_bytes(&seed);
        let mut out = [0; MAX_MESSAGE];
        let length = command.seal(&key, &mut out).unwrap();
        prop_assert_eq!(Command::open(&key.verifying_key(), &out[..length]), Ok(command.clone()));
        prop_assume!(seed != other);
        let other = SigningKey::from_bytes(&other).verifying_key();
        prop_assert_eq!(Command::open(&other, &out[..length]), Err(Error::Unauthentic));
        // Too small a buffer is an error, not half a message.
        prop_assert_eq!(command.seal(&key, &mut vec![0; length - 1]), Err(Error::BufferTooSmall));
    }

    #[test]
    fn reports(telemetry in telemetry(), receipt in receipt(), key: [u8; 32], other: [u8; 32]) {
        let mut out = [0; MAX_MESSAGE];
        let length = telemetry.seal(&key, &mut out).unwrap();
        prop_assert_eq!(Telemetry::open(&key, &out[..length]), Ok(telemetry));
        prop_assert_eq!(Receipt::open(&key, &out[..length]), Err(Error::Unauthentic));
        let length = receipt.seal(&key, &mut out).unwrap();
        prop_assert_eq!(Receipt::open(&key, &out[..length]), Ok(receipt));
        prop_assert_eq!(Telemetry::open(&key, &out[..length]), Err(Error::Unauthentic));
        prop_assume!(key != other);
        prop_assert_eq!(Receipt::open(&other, &out[..length]), Err(Error::Unauthentic));
    }

    #[test]
    fn enrolments(enrolment in enrolment()) {
        let mut out = [0xFF; MAX_ENROLMENT];
        let length = enrolment.encode(&mut out).unwrap();
        // What follows in flash does not matter.
        prop_assert_eq!(Enrolment::decode(&out), Ok(Some(enrolment.clone())));
        prop_assert_eq!(Enrolment::decode(&out[..length - 1]), Err(Error::Malformed("enrolment: cut short")));
        prop_assert_eq!(enrolment.encode(&mut vec![0; length - 1]), Err(Error::BufferTooSmall));
    }

    #[test]
    fn rotations(serials: [u64; 3], epoch: u32, keys: [[u8; 32]; 2], key: [u8; 32], other: [u8; 32]) {
        let rotation = Rotation {
            serial: Serial { boot: serials[0], number: serials[1] },
            at: UnixMicros(serials[2]),
            epoch,
            receiver: PublicKey(keys[0]),
            server: PublicKey(keys[1]),
        };
        let mut out = [0; MAX_MESSAGE];
        let length = rotation.seal(&key, &mut out).unwrap();
        prop_assert_eq!(Rotation::open(&key, &out[..length]), Ok(rotation));
        prop_assert_eq!(Telemetry::open(&key, &out[..length]), Err(Error::Unauthentic));
        prop_assume!(key != other);
        prop_assert_eq!(Rotation::open(&other, &out[..length]), Err(Error::Unauthentic));
    }

    #[test]
    fn successions(number in 1u32..u32::MAX, seeds: [[u8; 32]; 3]) {
        let [old, new, other] = seeds.map(|seed| SigningKey::from_bytes(&seed));
        let trust = |number, key: &SigningKey| Trust { number, key: key.verifying_key() };
        let mut out = [0; MAX_MESSAGE];
        let length = trust(number + 1, &new).seal(&old, &mut out).unwrap();
        let message = &out[..length];
        prop_assert_eq!(trust(number, &old).next(message), Ok(trust(number + 1, &new)));
        prop_assert_eq!(Command::open(&old.verifying_key(), message), Err(Error::Unauthentic));
        prop_assert_eq!(Answer::open(&old.verifying_key(), message), Err(Error::Unauthentic));
        prop_assume!(number > 1);
        prop_assert_eq!(trust(number - 1, &old).next(message), Err(Error::OutOfRange("number")));
        prop_assume!(seeds[0] != seeds[2]);
        prop_assert_eq!(trust(number, &other).next(message), Err(Error::Unauthentic));
    }

    #[test]
    fn claims(answer in answer(), device: [u8; 32], server: [u8; 32], seed: [u8; 32], firmware in name(), board in name()) {
        let (device, server) = (PrivateKey::new(device), PrivateKey::new(server));
        let id = device.public().claim();
        let request = Request { device: device.public(), firmware, board, key_number: 1 };
        let mut out = [0; MAX_MESSAGE];
        let length = request.encode(&mut out).unwrap();
        prop_assert_eq!(Request::decode(id, &out[..length]), Ok(request));
        prop_assert_eq!(Request::decode(server.public().claim(), &out[..length]).is_err(), id != server.public().claim());
        prop_assert_eq!(ClaimId::from_client(&id.client()), Some(id));

        let key = SigningKey::from_bytes(&seed);
        let answer = Answer { device: device.public(), server: server.public(), ..answer };
        let length = answer.seal(&key, &mut out).unwrap();
        prop_assert_eq!(Answer::open(&key.verifying_key(), &out[..length]), Ok(answer.clone()));
        prop_assert_eq!(Command::open(&key.verifying_key(), &out[..length]), Err(Error::Unauthentic));

        let configuration = Configuration {
            device: Some(device.clone()),
            server_key: key.verifying_key(),
            mqtt_host: "mqtt.loa.example".try_into().unwrap(),
            mqtt_port: 8883,
            mqtt_ca: Some([1, 2, 3].into_iter().collect()),
            key_number: 4,
            next_ca: None,
        };
        let mut flash = [0xFF; MAX_ENROLMENT];
        configuration.encode(&mut flash).unwrap();
        prop_assert_eq!(Configuration::decode(&flash), Ok(Some(configuration.clone())));
        prop_assert_eq!(Enrolment::decode(&flash), Ok(None));
        let enrolled = answer.clone().enrolment(&device, &configuration.trust(), &configuration).unwrap();
        prop_assert_eq!(Some(enrolled.secret), server.granted_secret(&device.public()).ok());
        // What is for another device makes nobody's enrolment.
        let stranger = answer.enrolment(&server, &configuration.trust(), &configuration);
        prop_assert_eq!(stranger.is_err(), device.public() != server.public());
    }

    #[test]
    fn what_no_receiver_would_take_is_not_written(command in command(), over in 101u8..) {
        let key = SigningKey::from_bytes(&[1; 32]);
        let order = match command.order {
            Order::Volume(_) | Order::Stop(_) | Order::Reboot => Order::Volume(over),
            Order::Play(play) => Order::Play(Play { packet_samples: play.packet_samples + 1, ..play }),
            Order::Policy(policy) => Order::Policy(Policy { volume_cap: over, ..policy }),
            Order::Rotate(rotate) => Order::Rotate(Rotate { epoch: 0, ..rotate }),
            own => own,
        };
        // Nor what is for one receiver, if it is addressed to many.
        let to = match order {
            Order::Areas(_) | Order::Authority(_) => Recipient::Area(AreaId([1; 16])),
            _ => command.to,
        };
        let command = Command { to, order, ..command };
        prop_assert!(matches!(command.seal(&key, &mut [0; MAX_MESSAGE]), Err(Error::OutOfRange(_))));
    }
}
