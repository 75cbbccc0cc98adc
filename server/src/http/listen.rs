//! Connections. Here: accepting them, plain and with TLS, within bounds in all and for each address; and ending those that
//! hold a place without using it: a handshake, a head, a body or an answer that does not come on. Not here: what is asked
//! for on them (the router), nor bodies' pace ([`super::pace`]).

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::App;
use super::limits::network;
use super::metrics::Counters;
use super::pace::{Streamed, Use, Verdict};
use crate::https::ACME_TLS;

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For TLS to be agreed on.
    pub handshake: Duration,
    /// For a request's head to come in, and between two requests of HTTP/1.1.
    pub head: Duration,
    /// Between two requests, in any version.
    pub idle: Duration,
    /// For the next part of an answer to be taken.
    pub stall: Duration,
    /// For requests under way when the server ends.
    pub grace: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            handshake: seconds(10),
            head: seconds(30),
            idle: seconds(120),
            stall: seconds(90),
            grace: seconds(5),
        }
    }
}

/// Which door a request came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Plain,
    Tls,
}

/// Longest head of a request, in bytes.
const HEAD: usize = 32 << 10;
/// Requests on one HTTP/2 connection at once.
const STREAMS: u32 = 64;
/// A connection that was told to end has this long to do so.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The places that connections take, in all and for each address; one for all listeners of a server.
#[derive(Debug)]
pub struct Places {
    all: u32,
    each: u32,
    taken: Mutex<(u32, HashMap<IpAddr, u32>)>,
}

impl Places {
    /// So many in all, and for each address (0: no bound).
    pub fn new(all: u32, each: u32) -> Arc<Self> {
        let taken = Mutex::default();
        Arc::new(Self { all, each, taken })
    }

    /// A place for somebody from there, or which bound forbids it.
    fn take(self: &Arc<Self>, from: IpAddr) -> Result<Place, Full> {
        let from = network(from);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.0 >= self.all {
            return Err(Full::All);
        }
        let of_it = taken.1.get(&from).copied().unwrap_or(0);
        // Behind this machine's own address is a proxy, and behind that anybody.
        if self.each > 0 && of_it >= self.each && !from.is_loopback() {
            return Err(Full::Address);
        }
        taken.0 += 1;
        taken.1.insert(from, of_it + 1);
        let places = self.clone();
        Ok(Place { places, from })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Full {
    All,
    Address,
}

#[derive(Debug)]
struct Place {
    places: Arc<Places>,
    from: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.0 -= 1;
        if let Some(of_it) = taken.1.get_mut(&self.from) {
            *of_it -= 1;
            if *of_it == 0 {
                taken.1.remove(&self.from);
            }
        }
    }
}

/// A socket that listens, and what is served on it.
pub struct Listener {
    /// The socket.
    pub socket: TcpListener,
    /// With what TLS, if with any.
    pub tls: Option<Arc<ServerConfig>>,
    /// What is served.
    pub router: Router,
    /// What connections count against.
    pub places: Arc<Places>,
    /// How long clients may take.
    pub patience: Patience,
}

impl Listener {
    /// Serves until shutdown, and then what is under way for as long as patience has it.
    pub async fn run(self, app: App, shutdown: watch::Receiver<bool>) {
        let mut open = JoinSet::new();
        let mut ending = shutdown.clone();
        let tls = self.tls.map(TlsAcceptor::from);
        loop {
            let accepted = tokio::select! {
                // Whoever could signal being gone is a signal as well.
                _ = ending.wait_for(|ending| *ending) => break,
                accepted = self.socket.accept() => accepted,
                Some(_) = open.join_next(), if !open.is_empty() => continue,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors, most likely: until some come free.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let place = match self.places.take(peer.ip().to_canonical()) {
                Ok(place) => place,
                Err(full) => {
                    match full {
                        Full::All => app.counters.places.add(),
                        Full::Address => app.counters.places_of_address.add(),
                    }
                    continue;
                }
            };
            let connection = Connection {
                peer,
                tls: tls.clone(),
                router: self.router.clone(),
                patience: self.patience,
                app: app.clone(),
                shutdown: shutdown.clone(),
            };
            open.spawn(async move {
                connection.serve(stream).await;
                drop(place);
            });
        }
        drop(self.socket);
        let all = async { while open.join_next().await.is_some() {} };
        if timeout(self.patience.grace, all).await.is_err() {
            tracing::warn!("requests that were still under way were broken off");
            open.shutdown().await;
        }
    }
}

struct Connection {
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    patience: Patience,
    app: App,
    shutdown: watch::Receiver<bool>,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Events are small and are to be seen at once; what cannot be set is not worth a connection.
        let _ = stream.set_nodelay(true);
        let Some(tls) = self.tls.clone() else {
            return self.http1(TokioIo::new(stream), Door::Plain).await;
        };
        let handshake = timeout(self.patience.handshake, tls.accept(stream)).await;
        let Ok(Ok(stream)) = handshake else {
            self.app.counters.handshakes.add();
            return;
        };
        match stream.get_ref().1.alpn_protocol() {
            // A directory has had its answer with the handshake.
            Some(ACME_TLS) => {}
            Some(b"h2") => self.http2(TokioIo::new(stream)).await,
            _ => self.http1(TokioIo::new(stream), Door::Tls).await,
        }
    }

