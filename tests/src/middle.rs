//! Whoever owns the network between receivers and server: sees every datagram, keeps it, changes it, sends it again, swallows it.
//! Here: a relay for the media socket that does what a test orders. Not here: MQTT, which is the broker's owner's.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// How long a read waits before it is looked whether the relay is to end.
const LOOK: Duration = Duration::from_millis(100);
/// No datagram is longer.
const LONGEST: usize = 2048;

/// What becomes of a datagram from the server: which receiver it is for (0, 1, … in the order in which they first spoke), the
/// datagram, and what that receiver is sent in its place.
pub type Tamper = dyn FnMut(usize, &[u8]) -> Vec<Vec<u8>> + Send;

/// Datagrams, in the order in which they came.
#[derive(Debug, Default)]
struct Tape {
    kept: Mutex<Vec<Vec<u8>>>,
    grown: Condvar,
}

impl Tape {
    fn push(&self, datagram: &[u8]) {
        self.kept
            .lock()
            .expect("nothing panics while holding it")
            .push(datagram.to_vec());
        self.grown.notify_all();
    }
}

/// A relay under way; ends when dropped.
#[derive(Debug)]
pub struct Middle {
    port: u16,
    tape: Arc<Tape>,
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Middle {
    /// Relays to the server's media socket on this machine's `media` port, and does what `tamper` says to what comes back.
    pub fn relaying(media: u16, tamper: Box<Tamper>) -> Result<Self> {
        Self::start(None, move |front, ending, tape| {
            let tamper = Arc::new(Mutex::new(tamper));
            let mut backs: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
            let mut threads = Vec::new();
            read(front, ending, |from, datagram| {
                let number = backs.len();
                let back = match backs.get(&from) {
                    Some(back) => back,
                    None => {
                        let back = UdpSocket::bind("127.0.0.1:0").and_then(|back| {
                            back.connect(("127.0.0.1", media))?;
                            back.set_read_timeout(Some(LOOK))?;
                            Ok(Arc::new(back))
                        });
                        let back = back.expect("there are sockets");
                        let (mine, front, ending) = (back.clone(), front.clone(), ending.clone());
                        let (tamper, tape) = (tamper.clone(), tape.clone());
                        threads.push(std::thread::spawn(move || {
                            read(&mine, &ending, |_, datagram| {
                                tape.push(datagram);
                                let mut tamper = tamper.lock().expect("nothing panics while holding it");
                                for datagram in tamper(number, datagram) {
                                    // A receiver that is gone is no fault of the network.
                                    let _ = front.send_to(&datagram, from);
                                }
                            });
                        }));
                        backs.entry(from).or_insert(back)
                    }
                };
                let _ = back.send(datagram);
            });
            for thread in threads {
                thread.join().expect("a relay does not panic");
            }
        })
    }

    /// Lets nothing through to a server, and answers every datagram with all of `tape`; on `port`, where a relay was before.
    pub fn replaying(port: u16, tape: Vec<Vec<u8>>) -> Result<Self> {
        Self::start(Some(port), move |front, ending, heard| {
            read(front, ending, |from, datagram| {
                heard.push(datagram);
                for datagram in &tape {
                    let _ = front.send_to(datagram, from);
                }
            });
        })
    }

    fn start(
        port: Option<u16>,
        work: impl FnOnce(&Arc<UdpSocket>, &Arc<AtomicBool>, &Arc<Tape>) + Send + 'static,
    ) -> Result<Self> {
        let front = Arc::new(UdpSocket::bind(("127.0.0.1", port.unwrap_or(0))).context("the relay's socket")?);
        front.set_read_timeout(Some(LOOK))?;
        let port = front.local_addr()?.port();
        let (ending, tape) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (mine, ours) = (ending.clone(), Arc::clone(&tape));
        let thread = std::thread::spawn(move || work(&front, &mine, &ours));
        Ok(Self {
            port,
            tape,
            ending,
            threads: vec![thread],
        })
    }

    /// The UDP port on 127.0.0.1 that receivers are to take for the server's.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What was kept: of a relay, what the server sent; of a replay, what receivers said.
    pub fn tape(&self) -> Vec<Vec<u8>> {
        self.tape.kept.lock().expect("nothing panics while holding it").clone()
    }

    /// Waits until more than `count` datagrams were kept.
    pub fn wait_for_more_than(&self, count: usize, patience: Duration) -> Result<()> {
        let kept = self.tape.kept.lock().expect("nothing panics while holding it");
        let (kept, waited) = self
            .tape
            .grown
            .wait_timeout_while(kept, patience, |kept| kept.len() <= count)
            .expect("nothing panics while holding it");
        ensure!(!waited.timed_out(), "only {} datagrams came", kept.len());
        Ok(())
    }

    /// Ends it and gives what was kept.
    pub fn finish(self) -> Vec<Vec<u8>> {
        self.tape()
    }
}

impl Drop for Middle {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() && !std::thread::panicking() {
                panic!("the relay panicked");
            }
        }
    }
}

fn read(socket: &UdpSocket, ending: &AtomicBool, mut take: impl FnMut(SocketAddr, &[u8])) {
    let mut datagram = [0; LONGEST];
    while !ending.load(Ordering::Relaxed) {
        match socket.recv_from(&mut datagram) {
            Ok((length, from)) => take(from, &datagram[..length]),
            // A server that is gone shows as refused.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused | ErrorKind::Interrupted
                ) => {}
            Err(error) => panic!("the relay's socket: {error}"),
        }
    }
}
