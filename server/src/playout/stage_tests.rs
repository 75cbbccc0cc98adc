//! The air as a whole: a real broker, real sockets, a receiver by the protocol's own crate. What it is given to keep is
//! kept in memory.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loa_protocol::agreement::PrivateKey;
use loa_protocol::command::{Command, Order, Play};
use loa_protocol::hello::{Answer, Hello};
use loa_protocol::key::Secret;
use loa_protocol::precedence::Class;
use loa_protocol::report::{Outcome, Receipt, Serial, Telemetry};
use loa_protocol::rotation::Rotation;
use loa_protocol::rtp;
use loa_protocol::srtp::Opener;
use loa_protocol::topic::{Downlink, Uplink};
use loa_protocol::{AreaId, BroadcastId, MAX_DATAGRAM, MAX_MESSAGE, ReceiverId, SigningKey, StreamId, UnixMicros};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::conductor::State;
use super::{Air, Archive, BroadcastRow, ClaimRow, Fact, Ground, Notice, ReceiverRow, Renewal, prepare};
use crate::broker::{Broker, Credentials, Listen, SERVER};
use crate::clock;
use crate::data::{Keyring, KnownKey};
use crate::enrol::Serials;
use crate::fleet;
use crate::fleet::test_receiver::{PATIENCE, Receiver, secret};
use crate::media::{self, Encoding, Limits, Programme};

const ME: ReceiverId = ReceiverId([1; 16]);
const ELSEWHERE: ReceiverId = ReceiverId([2; 16]);
const PROVINCE: AreaId = AreaId([3; 16]);
const COMMUNE: AreaId = AreaId([4; 16]);
const LATENCY: Duration = Duration::from_millis(400);

/// Keeps rows and facts in memory.
struct Shelf {
    receivers: Mutex<Vec<ReceiverRow>>,
    claims: Mutex<Vec<ClaimRow>>,
    broadcasts: Mutex<Vec<BroadcastRow>>,
    facts: mpsc::UnboundedSender<Fact>,
}

impl Archive for Shelf {
    type Error = Infallible;

    async fn receivers(&self) -> Result<Vec<ReceiverRow>, Infallible> {
        Ok(self.receivers.lock().unwrap().clone())
    }

    async fn receiver(&self, id: ReceiverId) -> Result<Option<ReceiverRow>, Infallible> {
        Ok(self.receivers.lock().unwrap().iter().find(|row| row.id == id).cloned())
    }

    async fn revoked(&self) -> Result<Vec<ReceiverId>, Infallible> {
        Ok(Vec::new())
    }

    async fn renew(&self, _: ReceiverId, _: u32, _: &Secret, _: Serial) -> Result<bool, Infallible> {
        Ok(true)
    }

    async fn renewed(&self, _: ReceiverId, _: u32, _: UnixMicros) -> Result<bool, Infallible> {
        Ok(true)
    }

    async fn keys(&self) -> Result<Vec<KnownKey>, Infallible> {
        Ok(Vec::new())
    }

    async fn claims(&self) -> Result<Vec<ClaimRow>, Infallible> {
        Ok(self.claims.lock().unwrap().clone())
    }

    async fn broadcast(&self, id: BroadcastId) -> Result<Option<BroadcastRow>, Infallible> {
        Ok(self.broadcasts.lock().unwrap().iter().find(|row| row.id == id).cloned())
    }

    async fn open_broadcasts(&self) -> Result<Vec<BroadcastRow>, Infallible> {
        Ok(self.broadcasts.lock().unwrap().clone())
    }

    async fn record(&self, fact: Fact) -> Result<(), Infallible> {
        // Nobody looks any more at the end of a test.
        let _ = self.facts.send(fact);
        Ok(())
    }
}

fn row(id: ReceiverId, areas: &[AreaId]) -> ReceiverRow {
    ReceiverRow {
        id,
        secret: secret(id),
        epoch: 0,
        renewal: None,
        last: Serials::default(),
        areas: areas.to_vec(),
        volume: 80,
        place: Default::default(),
        key_number: None,
    }
}

/// A running server, as far as the air goes.
struct Station {
    folder: tempfile::TempDir,
    programme: PathBuf,
    credentials: Arc<Credentials>,
    broker: SocketAddr,
    shutdown: watch::Sender<bool>,
    served: JoinHandle<()>,
}

