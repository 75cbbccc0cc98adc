//! The air as a whole: a real broker, real sockets, a receiver by the protocol's own crate. What it is given to keep is
//! kept in memory.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loa_protocol::command::{Command, Order, Play};
use loa_protocol::hello::{Answer, Hello};
use loa_protocol::precedence::Class;
use loa_protocol::report::{Outcome, Receipt, Serial};
use loa_protocol::rtp;
use loa_protocol::srtp::Opener;
use loa_protocol::topic::{Downlink, Uplink};
use loa_protocol::{AreaId, BroadcastId, MAX_DATAGRAM, MAX_MESSAGE, ReceiverId, SigningKey};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::conductor::State;
use super::{Air, Archive, BroadcastRow, Fact, Ground, Notice, ReceiverRow, prepare};
use crate::broker::{Broker, Credentials, Listen, SERVER};
use crate::clock;
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
    broadcasts: Mutex<Vec<BroadcastRow>>,
    facts: mpsc::UnboundedSender<Fact>,
}

impl Archive for Shelf {
    type Error = Infallible;

    async fn receivers(&self) -> Result<Vec<ReceiverRow>, Infallible> {
        let row = |id, areas: &[AreaId]| ReceiverRow {
            id,
            secret: secret(id),
            areas: areas.to_vec(),
            volume: 80,
        };
        Ok(vec![row(ME, &[PROVINCE, COMMUNE]), row(ELSEWHERE, &[PROVINCE])])
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
            key: key(),
            latency: LATENCY,
            clock: clock::now,
        };
        let (sender, facts) = mpsc::unbounded_channel();
        let archive = Arc::new(Shelf {
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
            begun: start < 0,
            programme: self.programme.clone(),
            samples: open(&self.programme).samples(),
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
