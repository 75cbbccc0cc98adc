//! Who makes packets in time. Here: a thread that asks its feed for a frame whenever one is due, encodes it and puts it into the
//! ring; and what is kept of it. Not here: what sounds (the feeds).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use loa_protocol::{SAMPLE_RATE, UnixMicros};

use super::recorder::Recorder;
use super::{FRAME, Feed, News, Ring};
use crate::media::encode::MAX_PACKET;

/// Microseconds in a frame.
const LENGTH: u64 = 20_000;
/// A packet is made this long before it is to be sent, in microseconds.
const MARGIN: u64 = 8_000;
/// Who is behind by so many frames gives them up: they could not be sent in time any more.
const BEHIND: u64 = 10;

/// When frames are due.
#[derive(Debug, Clone, Copy)]
pub struct Beat {
    /// When frame 0 begins to sound.
    pub start: UnixMicros,
    /// Microseconds from a packet's sending to its sounding.
    pub latency: u64,
}

impl Beat {
    fn due(&self, index: u64) -> UnixMicros {
        UnixMicros((self.start.0 + index * LENGTH).saturating_sub(self.latency + MARGIN))
    }

    /// The first frame that is due at `now` or later.
    fn index_at(&self, now: UnixMicros) -> u64 {
        now.0.saturating_sub(self.due(0).0).div_ceil(LENGTH)
    }
}

/// A running desk; it ends when it is dropped.
#[derive(Debug)]
pub struct Desk {
    ring: Arc<Ring>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a desk does.
pub struct Plan {
    /// When.
    pub beat: Beat,
    /// Bits per second, on average.
    pub bitrate: u32,
    /// What.
    pub feed: Box<dyn Feed>,
    /// Where it is kept, if it is. A file that is there already stays as it is.
    pub record: Option<PathBuf>,
    /// Tells the time.
    pub clock: fn() -> UnixMicros,
    /// Is told what becomes of the source.
    pub tell: Box<dyn Fn(News) + Send>,
}

impl Desk {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no encoder or no thread to be had.
    pub fn start(plan: Plan) -> io::Result<Self> {
        let encoder = encoder(plan.bitrate).map_err(io::Error::other)?;
        let ring = Arc::new(Ring::new(u64::from(plan.bitrate) * LENGTH / 8_000_000));
        let ending = Arc::new(AtomicBool::new(false));
        let recorder = plan.record.as_ref().and_then(|path| match Recorder::create(path) {
            Ok(recorder) => Some(recorder),
            // Of a server that was killed meanwhile: the beginning is kept.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "a live broadcast is not recorded");
                None
            }
        });
        let worker = Worker {
            plan,
            encoder,
            recorder,
            ring: ring.clone(),
            ending: ending.clone(),
        };
        let thread = std::thread::Builder::new().name("live".into()).spawn(|| worker.run())?;
        Ok(Self {
            ring,
            ending,
            thread: Some(thread),
        })
    }

    /// What it makes.
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// Ends it; what is kept is on the disk when this returns.
    pub fn finish(mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
    }
}

fn encoder(bitrate: u32) -> Result<opus::Encoder, opus::Error> {
    let mut encoder = opus::Encoder::new(SAMPLE_RATE, opus::Channels::Mono, opus::Application::Audio)?;
    encoder.set_bitrate(opus::Bitrate::Bits(bitrate as i32))?;
    encoder.set_vbr(true)?;
    // There are others to be served while this sounds.
    encoder.set_complexity(5)?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(10)?;
    Ok(encoder)
}

struct Worker {
    plan: Plan,
    encoder: opus::Encoder,
    recorder: Option<Recorder>,
    ring: Arc<Ring>,
    ending: Arc<AtomicBool>,
}

impl Worker {
    fn run(mut self) {
        let (beat, clock) = (self.plan.beat, self.plan.clock);
        let mut index = beat.index_at(clock());
        while !self.ending.load(Ordering::Relaxed) {
            let now = clock();
            let wait = beat.due(index).0.saturating_sub(now.0);
            if wait > 0 {
                std::thread::sleep(Duration::from_micros(wait.min(LENGTH)));
                continue;
            }
            let current = beat.index_at(now);
            if current > index + BEHIND {
                index = current;
            }
            let mut frame = [0; FRAME];
            let news = self.plan.feed.fill(&mut frame);
            let mut packet = [0; MAX_PACKET];
            match self.encoder.encode(&frame, &mut packet) {
                Ok(length) => self.made(index, &packet[..length]),
                Err(error) => tracing::error!(%error, "a live frame could not be encoded"),
            }
            index += 1;
            if matches!(news, Some(News::Over(_))) {
                self.close();
            }
            if let Some(news) = news {
                (self.plan.tell)(news);
            }
        }
        self.close();
    }

    fn made(&mut self, index: u64, packet: &[u8]) {
        self.ring.put(index, packet);
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.write(packet)
        {
            tracing::error!(%error, "a live broadcast is recorded no further");
            self.recorder = None;
        }
    }

    fn close(&mut self) {
        if let Some(Err(error)) = self.recorder.take().map(Recorder::finish) {
            tracing::error!(%error, "a recording could not be closed");
        }
    }
}
