//! Receivers over real sockets: a real MQTT broker, a media socket that answers hello and sends SRTP, and a simulation against it.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use loa_protocol::command::{Order, Play};
use loa_protocol::hello::{Answer, Hello};
use loa_protocol::report::Outcome;
use loa_protocol::topic::{Downlink, Topic, Uplink};
use loa_protocol::{ReceiverId, UnixMicros};
use loa_receiver::{Enrolment, Micros};
use loa_simulator::fault::{Faults, Outage};
use loa_simulator::{Config, Error, News, Simulation};
use mqtt5::broker::config::{StorageBackend, StorageConfig, TlsConfig};
use mqtt5::broker::{BrokerConfig, BrokerShutdownHandle, MqttBroker};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use support::*;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

const LIMIT: Duration = Duration::from_secs(60);

fn now() -> UnixMicros {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    UnixMicros(since.as_micros() as u64)
}

#[derive(Clone, Copy)]
enum Way {
    Udp(SocketAddr),
    Mqtt,
}

/// As much of a server as a receiver needs.
struct Server {
    enrolments: Vec<Enrolment>,
    client: AsyncClient,
    socket: UdpSocket,
    ways: Mutex<HashMap<ReceiverId, Way>>,
    /// What is on the air.
    play: Mutex<Option<Play>>,
    numbers: Mutex<u64>,
}

/// Everything that runs; ends when it is dropped.
struct House {
    server: Arc<Server>,
    tasks: JoinSet<()>,
    broker: BrokerShutdownHandle,
}

impl Drop for House {
    fn drop(&mut self) {
        self.broker.shutdown();
        self.tasks.abort_all();
    }
}

impl House {
    async fn open(receivers: u8) -> Self {
        Self::open_with(receivers, None).await
    }

    /// With a certificate and its key (PEM files), receivers are to come by TLS.
    async fn open_with(receivers: u8, tls: Option<(PathBuf, PathBuf)>) -> Self {
        // Nothing on disk: a broker of its own for each test.
        let storage = StorageConfig {
            backend: StorageBackend::Memory,
            enable_persistence: false,
            ..StorageConfig::new()
        };
        let config = BrokerConfig::default()
            .with_bind_address(([127, 0, 0, 1], 0))
            .with_storage(storage);
        let config = match &tls {
            Some((certificate, key)) => {
                config.with_tls(TlsConfig::new(certificate.clone(), key.clone()).with_bind_address(([127, 0, 0, 1], 0)))
            }
            None => config,
        };
        let mut broker = MqttBroker::with_config(config).await.unwrap();
        let secured = broker.tls_local_addr().map(|address| address.port());
        let port = broker.local_addr().unwrap().port();
        let handle = broker.shutdown_handle();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _ = broker.run().await;
        });
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let media = socket.local_addr().unwrap().port();
        let (client, mut events) = AsyncClient::new(MqttOptions::new("server", "127.0.0.1", port), 1000);
        for kind in [Uplink::Presence, Uplink::Media] {
            client
                .try_subscribe(Topic::every(kind).as_str(), QoS::AtLeastOnce)
                .unwrap();
        }
        let server = Arc::new(Server {
            enrolments: (1..=receivers)
                .map(|n| enrolment(n, secured.unwrap_or(port), media))
                .collect(),
            client,
            socket,
            ways: Mutex::default(),
            play: Mutex::default(),
            numbers: Mutex::default(),
        });
        let hearing = server.clone();
        tasks.spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = hearing.socket.recv_from(&mut buffer).await {
                if let Some(answer) = hearing.answer(&buffer[..length], Way::Udp(from)) {
                    hearing.socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        let listening = server.clone();
        tasks.spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        listening.message(&message.topic, &message.payload)
                    }
                    Ok(_) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        Self {
            server,
            tasks,
            broker: handle,
        }
    }

    /// Puts a programme on the air.
    fn air(&mut self, programme: &Arc<Programme>, play: Play) {
        *self.server.play.lock().unwrap() = Some(play);
        for to in &self.server.enrolments {
            self.server.order(to, Order::Play(play));
        }
        let (server, programme) = (self.server.clone(), programme.clone());
        let began = (Instant::now(), now());
        self.tasks.spawn(async move {
            for (index, payload) in (0..).zip(&programme.packets) {
                let due = sent_at(&play, index).since(began.1).max(0).unsigned_abs();
                sleep_until(began.0 + Duration::from_micros(due)).await;
                for to in &server.enrolments {
                    server.send(to, &sealed(&play, to, index, payload)).await;
                }
            }
        });
    }
}

impl Server {
    fn find(&self, id: ReceiverId) -> Option<&Enrolment> {
        self.enrolments.iter().find(|enrolment| enrolment.receiver == id)
    }

