//! The broker over real sockets, by somebody else's client (mosquitto_sub and mosquitto_pub), with MQTT 5 and 3.1.1.

use std::process::{Output, Stdio};
use std::time::Duration;

use loa_protocol::ReceiverId;
use loa_protocol::key::Secret;
use loa_protocol::topic::{Downlink, Topic, Uplink};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::*;

const A: ReceiverId = ReceiverId([0xAA; 16]);
const B: ReceiverId = ReceiverId([0xBB; 16]);
const VERSIONS: [&str; 2] = ["5", "311"];
const PATIENCE: Duration = Duration::from_secs(20);

fn secret(id: ReceiverId) -> Secret {
    Secret([id.0[0]; 32])
}

fn text(digits: &[u8]) -> String {
    String::from_utf8(digits.to_vec()).unwrap()
}

fn up(id: ReceiverId, kind: Uplink) -> String {
    Topic::Up(id, kind).text().to_string()
}

fn down(id: ReceiverId, kind: Downlink) -> String {
    Topic::Down(id, kind).text().to_string()
}

/// Client identifier, user name and password.
#[derive(Clone)]
struct Login(String, String, String);

fn receiver(id: ReceiverId) -> Login {
    let name = text(&id.hex());
    Login(name.clone(), name, text(&secret(id).mqtt_password()))
}

/// A running broker with the receivers A and B.
struct House {
    credentials: Arc<Credentials>,
    address: SocketAddr,
    tls: Option<SocketAddr>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl House {
    fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let credentials = Arc::new(Credentials::default());
        credentials.replace([A, B].map(|id| (id, secret(id))));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listen = Listen {
            plain: Some(any),
            tls: tls.map(|config| (any, Arc::new(tls::Shown::new(config)))),
        };
        let broker = Broker::bind(listen, credentials.clone()).unwrap();
        let (address, tls) = (broker.address().unwrap(), broker.tls_address());
        let (shutdown, ending) = watch::channel(false);
        let task = tokio::spawn(broker.run(ending));
        Self {
            credentials,
            address,
            tls,
            shutdown,
            task,
        }
    }

    fn server(&self, client: &str) -> Login {
        Login(
            client.to_owned(),
            SERVER.to_owned(),
            self.credentials.password().to_owned(),
        )
    }