impl Station {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (wav, programme) = (folder.path().join("tone.wav"), folder.path().join("tone.opus"));
        let made = process::Command::new("ffmpeg")
            .args([
                "-nostdin",
                "-loglevel",
                "error",
                "-f",
                "lavfi",
                "-i",
                "sine=duration=2:sample_rate=48000",
            ])
            .arg(&wav)
            .status();
        assert!(made.expect("ffmpeg is installed").success());
        let limits = Limits {
            bytes: 1 << 20,
            duration: Duration::from_secs(10),
        };
        media::ingest(&wav, &programme, Encoding::default(), limits).unwrap();
        let credentials = Arc::new(Credentials::default());
        let listen = Listen {
            plain: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            tls: None,
        };
        let broker = Broker::bind(listen, credentials.clone()).unwrap();
        let address = broker.address().unwrap();
        let (shutdown, ending) = watch::channel(false);
        let served = tokio::spawn(broker.run(ending));
        Self {
            folder,
            programme,
            credentials,
            broker: address,
            shutdown,
            served,
        }
    }

    fn air(&self, broadcasts: Vec<BroadcastRow>) -> OnAir {
        let ground = Ground {
            broker: fleet::Broker {
                host: self.broker.ip().to_string(),
                port: self.broker.port(),
                username: SERVER.to_owned(),
                password: self.credentials.password().to_owned(),
                tls: None,
            },
            credentials: Some(self.credentials.clone()),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            bindings: self.folder.path().join("bindings"),
            keys: Arc::new(Keyring::of_key(key())),
            trusted: Arc::default(),
            refresh: Box::new(|| {}),
            claims: Arc::default(),
            studio: crate::playout::Studio::silent(self.folder.path().to_owned()),
            latency: LATENCY,
            clock: clock::now,
        };
        let (sender, facts) = mpsc::unbounded_channel();
        let archive = Arc::new(Shelf {
            receivers: Mutex::new(vec![row(ME, &[PROVINCE, COMMUNE]), row(ELSEWHERE, &[PROVINCE])]),
            claims: Mutex::default(),
            broadcasts: Mutex::new(broadcasts),
            facts: sender,
        });
        let (air, program) = prepare(ground, archive.clone()).unwrap();
        let (shutdown, ending) = watch::channel(false);
        let task = tokio::spawn(program.run(ending));
        OnAir {
            air,
            archive,
            facts,
            shutdown,
            task,
        }
    }

    fn broadcast(&self, n: u8, start: i64) -> BroadcastRow {
        BroadcastRow {
            id: BroadcastId([n; 16]),
            class: Class::Priority,
            start: clock::now().offset(start),
            overrides: false,
            begun: start < 0,
            programme: self.programme.clone(),
            samples: open(&self.programme).samples(),
            live: None,
            areas: vec![COMMUNE],
            receivers: vec![],
        }
    }

    async fn stop(self) {
        self.shutdown.send(true).unwrap();
        self.served.await.unwrap();
    }
}

struct OnAir {
    air: Air,
    archive: Arc<Shelf>,
    facts: mpsc::UnboundedReceiver<Fact>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<Result<(), Infallible>>,
}

impl OnAir {
    fn accept(&self, row: &BroadcastRow) {
        self.archive.broadcasts.lock().unwrap().push(row.clone());
        self.air.notifier.tell(Notice::Accepted(row.id));
    }

    /// Waits for the state of `id`, and gives what else was written down until then.
    async fn until(&mut self, id: BroadcastId, state: State) -> Vec<Fact> {
        let mut before = Vec::new();
        loop {
            match tokio::time::timeout(PATIENCE, self.facts.recv())
                .await
                .unwrap()
                .unwrap()
            {
                Fact::Broadcast(of, now, _) if of == id && now == state => return before,
                fact => before.push(fact),
            }
        }
    }