    fn answer(&self, datagram: &[u8], way: Way) -> Option<Vec<u8>> {
        let t2 = now();
        let key = self.find(Hello::claimed(datagram)?)?.secret.hello_key();
        let hello = Hello::open(&key, datagram).ok()?;
        if hello.clock_set && !hello.probe {
            self.ways.lock().unwrap().insert(hello.receiver, way);
        }
        Some(
            Answer {
                t1: hello.t1,
                t2,
                t3: now(),
            }
            .seal(&key)
            .to_vec(),
        )
    }

    fn message(&self, topic: &str, payload: &[u8]) {
        match Topic::parse(topic) {
            Some(Topic::Up(id, Uplink::Presence)) if payload == b"1" => {
                let Some(to) = self.find(id) else { return };
                self.order(to, everything_allowed());
                let play = *self.play.lock().unwrap();
                if let Some(play) = play {
                    self.order(to, Order::Play(play));
                }
            }
            Some(Topic::Up(id, Uplink::Media)) => {
                if let Some(answer) = self.answer(payload, Way::Mqtt) {
                    self.publish(id, Downlink::Media, answer);
                }
            }
            _ => {}
        }
    }

    fn order(&self, to: &Enrolment, order: Order) {
        let number = {
            let mut number = self.numbers.lock().unwrap();
            *number += 1;
            *number
        };
        self.publish(to.receiver, Downlink::Command, command(to, number, now(), order));
    }

    fn publish(&self, to: ReceiverId, kind: Downlink, payload: Vec<u8>) {
        let topic = Topic::Down(to, kind).text();
        self.client
            .try_publish(topic.as_str(), QoS::AtLeastOnce, false, payload)
            .unwrap();
    }

    async fn send(&self, to: &Enrolment, datagram: &[u8]) {
        let way = self.ways.lock().unwrap().get(&to.receiver).copied();
        match way {
            Some(Way::Udp(address)) => {
                self.socket.send_to(datagram, address).await.unwrap();
            }
            Some(Way::Mqtt) => self.publish(to.receiver, Downlink::Media, datagram.to_vec()),
            None => {}
        }
    }
}

fn wav(folder: &Path, receiver: u8) -> Vec<i16> {
    let name = format!("{receiver:02x}").repeat(16);
    let mut wav = hound::WavReader::open(folder.join(name).with_extension("wav")).unwrap();
    wav.samples().map(Result::unwrap).collect()
}

#[tokio::test]
async fn receivers_play_count_their_losses_and_survive_a_reboot() {
    let mut house = House::open(4).await;
    let folder = tempfile::tempdir().unwrap();
    let simulation = Simulation::start(Config {
        faults: Faults {
            loss: 0.05,
            ..Faults::default()
        },
        seed: 11,
        wav_folder: Some(folder.path().into()),
        ..Config::new(house.server.enrolments.clone())
    })
    .unwrap();
    let mut events = simulation.events();
    timeout(LIMIT, simulation.wait_ready()).await.expect("all are ready");

    let programme = Arc::new(Programme::new(6.0));
    let play = programme.play(3, now().offset(1_000_000));
    house.air(&programme, play);
    let mut playing = 0;
    while playing < 4 {
        let event = timeout(LIMIT, events.recv()).await.expect("all play").unwrap();
        playing += u32::from(event.news == News::Playing(play.broadcast));
    }
    simulation.reboot(3).await;
    timeout(LIMIT, simulation.wait_ended(play.broadcast))
        .await
        .expect("all have ended");
    let report = simulation.stop().await.unwrap();

    let mut lost = 0;
    for (n, receiver) in report.receivers.iter().enumerate() {
        let [broadcast] = &receiver.broadcasts[..] else {
            panic!("{receiver:?}")
        };
        let receipt = broadcast.receipt.as_ref().unwrap();
        let samples = wav(folder.path(), n as u8 + 1);
        assert_eq!(samples.len() as u64, receiver.samples);
        // A busy machine may hold a task up for longer than sound is handed out ahead, once in a while.
        assert!(
            receiver.muted == 0 && receiver.overdue < samples.len() as u64 / 4,
            "{receiver:?}"
        );
        if n == 3 {
            assert_eq!(
                (receiver.boots, receipt.outcome),
                (2, Outcome::Interrupted),
                "{receiver:?}"
            );
            assert!(receipt.played > 0 && receipt.played < programme.samples, "{receipt:?}");
            continue;
        }
        assert!(broadcast.played_fully(), "{receiver:?}");
        assert_eq!(broadcast.network.offered, programme.packets.len() as u64);
        assert_eq!(receipt.lost, broadcast.network.unusable(), "{receiver:?}");
        assert!(
            broadcast.first_at.unwrap().abs_diff(play.start.0) < 20_000,
            "{broadcast:?}"
        );
        lost += receipt.lost;
        // Up to the first loss, sample for sample what was sent.
        let same = samples
            .iter()
            .zip(&programme.decoded)
            .take_while(|(a, b)| a == b)
            .count();
        assert!(
            receipt.lost > 0 && same > 2880 || same == samples.len(),
            "{same} samples are the same"
        );
    }
    assert!(lost > 0, "the seed loses some");
    assert!(report.json().contains("\"outcome\": \"played\""));
}