    fn tool(&self, name: &str, version: &str, Login(client, user, password): &Login) -> Command {
        // Line by line, also into a pipe.
        let mut command = Command::new("stdbuf");
        command
            .args(["-oL", name])
            .args(["-h", "127.0.0.1", "-p", &self.address.port().to_string(), "-V", version])
            .args(["-i", client, "-u", user, "-P", password])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn publish(&self, version: &str, login: &Login, topic: &str, message: &str) -> Output {
        let mut tool = self.tool("mosquitto_pub", version, login);
        tool.args(["-q", "1", "-t", topic, "-m", message]);
        tokio::time::timeout(PATIENCE, tool.output()).await.unwrap().unwrap()
    }

    /// Subscribes, and waits until that is done.
    async fn subscribe(&self, version: &str, login: &Login, filters: &[&str]) -> Listener {
        let mut tool = self.tool("mosquitto_sub", version, login);
        tool.args(["-d", "-q", "1", "-F", "message %t %p %r"]);
        for filter in filters {
            tool.args(["-t", filter]);
        }
        let mut child = tool.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut listener = Listener { _child: child, lines };
        while !listener
            .line()
            .await
            .expect("it ended before it was subscribed")
            .starts_with("Subscribed")
        {}
        listener
    }

    async fn stop(self) {
        self.shutdown.send(true).unwrap();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

/// A client that listens.
struct Listener {
    /// Ends with this.
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Listener {
    async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.lines.next_line())
            .await
            .expect("it says nothing")
            .unwrap()
    }

    /// The next message: topic, payload, and whether it was retained.
    async fn message(&mut self) -> String {
        loop {
            let line = self.line().await.expect("it ended before a message came");
            if let Some(message) = line.strip_prefix("message ") {
                return message.to_owned();
            }
        }
    }
}

/// A client that stays connected and announces its presence, with a last will, as receivers do.
struct Present {
    child: Child,
    input: ChildStdin,
}

impl Present {
    fn come(house: &House, version: &str, id: ReceiverId) -> Self {
        let topic = up(id, Uplink::Presence);
        let mut tool = house.tool("mosquitto_pub", version, &receiver(id));
        tool.args(["-l", "-q", "1", "-r", "-t", &topic]);
        tool.args([
            "--will-topic",
            &topic,
            "--will-payload",
            "0",
            "--will-qos",
            "1",
            "--will-retain",
        ]);
        let mut child = tool.stdin(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        Self { child, input }
    }

    async fn say(&mut self, payload: &str) {
        self.input.write_all(format!("{payload}\n").as_bytes()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_writes_its_own_topics_and_no_others() {
    for version in VERSIONS {
        let house = House::start(None);
        let mut server = house.subscribe(version, &house.server("watcher"), &["loa/1/#"]).await;
        let area = Topic::Area(loa_protocol::AreaId([1; 16])).text().to_string();
        let mut forbidden = vec![area, "loa/1/x".to_owned(), "elsewhere".to_owned(), "$SYS/x".to_owned()];
        forbidden.extend(Uplink::ALL.map(|kind| up(B, kind)));
        forbidden.extend(Downlink::ALL.map(|kind| down(B, kind)));
        forbidden.extend(Downlink::ALL.map(|kind| down(A, kind)));
        for topic in &forbidden {
            house.publish(version, &receiver(A), topic, "forbidden").await;
        }
        assert_eq!(house.credentials.counters().topics.get(), forbidden.len() as u64);
        for kind in Uplink::ALL {
            let done = house.publish(version, &receiver(A), &up(A, kind), "mine").await;
            assert!(done.status.success(), "{done:?}");
            // The first that arrives is the first that was allowed.
            assert_eq!(server.message().await, format!("{} mine 0", up(A, kind)));
        }
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_reads_its_own_topics_and_no_others() {
    for version in VERSIONS {
        let house = House::start(None);
        let area = Topic::Area(loa_protocol::AreaId([1; 16])).text().to_string();
        let mut forbidden = vec![
            "#",
            "+/#",
            "loa/1/#",
            "loa/1/+/command",
            "loa/1/area/+/command",
            "$SYS/#",
        ];
        let own = Uplink::ALL.map(|kind| up(A, kind));
        let others = Downlink::ALL.map(|kind| down(B, kind));
        let shared = format!("$share/group/{}", down(B, Downlink::Command));
        forbidden.extend(own.iter().chain(&others).map(String::as_str));
        forbidden.push(&shared);
        for filter in forbidden {
            let mut tool = house.tool("mosquitto_sub", version, &receiver(A));
            let refused = tokio::time::timeout(PATIENCE, tool.args(["-t", filter]).output())
                .await
                .unwrap()
                .unwrap();
            let reason = String::from_utf8_lossy(&refused.stderr);
            assert!(reason.contains("denied"), "{filter}: {reason}");
        }
        let (command, media) = (down(A, Downlink::Command), down(A, Downlink::Media));
        let mut listener = house.subscribe(version, &receiver(A), &[&command, &media, &area]).await;
        for topic in [&command, &media, &area] {
            house
                .publish(
                    version,
                    &house.server("announcer"),
                    &down(B, Downlink::Command),
                    "not for you",
                )
                .await;
            let done = house
                .publish(version, &house.server("announcer"), topic, "for you")
                .await;
            assert!(done.status.success(), "{done:?}");
            assert_eq!(listener.message().await, format!("{topic} for you 0"));
        }
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_known_stays_outside() {
    let house = House::start(None);
    let Login(name, _, password) = receiver(A);
    let login = |client: &str, user: &str, password: &str| Login(client.into(), user.into(), password.into());
    let wrong = [
        login(&name, &name, "wrong"),
        login(&name, &name, ""),
        login(&name, &name, &text(&secret(B).mqtt_password())),
        login(&receiver(B).0, &name, &password),
        login("another", &name, &password),
        login(&name.to_uppercase(), &name.to_uppercase(), &password),
        login(&text(&[b'0'; 32]), &text(&[b'0'; 32]), &password),
        login("x", SERVER, "wrong"),
        // Not even the server takes a receiver's place.
        login(&name, SERVER, house.credentials.password()),
    ];
    for version in VERSIONS {
        for login in &wrong {
            let refused = house.publish(version, login, &up(A, Uplink::Telemetry), "x").await;
            assert!(!refused.status.success(), "{} {} came in", login.0, login.1);
        }
        let mut nobody = Command::new("mosquitto_pub");
        let port = house.address.port().to_string();
        nobody.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-V",
            version,
            "-t",
            "loa/1/x",
            "-m",
            "x",
        ]);
        assert!(!nobody.output().await.unwrap().status.success());
    }
    assert_eq!(house.credentials.counters().logins.get(), 2 * (wrong.len() as u64 + 1));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_retained_and_taken_back_by_the_last_will() {
    for version in VERSIONS {
        let house = House::start(None);
        let topic = up(A, Uplink::Presence);
        let mut early = house
            .subscribe(version, &house.server("early"), &["loa/1/+/presence"])
            .await;
        let mut receiver = Present::come(&house, version, A);
        receiver.say("1").await;
        assert_eq!(early.message().await, format!("{topic} 1 0"));
        let mut late = house
            .subscribe(version, &house.server("late"), &["loa/1/+/presence"])
            .await;
        assert_eq!(late.message().await, format!("{topic} 1 1"));
        receiver.child.kill().await.unwrap();
        assert_eq!(early.message().await, format!("{topic} 0 0"));
        assert_eq!(late.message().await, format!("{topic} 0 0"));
        let mut last = house
            .subscribe(version, &house.server("last"), &["loa/1/+/presence"])
            .await;
        assert_eq!(last.message().await, format!("{topic} 0 1"));
        house.stop().await;
    }
}

/// A receiver that lost its connection comes back before the broker has noticed: the last will of the old connection
/// must not say that it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_takes_over_stays_present() {
    for version in VERSIONS {
        let house = House::start(None);
        let topic = up(A, Uplink::Presence);
        let mut watcher = house
            .subscribe(version, &house.server("watcher"), &["loa/1/+/presence"])
            .await;
        let mut before: Vec<Present> = Vec::new();
        for _ in 0..5 {
            let mut next = Present::come(&house, version, A);
            next.say("1").await;
            assert_eq!(watcher.message().await, format!("{topic} 1 0"));
            // mosquitto_pub would connect again and take over in turn.
            if let Some(old) = before.last_mut() {
                old.child.kill().await.unwrap();
            }
            before.push(next);
        }
        before.last_mut().unwrap().child.kill().await.unwrap();
        assert_eq!(watcher.message().await, format!("{topic} 0 0"));
        house.stop().await;
    }
}

/// A receiver whose network went away while sound was on its way to it over MQTT: the broker's writes are stuck.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_stuck_holds_up_nobody() {
    let house = House::start(None);
    let (command, media) = (down(A, Downlink::Command), down(A, Downlink::Media));
    let Login(name, _, password) = receiver(A);
    let string = |text: &str| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
    let packet = |kind: u8, body: Vec<u8>| {
        let length = [(body.len() % 128) as u8 | 0x80, (body.len() / 128) as u8];
        [&[kind], &length[..], &body].concat()
    };
    // MQTT 3.1.1: user name, password, clean session, no keep-alive; then one subscription at QoS 0.
    let head = [&string("MQTT")[..], &[4, 0xC2, 0, 0]].concat();
    let connect = packet(0x10, [head, string(&name), string(&name), string(&password)].concat());
    let subscribe = packet(0x82, [&[0, 1], &string(&media)[..], &[0]].concat());
    let mut stuck = TcpStream::connect(house.address).await.unwrap();
    stuck.write_all(&[connect, subscribe].concat()).await.unwrap();
    let mut answers = [0; 4 + 5];
    stuck.read_exact(&mut answers).await.unwrap();
    assert_eq!(answers, [0x20, 2, 0, 0, 0x90, 3, 0, 1, 0]);

    // More than all the buffers between take: four times what the system allows for one connection.
    let mut flood = house.tool("mosquitto_pub", "5", &house.server("flood"));
    let mut flood = flood.args(["-l", "-t", &media]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = flood.stdin.take().unwrap();
    let line = "x".repeat(1399) + "\n";
    input.write_all(line.repeat(20_000).as_bytes()).await.unwrap();
    drop(input);
    assert!(flood.wait().await.unwrap().success());

    let began = std::time::Instant::now();
    let mut listener = house.subscribe("5", &receiver(A), &[&command]).await;
    house.publish("5", &house.server("announcer"), &command, "back").await;
    assert_eq!(listener.message().await, format!("{command} back 0"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(stuck);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_removed_is_thrown_out_and_one_that_is_added_comes_in() {
    let house = House::start(None);
    let mut listener = house.subscribe("5", &receiver(A), &[&down(A, Downlink::Command)]).await;
    let stays = house.subscribe("5", &receiver(B), &[&down(B, Downlink::Command)]).await;
    let c = ReceiverId([0xCC; 16]);
    house.credentials.replace([B, c].map(|id| (id, secret(id))));
    while let Some(line) = listener.line().await {
        assert!(!line.starts_with("message"), "{line}");
    }
    assert!(
        !house
            .publish("5", &receiver(A), &up(A, Uplink::Telemetry), "x")
            .await
            .status
            .success()
    );
    assert!(
        house
            .publish("5", &receiver(c), &up(c, Uplink::Telemetry), "x")
            .await
            .status
            .success()
    );
    drop(stays);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_ends_its_own_connection_and_nothing_else() {
    let house = House::start(None);
    let mut listener = house
        .subscribe("311", &receiver(A), &[&down(A, Downlink::Command)])
        .await;
    let nonsense: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        // A CONNECT of 256 MB.
        &[0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, b'M', b'Q', b'T', b'T', 5],
        // A length that never ends.
        &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        // PUBLISH before CONNECT.
        &[0x30, 5, 0, 1, b'x', b'y', b'z'],
        &[0xF0, 0],
        &[0; 64],
    ];
    for bytes in nonsense {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        // Closed, in whatever way.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("it was not closed");
    }
    let done = house
        .publish(
            "5",
            &house.server("announcer"),
            &down(A, Downlink::Command),
            "still here",
        )
        .await;
    assert!(done.status.success());
    assert_eq!(
        listener.message().await,
        format!("{} still here 0", down(A, Downlink::Command))
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_trusted_by_its_own_authority_alone_and_nobody_blocks_it() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    let authority = tls::Authority::open(&ours).unwrap();
    tls::Authority::open(&theirs).unwrap();
    let hosts = ["loa.example".to_owned(), "127.0.0.1".to_owned()];
    let house = House::start(Some(authority.broker(&hosts, crate::clock::now()).unwrap()));
    let port = house.tls.unwrap().port().to_string();
    // Clients that connect and say nothing.
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(house.tls.unwrap()).await.unwrap());
    }
    let Login(name, _, password) = receiver(A);
    let connect = |host: &'static str, trusted: &std::path::Path, version: &'static str| {
        let mut tool = Command::new("mosquitto_pub");
        tool.args([
            "-h", host, "-p", &port, "-V", version, "-i", &name, "-u", &name, "-P", &password,
        ])
        .args(["-q", "1", "-t", &up(A, Uplink::Telemetry), "-m", "x", "--cafile"])
        .arg(trusted.join("ca.crt"))
        .kill_on_drop(true);
        async move { tokio::time::timeout(PATIENCE, tool.output()).await.unwrap().unwrap() }
    };
    for version in VERSIONS {
        let done = connect("127.0.0.1", &ours, version).await;
        assert!(done.status.success(), "{done:?}");
        assert!(!connect("127.0.0.1", &theirs, version).await.status.success());
        // It is not certified for this name.
        assert!(!connect("localhost", &ours, version).await.status.success());
    }
    drop(silent);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_where_it_cannot_listen_and_leaves_nothing_behind() {
    let house = House::start(None);
    let listener = house.subscribe("5", &receiver(A), &[&down(A, Downlink::Command)]).await;
    let listen = Listen {
        plain: Some(house.address),
        tls: None,
    };
    let refused = Broker::bind(listen.clone(), Arc::default()).err().unwrap().to_string();
    assert!(refused.contains(&house.address.to_string()), "{refused}");
    house.stop().await;
    drop(listener);
    // The port is free again, and whoever had it before is no obstacle.
    assert!(Broker::bind(listen, Arc::default()).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_cannot_subscribe_without_end() {
    let house = House::start(None);
    let areas: Vec<_> = (0..=64)
        .map(|n| Topic::Area(loa_protocol::AreaId([n; 16])).text().to_string())
        .collect();
    let mut tool = house.tool("mosquitto_sub", "5", &receiver(A));
    tool.args(["-d", "-E"]);
    for area in &areas {
        tool.args(["-t", area]);
    }
    let answer = tokio::time::timeout(PATIENCE, tool.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let granted = text
        .lines()
        .find_map(|line| line.strip_prefix("Subscribed (mid: 1): "))
        .unwrap();
    let granted: Vec<_> = granted.split(", ").collect();
    assert_eq!(
        (granted.len(), granted.iter().filter(|code| **code == "0").count()),
        (65, 64),
        "{text}"
    );
    assert_eq!(granted[64], "135");
    house.stop().await;
}

fn claimant(id: loa_protocol::ClaimId) -> Login {
    let claim = loa_protocol::claim::USER.to_owned();
    Login(id.client().to_string(), claim.clone(), claim)
}

fn claim(id: loa_protocol::ClaimId, word: loa_protocol::topic::ClaimWord) -> String {
    Topic::Claim(id, word).text().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_to_be_enrolled_may_ask_and_be_answered_and_nothing_else() {
    use loa_protocol::ClaimId;
    use loa_protocol::topic::ClaimWord;
    let (me, other) = (ClaimId([1; 16]), ClaimId([2; 16]));
    for version in VERSIONS {
        let house = House::start(None);
        let mut server = house.subscribe(version, &house.server("watcher"), &["loa/1/#"]).await;
        let mut forbidden = vec![claim(me, ClaimWord::Answer), claim(other, ClaimWord::Request)];
        forbidden.extend(Uplink::ALL.map(|kind| up(A, kind)));
        forbidden.extend(Downlink::ALL.map(|kind| down(A, kind)));
        for topic in &forbidden {
            house.publish(version, &claimant(me), topic, "forbidden").await;
        }
        house
            .publish(version, &claimant(me), &claim(me, ClaimWord::Request), "please")
            .await;
        let asked = format!("{} please 0", claim(me, ClaimWord::Request));
        assert_eq!(server.message().await, asked);
        let unread = [
            claim(me, ClaimWord::Request),
            claim(other, ClaimWord::Answer),
            "loa/1/#".into(),
            down(A, Downlink::Command),
        ];
        for filter in &unread {
            let mut tool = house.tool("mosquitto_sub", version, &claimant(me));
            let refused = tokio::time::timeout(PATIENCE, tool.args(["-t", filter]).output()).await;
            let reason = String::from_utf8_lossy(&refused.unwrap().unwrap().stderr).into_owned();
            assert!(reason.contains("denied"), "{filter}: {reason}");
        }
        let answer = claim(me, ClaimWord::Answer);
        let mut device = house.subscribe(version, &claimant(me), &[&answer]).await;
        assert_eq!(house.credentials.claimant(me), Some([127, 0, 0, 1].into()));
        house
            .publish(version, &house.server("announcer"), &answer, "welcome")
            .await;
        assert_eq!(device.message().await, format!("{answer} welcome 0"));
        // Under another client identifier, or another's name, it does not come in.
        let Login(client, user, password) = claimant(me);
        for login in [
            Login("x".into(), user.clone(), password.clone()),
            Login(receiver(A).0, user.clone(), password.clone()),
            Login(client.clone(), receiver(A).1, password),
            Login(client, user, "another".into()),
        ] {
            let refused = house
                .publish(version, &login, &claim(me, ClaimWord::Request), "x")
                .await;
            assert!(!refused.status.success());
        }
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_ask_are_bounded_in_number_and_pace() {
    use loa_protocol::ClaimId;
    use loa_protocol::topic::ClaimWord;
    let house = House::start(None);
    let seat = |n: u8| {
        let (kick, _) = broadcast::channel(1);
        Arc::new(credentials::Seat::new(kick, [192, 0, 2, n].into()))
    };
    let seats: Vec<_> = (0..100u8).map(|n| (ClaimId([n; 16]), seat(n))).collect();
    let came = seats
        .iter()
        .filter(|(id, seat)| house.credentials.queue(*id, seat))
        .count();
    assert_eq!((came, house.credentials.counters().crowded.get()), (32, 68));
    // Others are not kept out, and who leaves makes room.
    let mut server = house.subscribe("5", &house.server("watcher"), &["loa/1/#"]).await;
    let me = ClaimId([200; 16]);
    let topic = claim(me, ClaimWord::Request);
    let mut tool = house.tool("mosquitto_pub", "311", &claimant(me));
    let mut asking = tool
        .args(["-l", "-q", "0", "-t", &topic])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = asking.stdin.take().unwrap();
    input.write_all(b"1\n2\n3\n4\n5\n").await.unwrap();
    drop(input);
    asking.wait().await.unwrap();
    assert_eq!(server.message().await, format!("{topic} 1 0"));
    assert_eq!(server.message().await, format!("{topic} 2 0"));
    house
        .credentials
        .stand_up(credentials::Who::Claimant(seats[0].0), &seats[0].1);
    assert!(house.credentials.queue(ClaimId([99; 16]), &seats[99].1));
    house.stop().await;
}

/// A receiver comes in by the old and by the new password while its secret is being replaced, and is thrown out by a third.
#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_replaced_both_passwords_hold() {
    let house = House::start(None);
    let Login(name, _, old) = receiver(A);
    let (second, third) = (Secret([7; 32]), Secret([8; 32]));
    let login = |password: &str| Login(name.clone(), name.clone(), password.to_owned());
    let new = text(&second.mqtt_password());
    let mut identity = crate::enrol::Identity::from((A, secret(A)));
    let topic = down(A, Downlink::Command);
    let mut stays = house.subscribe("5", &login(&old), &[&topic]).await;
    identity.next = Some(second.clone());
    house.credentials.put(&identity);
    (identity.secret, identity.next) = (second, None);
    house.credentials.put(&identity);
    // The session that began under the old one goes on.
    house
        .publish("5", &house.server("announcer"), &topic, "still here")
        .await;
    assert_eq!(stays.message().await, format!("{topic} still here 0"));
    assert!(
        !house
            .publish("5", &login(&old), &up(A, Uplink::Telemetry), "x")
            .await
            .status
            .success()
    );
    drop(stays);
    let mut listener = house.subscribe("5", &login(&new), &[&topic]).await;
    identity.secret = third;
    house.credentials.put(&identity);
    while let Some(line) = listener.line().await {
        assert!(!line.starts_with("message"), "{line}");
    }
    house.stop().await;
}

/// Mosquitto under our access list: what a receiver says in another's name arrives nowhere, and of everything that is said it
/// hears only what it may.
#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_keeps_every_pair_of_receivers_apart() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (access, passwords) = (folder.path().join("acl"), folder.path().join("passwords"));
    std::fs::write(&access, mosquitto::access_list()).unwrap();
    let lines = [
        mosquitto::server_line("secret", &[1; 12]),
        mosquitto::claim_line(&[2; 12]),
        mosquitto::receiver_line(A, &secret(A), &[3; 12]),
        mosquitto::receiver_line(B, &secret(B), &[4; 12]),
    ];
    std::fs::write(&passwords, lines.concat()).unwrap();
    let config = format!(
        "listener {} 127.0.0.1\nuser root\nallow_anonymous false\nuse_username_as_clientid true\npassword_file {}\nacl_file {}\n",
        free.port(),
        passwords.display(),
        access.display()
    );
    let file = folder.path().join("mosquitto.conf");
    std::fs::write(&file, config).unwrap();
    let _broker = Command::new("mosquitto")
        .arg("-c")
        .arg(&file)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // It has no way to say that it listens.
    while TcpStream::connect(free).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut house = House::start(None);
    house.address = free;
    let server = |client: &str| Login(client.to_owned(), SERVER.to_owned(), "secret".to_owned());
    let area = Topic::Area(loa_protocol::AreaId([1; 16])).text().to_string();
    let me = loa_protocol::ClaimId([1; 16]);
    let claims = loa_protocol::topic::ClaimWord::ALL.map(|word| claim(me, word));
    let mut all = vec![area.clone(), "loa/1/x".into(), "elsewhere".into()];
    all.extend(claims.clone());
    for id in [A, B] {
        all.extend(Uplink::ALL.map(|kind| up(id, kind)));
        all.extend(Downlink::ALL.map(|kind| down(id, kind)));
    }
    for (login, writes, reads) in [
        (
            receiver(A),
            Uplink::ALL.map(|kind| up(A, kind)).to_vec(),
            [
                &Downlink::ALL.map(|kind| down(A, kind))[..],
                std::slice::from_ref(&area),
            ]
            .concat(),
        ),
        (
            receiver(B),
            Uplink::ALL.map(|kind| up(B, kind)).to_vec(),
            [
                &Downlink::ALL.map(|kind| down(B, kind))[..],
                std::slice::from_ref(&area),
            ]
            .concat(),
        ),
        (claimant(me), vec![claims[0].clone()], vec![claims[1].clone()]),
    ] {
        let mut heard = house.subscribe("311", &server("watcher"), &["#"]).await;
        for topic in all.iter().filter(|topic| !writes.contains(topic)) {
            house.publish("311", &login, topic, "forbidden").await;
        }
        for topic in &writes {
            house.publish("311", &login, topic, "mine").await;
            assert_eq!(heard.message().await, format!("{topic} mine 0"));
        }
        drop(heard);
        let mut listener = house.subscribe("311", &login, &["#"]).await;
        for topic in all
            .iter()
            .filter(|topic| topic.starts_with("loa/1/") && !reads.contains(topic))
        {
            house.publish("311", &server("announcer"), topic, "not for you").await;
        }
        for topic in &reads {
            house.publish("311", &server("announcer"), topic, "for you").await;
            assert_eq!(listener.message().await, format!("{topic} for you 0"));
        }
    }
    house.stop().await;
}