    async fn http1(self, io: impl Read + Write + Unpin + Send + 'static, door: Door) {
        let used = Use::new(Instant::now());
        let service = self.service(door, used.clone());
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience.head)
            .max_buf_size(HEAD);
        let connection = builder.serve_connection(io, service).with_upgrades();
        self.attend(connection, |it| it.graceful_shutdown(), used).await;
    }

    async fn http2(self, io: impl Read + Write + Unpin + Send + 'static) {
        let used = Use::new(Instant::now());
        let service = self.service(Door::Tls, used.clone());
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEAD as u32)
            .keep_alive_interval(self.patience.head)
            .keep_alive_timeout(self.patience.handshake);
        let connection = builder.serve_connection(io, service);
        self.attend(connection, |it| it.graceful_shutdown(), used).await;
    }

    /// The router, told where a request comes from; what it answers is watched on its way out.
    fn service(
        &self,
        door: Door,
        used: Arc<Use>,
    ) -> impl hyper::service::Service<
        hyper::Request<Incoming>,
        Response = Response,
        Error = Infallible,
        Future = impl Future<Output = Result<Response, Infallible>> + Send + 'static,
    > + Send
    + 'static {
        let (router, peer) = (self.router.clone(), self.peer);
        hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let (mut router, ticket) = (router.clone(), used.begin());
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(door);
            async move {
                let response = router.call(request).await?;
                Ok(response.map(|body| Body::new(Streamed::new(body, ticket))))
            }
        })
    }

    /// Drives a connection to its end, or ends it.
    async fn attend<C: Future<Output = hyper::Result<()>>>(
        mut self,
        connection: C,
        end: impl Fn(Pin<&mut C>),
        used: Arc<Use>,
    ) {
        let mut connection = pin!(connection);
        let (mut told, mut last) = (false, None);
        let patience = self.patience;
        loop {
            let look = last.unwrap_or_else(|| used.look(&patience));
            tokio::select! {
                done = connection.as_mut() => {
                    // Who had something before is only done.
                    if done.is_err_and(|error| error.is_timeout()) && !used.served() {
                        self.app.counters.slow_heads.add();
                    }
                    return;
                }
                _ = self.shutdown.wait_for(|ending| *ending), if !told => {
                    told = true;
                    end(connection.as_mut());
                }
                () = sleep_until(look) => match used.judge(&patience, Instant::now()) {
                    // It cannot end: what it was last answered is not taken.
                    _ if last.is_some() => {
                        self.app.counters.stalled.add();
                        return;
                    }
                    Verdict::Fine => {}
                    Verdict::Idle => {
                        told = true;
                        last = Some(Instant::now() + LAST_WORDS.min(patience.idle));
                        end(connection.as_mut());
                    }
                    Verdict::Stalled => {
                        self.app.counters.stalled.add();
                        return;
                    }
                }
            }
        }
    }
}

impl Counters {
    /// Refused before there was a request.
    pub(super) fn of_connections(&self) -> [(&'static str, u64); 5] {
        [
            ("reason=\"places\"", self.places.get()),
            ("reason=\"places_of_address\"", self.places_of_address.get()),
            ("reason=\"handshake\"", self.handshakes.get()),
            ("reason=\"slow_head\"", self.slow_heads.get()),
            ("reason=\"stalled\"", self.stalled.get()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_takes_only_its_share_of_the_places() {
        let places = Places::new(10, 2);
        let from = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = places.take(from("203.0.113.9")).unwrap();
        let _second = places.take(from("203.0.113.9")).unwrap();
        assert_eq!(places.take(from("203.0.113.9")).unwrap_err(), Full::Address);
        let _other = places.take(from("203.0.113.10")).unwrap();
        drop(first);
        let _again = places.take(from("203.0.113.9")).unwrap();
        // A line has a whole /64 of IPv6; this machine may be a proxy for all.
        let _line = [places.take(from("2001:db8::1")), places.take(from("2001:db8::2"))];
        assert_eq!(places.take(from("2001:db8::3")).unwrap_err(), Full::Address);
        let here: Vec<_> = (0..5).map(|_| places.take(from("127.0.0.1")).unwrap()).collect();
        assert_eq!(places.take(from("127.0.0.1")).unwrap_err(), Full::All);
        drop((here, _line, _second, _other, _again));
        assert_eq!(*places.taken.lock().unwrap(), (0, HashMap::new()));
    }
}
