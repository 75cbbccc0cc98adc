//! The line to the broker, with real ones: the embedded broker, plain and in TLS, and Mosquitto under the access list
//! that we write for it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::command::{Command, Order};
use loa_protocol::report::{Serial, Telemetry};
use loa_protocol::topic::{Downlink, Uplink};
use loa_protocol::{MAX_MESSAGE, ReceiverId, SigningKey};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::test_receiver::{PATIENCE, Receiver, secret};
use super::{Broker, Fleet, News, clones};
use crate::broker::{self, Credentials, Listen, mosquitto, tls};

const ME: ReceiverId = ReceiverId([1; 16]);
const STRANGER: ReceiverId = ReceiverId([2; 16]);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// A broker that can be taken away and brought back.
enum Host {
    Embedded {
        credentials: Arc<Credentials>,
        tls: Option<tls::Authority>,
        running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
    },
    Mosquitto {
        folder: tempfile::TempDir,
        child: Option<tokio::process::Child>,
    },
}

impl Host {
    /// Starts it at `plain` (and `secure`); gives where it is.
    async fn start(&mut self, plain: SocketAddr, secure: SocketAddr) -> (SocketAddr, SocketAddr) {
        match self {
            Self::Embedded {
                credentials,
                tls,
                running,
            } => {
                let config = tls
                    .as_ref()
                    .map(|it| it.broker(&["127.0.0.1".to_owned()], crate::clock::now()).unwrap());
                let listen = Listen {
                    plain: Some(plain),
                    tls: config.map(|config| (secure, Arc::new(tls::Shown::new(config)))),
                };
                let broker = broker::Broker::bind(listen, credentials.clone()).unwrap();
                let at = (broker.address().unwrap(), broker.tls_address().unwrap_or(secure));
                let (shutdown, ending) = watch::channel(false);
                *running = Some((shutdown, tokio::spawn(broker.run(ending))));
                at
            }
            Self::Mosquitto { folder, child } => {
                let config = folder.path().join("mosquitto.conf");
                let started = tokio::process::Command::new("mosquitto")
                    .arg("-c")
                    .arg(config)
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .spawn();
                *child = Some(started.expect("mosquitto is installed"));
                // It has no way to say that it listens.
                while tokio::net::TcpStream::connect(plain).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                (plain, secure)
            }
        }
    }

    /// Takes it away at once.
    async fn kill(&mut self) {
        match self {
            Self::Embedded { running, .. } => {
                let (shutdown, task) = running.take().unwrap();
                shutdown.send(true).unwrap();
                task.await.unwrap();
            }
            Self::Mosquitto { child, .. } => child.take().unwrap().kill().await.unwrap(),
        }
    }
}

/// The next of the news that is not telemetry.
async fn news(fleet: &mut Fleet) -> News {
    tokio::time::timeout(PATIENCE, fleet.news())
        .await
        .expect("no news")
        .expect("the line has ended")
}

