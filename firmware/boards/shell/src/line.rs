//! The TCP connection below MQTT: its socket lives in the urgent half of the shell ([`carry`]), its bytes are used in the
//! other ([`Line`]).

use crate::address;
use crate::board::Contact;
use core::convert::Infallible;
use embassy_futures::select::{Either3, select3};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{ErrorType, Read, Write};

/// How long looking the broker up and connecting to it may take.
const CONNECT: Duration = Duration::from_secs(10);
/// A peer that acknowledges nothing for so long is gone.
const GONE: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// TCP windows, and bytes on their way between the halves.
const WINDOW: usize = 4_096;
const PIPE: usize = 2_048;
const CHUNK: usize = 512;

/// What a connection has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Closed,
}

/// The other half's end of the connection. Reading and writing wait for ever when it closes: [`Line::closed`] tells.
pub(crate) struct Line {
    incoming: Pipe<CriticalSectionRawMutex, PIPE>,
    outgoing: Pipe<CriticalSectionRawMutex, PIPE>,
    dial: Signal<CriticalSectionRawMutex, ()>,
    hang_up: Signal<CriticalSectionRawMutex, ()>,
    state: Signal<CriticalSectionRawMutex, State>,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self {
            incoming: Pipe::new(),
            outgoing: Pipe::new(),
            dial: Signal::new(),
            hang_up: Signal::new(),
            state: Signal::new(),
        }
    }

    /// Opens a connection; the last one has been hung up.
    pub(crate) async fn dial(&self) -> State {
        self.state.reset();
        self.dial.signal(());
        self.state.wait().await
    }

    /// Comes back when the peer or the network has closed the connection.
    pub(crate) async fn closed(&self) {
        while self.state.wait().await != State::Closed {}
    }

    /// Closes the connection.
    pub(crate) fn hang_up(&self) {
        self.hang_up.signal(());
    }
}

/// Opens connections to the broker and carries their bytes, for ever.
pub(crate) async fn carry(stack: Stack<'_>, contact: &Contact, line: &Line) -> ! {
    let (mut receiving, mut sending) = ([0; WINDOW], [0; WINDOW]);
    loop {
        line.dial.wait().await;
        // It was for the connection before.
        line.hang_up.reset();
        line.incoming.clear();
        line.outgoing.clear();
        let mut socket = TcpSocket::new(stack, &mut receiving, &mut sending);
        socket.set_timeout(Some(GONE));
        socket.set_keep_alive(Some(KEEP_ALIVE));
        socket.set_nagle_enabled(false);
        let connected = with_timeout(CONNECT, async {
            let address = address::resolve(stack, &contact.host).await?;
            stack.wait_config_up().await;
            socket.connect((address, contact.port)).await.ok()
        });
        if !matches!(connected.await, Ok(Some(()))) {
            line.state.signal(State::Closed);
            continue;
        }
        line.state.signal(State::Open);
        let (mut reader, mut writer) = socket.split();
        let receive = async {
            let mut chunk = [0; CHUNK];
            while let Ok(length @ 1..) = reader.read(&mut chunk).await {
                line.incoming.write_all(&chunk[..length]).await;
            }
        };
        let send = async {
            let mut chunk = [0; CHUNK];
            loop {
                let length = line.outgoing.read(&mut chunk).await;
                if writer.write_all(&chunk[..length]).await.is_err() {
                    return;
                }
            }
        };
        // Hanging up comes first: once the other half is done with a connection, it wants to hear no more of it.
        match select3(line.hang_up.wait(), receive, send).await {
            Either3::First(()) => {}
            Either3::Second(()) | Either3::Third(()) => line.state.signal(State::Closed),
        }
        socket.abort();
        // Lets the reset leave before the socket goes.
        let _ = with_timeout(Duration::from_millis(100), socket.flush()).await;
    }
}

/// A handle on the bytes of a [`Line`].
#[derive(Clone)]
pub(crate) struct Wire<'a>(pub(crate) &'a Line);

impl ErrorType for Wire<'_> {
    type Error = Infallible;
}

impl Read for Wire<'_> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.0.incoming.read(bytes).await)
    }
}

impl Write for Wire<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(self.0.outgoing.write(bytes).await)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        // Sending is what `carry` does anyway.
        Ok(())
    }
}
