//! One simulated receiver at work: the task that gives the core what sockets and time bring, and carries out what it asks for.
//! Here: the boards' shell, as a host has it. Not here: what a receiver does (`loa-receiver`), what is seen of it (`observer`).

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use loa_protocol::MAX_DATAGRAM;
use loa_protocol::enrolment::MAX_ENROLMENT;
use loa_receiver::{Enrolment, Input, Micros, Output, Receiver};
use rumqttc::{AsyncClient, ConnectionError, Packet, QoS};
use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::{broadcast, mpsc, watch};

use crate::clock::Clock;
use crate::fault::{Faults, Link};
use crate::hearing::Hearing;
use crate::mqtt::{self, Authorities, Line};
use crate::observer::{News, Observer};
use crate::random::Random;
use crate::simulation::Event;
use crate::{BUILD, enrolments};

/// What can be done to a running receiver.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// Cut its mains for a moment.
    Reboot,
    /// Give it another UDP port, as a NAT does.
    Rebind,
}

/// How long a board needs from power-on until the core runs.
const BOOT: Duration = Duration::from_millis(500);
/// Between attempts to find the media socket's address, in microseconds.
const LOOK_UP_AGAIN: u64 = 2_000_000;

/// What the task and [`crate::Simulation`] both look at.
pub(crate) struct Shared(Mutex<Watched>);

pub(crate) struct Watched {
    pub(crate) observer: Observer,
    /// From the server to the receiver.
    pub(crate) down: Link,
    /// From the receiver to the server.
    pub(crate) up: Link,
}

impl Shared {
    pub(crate) fn new(observer: Observer, down: Link, up: Link) -> Self {
        Self(Mutex::new(Watched { observer, down, up }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Watched> {
        // What is in it is sound even if a panic interrupted a change: counts may be one off.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One receiver's task.
pub(crate) struct Device {
    pub(crate) number: usize,
    pub(crate) enrolment: Enrolment,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) decode: bool,
    /// When it is switched on for the first time.
    pub(crate) power_on: Micros,
    pub(crate) random: Random,
    /// Where its enrolment is kept.
    pub(crate) file: Option<PathBuf>,
    pub(crate) authorities: Authorities,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) progress: watch::Sender<u64>,
}

/// A wait for MQTT that goes on across everything else that happens.
type Waiting = Pin<Box<dyn Future<Output = (Line, Result<rumqttc::Event, ConnectionError>)> + Send>>;

/// Why a life ended.
enum End {
    Reboot,
    Stop,
}

impl Device {
    /// Lives, boots, lives again, until `stop` turns true.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut power_on = self.clock.instant(self.power_on);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(power_on) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            if matches!(self.live(&mut stop).await, End::Stop) {
                return;
            }
            power_on = tokio::time::Instant::now() + BOOT;
        }
    }