/// From a receiver's coming to its going, and once more after the broker was taken away.
async fn speaks(mut host: Host, plain: SocketAddr, secure: SocketAddr, password: String, trust: Option<Vec<u8>>) {
    let (plain, secure) = host.start(plain, secure).await;
    let server = if trust.is_some() { secure } else { plain };
    let broker = Broker {
        host: server.ip().to_string(),
        port: server.port(),
        username: broker::SERVER.to_owned(),
        password,
        tls: trust.map(|pem| tls::trust(&pem).unwrap()),
    };
    let keys = Arc::new(crate::data::Keyring::of_key(key()));
    let (mut fleet, line, _outbox) = Fleet::new(&broker, keys, clones::Watch::new().0, crate::clock::now);
    fleet.replace([(ME, secret(ME))]);
    let (shutdown, ending) = watch::channel(false);
    let line = tokio::spawn(line.run(ending));
    let mut receiver = Receiver::start(ME, plain);

    assert!(matches!(news(&mut fleet).await, News::Presence(ME, true)));
    fleet.volume(ME, 55);
    let command = Command::open(&key().verifying_key(), &receiver.hear(Downlink::Command).await).unwrap();
    assert_eq!(command.order, Order::Volume(55));
    fleet.media(ME, b"datagram");
    assert_eq!(receiver.hear(Downlink::Media).await, b"datagram");

    let mut sealed = [0; MAX_MESSAGE];
    let telemetry = Telemetry {
        serial: Serial { boot: 1, number: 1 },
        ..Telemetry::default()
    };
    let length = telemetry.seal(&secret(ME).report_key(), &mut sealed).unwrap();
    // What it may not say is not passed on (Mosquitto drops it, the embedded broker ends the connection or drops it).
    receiver.say(STRANGER, Uplink::Telemetry, sealed[..length].to_vec());
    receiver.say(ME, Uplink::Telemetry, b"nonsense".to_vec());
    receiver.say(ME, Uplink::Telemetry, sealed[..length].to_vec());
    receiver.say(ME, Uplink::Telemetry, sealed[..length].to_vec());
    receiver.say(ME, Uplink::Media, b"hello".to_vec());
    match news(&mut fleet).await {
        News::Telemetry(ME, got) => assert_eq!(got, telemetry),
        other => panic!("{other:?}"),
    }
    assert!(matches!(news(&mut fleet).await, News::Uplink(ME, datagram) if datagram == b"hello"));
    // What it may not hear is not passed on either. Its subscription was dealt with when its next words arrive.
    receiver.eavesdrop(STRANGER);
    receiver.say(ME, Uplink::Media, b"hello again".to_vec());
    assert!(matches!(news(&mut fleet).await, News::Uplink(ME, datagram) if datagram == b"hello again"));
    fleet.volume(STRANGER, 1);
    fleet.volume(ME, 2);
    let command = Command::open(&key().verifying_key(), &receiver.hear(Downlink::Command).await).unwrap();
    assert_eq!(command.order, Order::Volume(2));
    let counters = fleet.counters().clone();
    assert_eq!(
        (
            counters.malformed.get(),
            counters.replayed.get(),
            counters.unknown.get()
        ),
        (1, 1, 0)
    );

    host.kill().await;
    host.start(plain, secure).await;
    // Both come back by themselves. Going may have been heard of, too.
    while !matches!(news(&mut fleet).await, News::Presence(ME, true)) {}
    fleet.reboot(ME);
    let command = Command::open(&key().verifying_key(), &receiver.hear(Downlink::Command).await).unwrap();
    assert_eq!(command.order, Order::Reboot);
    drop(receiver);
    while !matches!(news(&mut fleet).await, News::Presence(ME, false)) {}

    shutdown.send(true).unwrap();
    line.await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, fleet.news()).await.unwrap().is_none());
    host.kill().await;
}

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn credentials() -> Arc<Credentials> {
    let credentials = Arc::new(Credentials::default());
    credentials.replace([(ME, secret(ME))]);
    credentials
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_embedded_broker() {
    let credentials = credentials();
    let password = credentials.password().to_owned();
    speaks(
        Host::Embedded {
            credentials,
            tls: None,
            running: None,
        },
        any(),
        any(),
        password,
        None,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_embedded_broker_in_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = tls::Authority::open(folder.path()).unwrap();
    let trust = authority.pem().into_bytes();
    let credentials = credentials();
    let password = credentials.password().to_owned();
    let host = Host::Embedded {
        credentials,
        tls: Some(authority),
        running: None,
    };
    speaks(host, any(), any(), password, Some(trust)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_mosquitto() {
    // It has to be told a port that is free now.
    let plain = std::net::TcpListener::bind(any())
        .and_then(|socket| socket.local_addr())
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (access, passwords) = (folder.path().join("acl"), folder.path().join("passwords"));
    std::fs::write(&access, mosquitto::access_list()).unwrap();
    let lines = [
        mosquitto::server_line("secret", &[1; 12]),
        mosquitto::receiver_line(ME, &secret(ME), &[2; 12]),
    ];
    std::fs::write(&passwords, lines.concat()).unwrap();
    let config = format!(
        "listener {} {}\nuser root\nallow_anonymous false\nuse_username_as_clientid true\npassword_file {}\nacl_file {}\n",
        plain.port(),
        plain.ip(),
        passwords.display(),
        access.display()
    );
    std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
    let host = Host::Mosquitto { folder, child: None };
    speaks(host, plain, any(), "secret".to_owned(), None).await;
}