#[tokio::test]
async fn without_udp_the_same_sound_comes_over_mqtt() {
    let mut house = House::open(2).await;
    let folder = tempfile::tempdir().unwrap();
    let simulation = Simulation::start(Config {
        faults: Faults {
            udp_shut: true,
            ..Faults::default()
        },
        wav_folder: Some(folder.path().into()),
        ..Config::new(house.server.enrolments.clone())
    })
    .unwrap();
    timeout(LIMIT, simulation.wait_ready()).await.expect("all are ready");
    let programme = Arc::new(Programme::new(3.0));
    let play = programme.play(4, now().offset(1_500_000));
    house.air(&programme, play);
    timeout(LIMIT, simulation.wait_played(1))
        .await
        .expect("all have played");
    let report = simulation.stop().await.unwrap();
    for (n, receiver) in report.receivers.iter().enumerate() {
        assert!(receiver.broadcasts[0].played_fully(), "{receiver:?}");
        assert_eq!(receiver.broadcasts[0].network.offered, 0, "nothing came by UDP");
        assert!(wav(folder.path(), n as u8 + 1) == programme.decoded);
    }
}

#[tokio::test]
async fn an_outage_costs_what_falls_into_it_and_no_more() {
    let mut house = House::open(2).await;
    let outage = Outage {
        from: Micros(4 * SECOND),
        to: Micros(5 * SECOND),
    };
    let simulation = Simulation::start(Config {
        faults: Faults {
            outages: vec![outage],
            ..Faults::default()
        },
        ..Config::new(house.server.enrolments.clone())
    })
    .unwrap();
    let mut events = simulation.events();
    timeout(LIMIT, simulation.wait_ready()).await.expect("all are ready");
    let programme = Arc::new(Programme::new(6.0));
    let play = programme.play(6, now().offset(1_000_000));
    house.air(&programme, play);
    timeout(LIMIT, simulation.wait_ended(play.broadcast))
        .await
        .expect("all have ended");
    // Shorter than what MQTT takes for a dead line: the session goes on.
    while let Ok(event) = events.try_recv() {
        assert_ne!(event.news, News::NotReady);
    }
    for receiver in simulation.stop().await.unwrap().receivers {
        let [broadcast] = &receiver.broadcasts[..] else {
            panic!("{receiver:?}")
        };
        let receipt = broadcast.receipt.as_ref().unwrap();
        // A second of packets of 60 ms.
        assert!((15..=18).contains(&broadcast.network.in_outage), "{receiver:?}");
        assert_eq!(receipt.lost, broadcast.network.unusable(), "{receiver:?}");
        assert_eq!(receiver.boots, 1);
    }
}

#[tokio::test]
async fn a_broker_must_prove_itself_to_the_enrolled_authority() {
    let folder = tempfile::tempdir().unwrap();
    let authority = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        (certificate.der().to_vec(), rcgen::Issuer::new(params, key))
    };
    let (ca, issuer) = authority("the enrolled one");
    let (other, _) = authority("another");
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let files = (folder.path().join("broker.pem"), folder.path().join("broker.key"));
    std::fs::write(&files.0, certificate.pem()).unwrap();
    std::fs::write(&files.1, key.serialize_pem()).unwrap();

    let mut house = House::open_with(2, Some(files)).await;
    let mut enrolments = house.server.enrolments.clone();
    enrolments[0].mqtt_ca = Some(ca.into_iter().collect());
    enrolments[1].mqtt_ca = Some(other.into_iter().collect());
    let simulation = Simulation::start(Config::new(enrolments)).unwrap();
    let mut events = simulation.events();
    let programme = Arc::new(Programme::new(1.0));
    loop {
        let event = timeout(LIMIT, events.recv()).await.expect("the first plays").unwrap();
        match event.news {
            News::Ready => {
                assert_eq!(event.receiver, 0, "only the first trusts this broker");
                house.air(&programme, programme.play(5, now().offset(1_000_000)));
            }
            News::Ended(..) => break,
            _ => {}
        }
    }
    let report = simulation.stop().await.unwrap();
    assert!(report.receivers[0].broadcasts[0].played_fully(), "{report:?}");
    assert!(
        !report.receivers[1].ready && report.receivers[1].samples == 0,
        "{report:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_simulated_is_refused_and_nothing_runs() {
    assert!(matches!(Simulation::start(Config::new(vec![])), Err(Error::Nobody)));
    let faults = Faults {
        loss: 2.0,
        ..Faults::default()
    };
    let one = || vec![enrolment(1, 1, 1)];
    assert!(matches!(
        Simulation::start(Config {
            faults,
            ..Config::new(one())
        }),
        Err(Error::Fault(_))
    ));
    let mut tls = enrolment(1, 1, 1);
    tls.mqtt_ca = Some([1, 2, 3].into_iter().collect());
    assert!(matches!(
        Simulation::start(Config::new(vec![tls])),
        Err(Error::Authority(_))
    ));
}