    /// From power-on until the next.
    async fn live(&mut self, stop: &mut watch::Receiver<bool>) -> End {
        let booted = self.clock.now();
        let mut core = Box::new(Receiver::new(
            self.enrolment.clone(),
            BUILD,
            unforeseen(),
            Hearing::new(self.decode),
        ));
        let session = core.session(0);
        let tls = self.tls(session.ca);
        let (line, client) = mqtt::open(&session, tls, self.random.clone());
        let mut waiting: Waiting = Box::pin(line.next());
        let mut shell = Shell {
            booted,
            client,
            connected: false,
            socket: None,
            look_up_at: booted,
            reboot: false,
        };
        let mains = next(&self.faults.reboots, booted);
        let mut rebind = next(&self.faults.rebinds, booted);
        let mut buffer = [0; MAX_DATAGRAM + 1];
        let news = self.shared.lock().observer.booted();
        self.tell(Some(news));
        loop {
            let now = self.clock.now();
            if mains.is_some_and(|at| at <= now) || shell.reboot {
                return End::Reboot;
            }
            if rebind.is_some_and(|at| at <= now) {
                self.rebind(&mut shell, now);
                rebind = next(&self.faults.rebinds, now);
            }
            if shell.socket.is_none() && !self.faults.udp_shut && shell.look_up_at <= now {
                shell.socket = self.media_socket().await;
                shell.look_up_at = Micros(now.0 + LOOK_UP_AGAIN);
            }
            self.deliver(&mut core, &mut shell);
            let outage = self.faults.outage(now);
            let wake = self.wake(&core, &shell, [outage, mains, rebind].into_iter().flatten());
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return End::Stop,
                Some(order) = self.orders.recv() => match order {
                    Order::Reboot => return End::Reboot,
                    Order::Rebind => self.rebind(&mut shell, now),
                },
                received = receive(shell.socket.as_ref(), &mut buffer) => {
                    let now = self.clock.now();
                    // An error is a refusal of something sent before (ICMP): the next hello finds out.
                    if let Ok(length) = received {
                        self.shared.lock().down.push(now, buffer[..length].to_vec());
                    }
                }
                // In an outage nobody looks at the line: the connection stalls, and whoever waits for it times out.
                (mut line, event) = &mut waiting, if outage.is_none() => {
                    let failed = event.is_err();
                    self.mqtt(&mut core, &mut shell, &line, event);
                    if failed {
                        let session = core.session(line.attempts());
                        line.log_in(&session.name, &session.password, self.tls(session.ca));
                    }
                    waiting = Box::pin(line.next());
                }
                () = sleep_until(wake.map(|at| self.clock.instant(at))) => {
                    self.handle(&mut core, &mut shell, Input::Timer);
                }
            }
        }
    }

    /// Another port from now on.
    fn rebind(&self, shell: &mut Shell, now: Micros) {
        (shell.socket, shell.look_up_at) = (None, now);
        self.shared.lock().observer.moved();
    }

    /// When there is something to do even if nothing comes in.
    fn wake(&self, core: &Receiver<Hearing>, shell: &Shell, others: impl Iterator<Item = Micros>) -> Option<Micros> {
        let shared = self.shared.lock();
        let core = core.next_wakeup().map(|at| Micros(at.0 + shell.booted.0));
        let look_up = (shell.socket.is_none() && !self.faults.udp_shut).then_some(shell.look_up_at);
        [core, look_up, shared.down.next_wakeup(), shared.up.next_wakeup()]
            .into_iter()
            .flatten()
            .chain(others)
            .min()
    }

    /// Brings to the core and to the server what has passed the network.
    fn deliver(&mut self, core: &mut Receiver<Hearing>, shell: &mut Shell) {
        loop {
            let now = self.clock.now();
            let arrived = self.shared.lock().down.poll(now);
            let Some(mut datagram) = arrived else { break };
            self.handle(core, shell, Input::Datagram(&mut datagram));
        }
        let now = self.clock.now();
        while let Some(datagram) = self.shared.lock().up.poll(now) {
            if let Some(socket) = &shell.socket {
                // What cannot be sent is lost, as on any network.
                let _ = socket.try_send(&datagram);
            }
        }
    }

    fn mqtt(
        &mut self,
        core: &mut Receiver<Hearing>,
        shell: &mut Shell,
        line: &Line,
        event: Result<rumqttc::Event, ConnectionError>,
    ) {
        match event {
            Ok(rumqttc::Event::Incoming(Packet::ConnAck(_))) => {
                shell.connected = true;
                self.handle(core, shell, Input::MqttUp);
            }
            Ok(rumqttc::Event::Incoming(Packet::Publish(message))) => {
                self.shared.lock().observer.message(&message.topic, &message.payload);
                let mut payload = message.payload.to_vec();
                self.handle(
                    core,
                    shell,
                    Input::Mqtt {
                        topic: &message.topic,
                        payload: &mut payload,
                    },
                );
            }
            Ok(_) => {}
            Err(error) => {
                if line.just_failed() {
                    tracing::warn!(receiver = %self.enrolment.receiver, %error, "no MQTT session, connecting again");
                }
                if std::mem::take(&mut shell.connected) {
                    self.handle(core, shell, Input::MqttDown);
                }
            }
        }
    }

    /// Gives the core an input and carries out what it asks for.
    fn handle(&mut self, core: &mut Receiver<Hearing>, shell: &mut Shell, input: Input<'_>) {
        let now = self.clock.now();
        core.handle(Micros(now.0 - shell.booted.0), input);
        let mut shared = self.shared.lock();
        shared.observer.counted(*core.counters());
        let mut news = Vec::new();
        let mut stored = None;
        loop {
            if let Some(done) = stored.take() {
                core.handle(Micros(now.0 - shell.booted.0), Input::Stored(done));
            }
            let Some(output) = core.poll() else { break };
            match output {
                Output::Subscribe(topic) => {
                    let _ = shell.client.try_subscribe(topic.as_str(), QoS::AtLeastOnce);
                }
                Output::Publish {
                    topic,
                    payload,
                    at_least_once,
                    retain,
                } => {
                    let Watched { observer, down, .. } = &mut *shared;
                    news.extend(observer.published(&topic, payload, Some(down)));
                    let qos = if at_least_once {
                        QoS::AtLeastOnce
                    } else {
                        QoS::AtMostOnce
                    };
                    if shell.connected {
                        let _ = shell.client.try_publish(topic.as_str(), qos, retain, payload);
                    }
                }
                Output::Datagram(datagram) => shared.up.push(now, datagram.to_vec()),
                Output::Sound { at, pcm } => {
                    let at = Micros(at.0 + shell.booted.0);
                    shared.observer.sound(self.clock.unix(at), at < now, pcm);
                }
                Output::Amplifier(on) => shared.observer.amplifier(on),
                Output::Status(status) => news.extend(shared.observer.status(status)),
                Output::Store(enrolment) => {
                    let done = keep(self.file.as_deref(), enrolment);
                    if done {
                        shared.observer.enrolled(enrolment);
                        self.enrolment = enrolment.clone();
                    }
                    stored = Some(done);
                }
                Output::Reboot => shell.reboot = true,
            }
        }
        drop(shared);
        self.tell(news);
    }

    fn tell(&self, news: impl IntoIterator<Item = News>) {
        for news in news {
            tracing::debug!(receiver = %self.enrolment.receiver, ?news);
            // Nobody need listen.
            let _ = self.events.send(Event {
                receiver: self.number,
                news,
            });
            self.progress.send_modify(|progress| *progress += 1);
        }
    }

    /// How to check the broker by this authority.
    fn tls(&mut self, ca: Option<&[u8]>) -> Option<Arc<rustls::ClientConfig>> {
        let trusted = self.authorities.trust(ca?);
        trusted
            .inspect_err(|error| tracing::error!(receiver = %self.enrolment.receiver, %error))
            .ok()
    }

    /// A new socket that speaks to the server's media socket only.
    async fn media_socket(&self) -> Option<UdpSocket> {
        let (host, port) = (self.enrolment.media_host.as_str(), self.enrolment.media_port);
        let socket = async {
            let server = lookup_host((host, port)).await?.next();
            let server = server.ok_or_else(|| std::io::Error::other("the name has no address"))?;
            let any = match server {
                SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
                SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(server).await?;
            Ok::<_, std::io::Error>(socket)
        };
        socket
            .await
            .inspect_err(|error| tracing::warn!(receiver = %self.enrolment.receiver, host, port, %error, "no way to the media socket"))
            .ok()
    }
}