    async fn stop(self) {
        self.shutdown.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn open(programme: &Path) -> Programme {
    Programme::open(programme).unwrap()
}

async fn order(receiver: &mut Receiver) -> Order {
    Command::open(&key().verifying_key(), &receiver.hear(Downlink::Command).await)
        .unwrap()
        .order
}

async fn play(receiver: &mut Receiver) -> Play {
    match order(receiver).await {
        Order::Play(play) => play,
        other => panic!("{other:?}"),
    }
}

fn hello() -> [u8; loa_protocol::hello::HELLO] {
    let hello = Hello {
        receiver: ME,
        t1: clock::now(),
        clock_set: true,
        probe: false,
    };
    hello.seal(&secret(ME).hello_key())
}

/// Opens media datagrams and checks that the programme's packets come in order.
struct Listener {
    opener: Opener,
    programme: Programme,
    start: Play,
    next: Option<u64>,
}

impl Listener {
    fn new(play: Play, programme: &Path) -> Self {
        let opener = Opener::new(&secret(ME).srtp(play.stream), play.ssrc);
        Self {
            opener,
            programme: open(programme),
            start: play,
            next: None,
        }
    }

    /// Takes a datagram; the index of the packet in it, if it is sound.
    fn take(&mut self, datagram: &mut [u8]) -> Option<u64> {
        assert!(rtp::is_media(datagram));
        if rtp::is_rtcp(datagram) {
            let length = self.opener.rtcp(datagram).unwrap();
            let report = rtp::SenderReport::parse(&datagram[..length]).unwrap();
            assert_eq!(report.ssrc, self.start.ssrc);
            return None;
        }
        let (index, header, length) = self.opener.rtp(datagram, self.next.unwrap_or_default()).unwrap();
        assert!(
            self.next.is_none_or(|next| next == index),
            "{index} after {:?}",
            self.next
        );
        assert_eq!(header.payload(&datagram[..length]).ok(), self.programme.packet(index));
        assert_eq!(
            u64::from(header.timestamp),
            index * u64::from(self.start.packet_samples)
        );
        self.next = Some(index + 1);
        Some(index)
    }

    fn done(&self) -> bool {
        self.next == Some(self.start.packets())
    }
}

async fn listen(socket: &UdpSocket, listener: &mut Listener) -> u64 {
    let mut first = None;
    while !listener.done() {
        let mut datagram = [0; MAX_DATAGRAM];
        let length = tokio::time::timeout(PATIENCE, socket.recv(&mut datagram))
            .await
            .unwrap()
            .unwrap();
        first = first.or(listener.take(&mut datagram[..length]));
    }
    first.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_acceptance_to_receipt_by_udp_and_over_mqtt() {
    let station = Station::start().await;
    let mut on_air = station.air(vec![]);
    let mut receiver = Receiver::start(ME, station.broker);
    // Who comes is told what it may do and how loud, before anything sounds.
    assert!(matches!(order(&mut receiver).await, Order::Policy(_)));
    assert_eq!(order(&mut receiver).await, Order::Volume(80));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(on_air.air.media).await.unwrap();
    socket.send(&hello()).await.unwrap();
    let mut answer = [0; MAX_DATAGRAM];
    let length = tokio::time::timeout(PATIENCE, socket.recv(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(Answer::open(&secret(ME).hello_key(), &answer[..length]).is_ok());

    let row = station.broadcast(1, 1_000_000);
    on_air.accept(&row);
    let told = play(&mut receiver).await;
    assert_eq!(
        (told.broadcast, told.start, told.samples),
        (row.id, row.start, 2 * 48_000)
    );
    assert_eq!((told.depth, told.class, told.overrides), (1, Class::Priority, false));
    let mut listener = Listener::new(told, &station.programme);
    assert_eq!(listen(&socket, &mut listener).await, 0);
    // The last packet comes before it sounds.
    assert!(clock::now() < told.end());
    let before = on_air.until(row.id, State::OnAir).await;
    let targeted = |fact: &Fact| matches!(fact, Fact::Targeted(id, who, _) if *id == row.id && who[..] == [ME]);
    assert!(before.iter().any(targeted), "{before:?}");
    assert!(
        before.iter().any(|fact| matches!(fact, Fact::Presence(ME, true, _))),
        "{before:?}"
    );

    let mut receipt = Receipt {
        broadcast: row.id,
        outcome: Outcome::Playing,
        ..Receipt::default()
    };
    for (number, outcome) in [(1, Outcome::Playing), (2, Outcome::Played)] {
        receipt.serial = Serial { boot: 1, number };
        receipt.outcome = outcome;
        let mut sealed = [0; MAX_MESSAGE];
        let length = receipt.seal(&secret(ME).report_key(), &mut sealed).unwrap();
        receiver.say(ME, Uplink::Receipt, sealed[..length].to_vec());
    }
    let before = on_air.until(row.id, State::Done).await;
    let kept = before
        .iter()
        .filter(|fact| matches!(fact, Fact::Receipt(ME, ..)))
        .count();
    assert_eq!(kept, 2, "{before:?}");
    // Not awaited for ever is another test's; here it was in at once.
    assert!(clock::now() < told.end().offset(5_000_000));

    // UDP is shut: hello and sound go over MQTT, and then it is stopped.
    receiver.say(ME, Uplink::Media, hello().to_vec());
    let answer = receiver.hear(Downlink::Media).await;
    assert!(Answer::open(&secret(ME).hello_key(), &answer).is_ok());
    let row = station.broadcast(2, 1_000_000);
    on_air.accept(&row);
    let mut listener = Listener::new(play(&mut receiver).await, &station.programme);
    while listener.next.is_none_or(|next| next < 3) {
        listener.take(&mut receiver.hear(Downlink::Media).await);
    }
    on_air.air.notifier.tell(Notice::Stopped(row.id));
    loop {
        let (topic, payload) = receiver.next().await;
        if topic.ends_with(Downlink::Command.name()) {
            let command = Command::open(&key().verifying_key(), &payload).unwrap();
            break assert_eq!(command.order, Order::Stop(row.id));
        }
    }
    on_air.until(row.id, State::Stopped).await;
    assert_eq!(on_air.air.transmitted.nowhere.get(), 0);
    on_air.stop().await;
    station.stop().await;
}

/// The server is started again in the middle of a broadcast: the receiver says nothing new, and hears on.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_the_air_is_on_the_air_again() {
    let station = Station::start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut receiver = Receiver::start(ME, station.broker);
    {
        let on_air = station.air(vec![]);
        socket.connect(on_air.air.media).await.unwrap();
        // Before it is read who there is, a hello is not answered.
        assert!(matches!(order(&mut receiver).await, Order::Policy(_)));
        socket.send(&hello()).await.unwrap();
        let mut answer = [0; MAX_DATAGRAM];
        tokio::time::timeout(PATIENCE, socket.recv(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(order(&mut receiver).await, Order::Volume(80));
        on_air.stop().await;
    }
    let row = station.broadcast(1, -500_000);
    let mut on_air = station.air(vec![row.clone()]);
    // The new server's socket has another port, which no NAT would let through to us: here one may listen to all.
    let socket = UdpSocket::from_std(unconnected(socket)).unwrap();
    let mut told = None;
    while told.is_none() {
        if let Order::Play(play) = order(&mut receiver).await {
            told = Some(play);
        }
    }
    let mut listener = Listener::new(told.unwrap(), &station.programme);
    let first = listen(&socket, &mut listener).await;
    // Half a second has passed, and four tenths are sent ahead.
    let least = 900_000 * 48 / 1000 / u64::from(listener.start.packet_samples);
    assert!((least..listener.start.packets()).contains(&first), "{first}");
    on_air.until(row.id, State::OnAir).await;
    on_air.stop().await;
    station.stop().await;
}

fn unconnected(socket: UdpSocket) -> std::net::UdpSocket {
    let address = socket.local_addr().unwrap();
    drop(socket);
    let socket = std::net::UdpSocket::bind(address).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// A new secret, from the order to the first report under it, over a real broker: at every step at least one holds on both sides.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_gets_a_new_secret_and_keeps_speaking() {
    let station = Station::start().await;
    let on_air = station.air(vec![]);
    let (server, device) = (PrivateKey::new([5; 32]), PrivateKey::new([6; 32]));
    let mut receiver = Receiver::start(ME, station.broker);
    assert!(matches!(order(&mut receiver).await, Order::Policy(_)));
    assert_eq!(order(&mut receiver).await, Order::Volume(80));
    // It is there already when somebody orders it, also by another process.
    on_air.archive.receivers.lock().unwrap()[0].renewal = Some(Renewal {
        half: server.clone(),
        next: None,
    });
    on_air.air.notifier.tell(Notice::Rotate(ME));
    match order(&mut receiver).await {
        Order::Rotate(rotate) => assert_eq!((rotate.epoch, rotate.server), (1, server.public())),
        other => panic!("{other:?}"),
    }
    let mut sealed = [0; MAX_MESSAGE];
    let half = Rotation {
        serial: Serial { boot: 1, number: 1 },
        at: clock::now(),
        epoch: 1,
        receiver: device.public(),
        server: server.public(),
    };
    let length = half.seal(&secret(ME).report_key(), &mut sealed).unwrap();
    receiver.say(ME, Uplink::Rotation, sealed[..length].to_vec());
    let next = device.next_secret(&server.public(), &secret(ME), 1).unwrap();
    let greet = |key: [u8; 32]| {
        let hello = Hello {
            receiver: ME,
            t1: clock::now(),
            clock_set: true,
            probe: false,
        };
        (hello.seal(&key), key)
    };
    // Both hold: first the old one, then the new one is answered.
    for key in [secret(ME).hello_key(), next.hello_key()] {
        let (hello, key) = greet(key);
        receiver.say(ME, Uplink::Media, hello.to_vec());
        assert!(Answer::open(&key, &receiver.hear(Downlink::Media).await).is_ok());
    }
    let told = Telemetry {
        serial: Serial { boot: 1, number: 2 },
        at: clock::now(),
        key_number: 1,
        area: Some(COMMUNE),
        ..Telemetry::default()
    };
    let length = told.seal(&next.report_key(), &mut sealed).unwrap();
    receiver.say(ME, Uplink::Telemetry, sealed[..length].to_vec());
    // The old one is gone: no answer, and the next thing heard is the answer under the new one.
    for key in [secret(ME).hello_key(), next.hello_key()] {
        receiver.say(ME, Uplink::Media, greet(key).0.to_vec());
    }
    assert!(Answer::open(&next.hello_key(), &receiver.hear(Downlink::Media).await).is_ok());
    assert_eq!(on_air.air.transmitted.forged.get(), 1);
    // What it plays from now on is another stream, under the new secret.
    let row = station.broadcast(1, 1_000_000);
    on_air.accept(&row);
    let told = play(&mut receiver).await;
    assert_eq!(told.stream, crate::transmit::stream_under(StreamId(row.id.0), 1));
    let mut datagram = receiver.hear(Downlink::Media).await;
    let mut opener = Opener::new(&next.srtp(told.stream), told.ssrc);
    let opened = match rtp::is_rtcp(&datagram) {
        true => opener.rtcp(&mut datagram).is_ok(),
        false => opener.rtp(&mut datagram, 0).is_ok(),
    };
    assert!(opened);
    on_air.stop().await;
    station.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_moved_is_told_until_it_knows() {
    let station = Station::start().await;
    let on_air = station.air(vec![]);
    let mut receiver = Receiver::start(ME, station.broker);
    assert!(matches!(order(&mut receiver).await, Order::Policy(_)));
    assert_eq!(order(&mut receiver).await, Order::Volume(80));
    on_air.archive.receivers.lock().unwrap()[0].areas = vec![PROVINCE];
    on_air.air.notifier.tell(Notice::ReceiversChanged);
    let moved = |order| matches!(order, Order::Areas(areas) if areas == [PROVINCE]);
    assert!(moved(order(&mut receiver).await));
    let mut sealed = [0; MAX_MESSAGE];
    for (number, area) in [(1, COMMUNE), (2, PROVINCE)] {
        let told = Telemetry {
            serial: Serial { boot: 1, number },
            key_number: 1,
            area: Some(area),
            ..Telemetry::default()
        };
        let length = told.seal(&secret(ME).report_key(), &mut sealed).unwrap();
        receiver.say(ME, Uplink::Telemetry, sealed[..length].to_vec());
    }
    assert!(moved(order(&mut receiver).await));
    on_air.air.notifier.tell(Notice::Reboot(ME));
    assert_eq!(order(&mut receiver).await, Order::Reboot);
    on_air.stop().await;
    station.stop().await;
}
