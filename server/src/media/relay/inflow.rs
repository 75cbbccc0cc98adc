//! Bytes from who receives them to who decodes them. Here: a bounded channel that is written by a task and read by a thread.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

/// Chunks on their way.
const CHUNKS: usize = 8;

/// Where bytes go in.
#[derive(Debug)]
pub struct Outlet(mpsc::Sender<Bytes>);

/// Where they come out; blocking. It ends when the outlet is dropped.
#[derive(Debug)]
pub struct Inflow {
    chunks: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

/// A channel.
pub fn inflow() -> (Outlet, Inflow) {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    let rest = Bytes::new();
    (Outlet(sender), Inflow { chunks, rest })
}

impl Outlet {
    /// Waits for room; `false`: nobody reads any more.
    pub async fn send(&self, chunk: Bytes) -> bool {
        self.0.send(chunk).await.is_ok()
    }
}

impl Read for Inflow {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.rest = chunk,
                None => return Ok(0),
            }
        }
        let length = self.rest.len().min(out.len());
        self.rest.copy_to_slice(&mut out[..length]);
        Ok(length)
    }
}