/// Keeps an enrolment in its file, if it has one.
fn keep(file: Option<&Path>, enrolment: &Enrolment) -> bool {
    let Some(file) = file else { return true };
    let mut flash = [0; MAX_ENROLMENT];
    let kept = enrolment
        .encode(&mut flash)
        .map_err(std::io::Error::other)
        .and_then(|length| enrolments::keep(file, &flash[..length]));
    kept.inspect_err(|error| tracing::error!(file = %file.display(), %error, "the enrolment cannot be kept"))
        .is_ok()
}

/// What a life has besides the core.
struct Shell {
    booted: Micros,
    client: AsyncClient,
    connected: bool,
    socket: Option<UdpSocket>,
    look_up_at: Micros,
    reboot: bool,
}

/// The first of `times` after `now`.
fn next(times: &[Micros], now: Micros) -> Option<Micros> {
    times.iter().copied().filter(|at| *at > now).min()
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> std::io::Result<usize> {
    match socket {
        Some(socket) => socket.recv(buffer).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A seed for a receiver's or claimant's own random numbers: the system's, as a board's come from its generator. Were it the simulation's,
/// a second run would say the same hellos and ask under the same claim, and take a recorded answer for its server's.
pub(crate) fn unforeseen() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the system has random numbers");
    seed
}
