//! How fast bodies must come and go. Here: a request's body must bring a little within a time, however slow the line; what
//! a connection is used for, so that its listener can tell an answer that nobody takes from a handler at work. Time that
//! the server itself takes counts against nobody.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::App;
use super::error::Problem;
use super::listen::Patience;

/// At least so many bytes of a body must come in while so long was waited for them: 2G still does ten times that.
const LEAST: u64 = 8 << 10;
/// See [`LEAST`].
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// How long bodies are waited for; [`WINDOW`] unless a test says less.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window(pub(super) Duration);

/// Breaks off requests whose bodies come too slowly.
pub(super) async fn bodies(State((app, window)): State<(App, Window)>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let late = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| {
        Body::new(Paced {
            body,
            window: window.0,
            bytes: 0,
            waited: Duration::ZERO,
            waiting: None,
            late: late.clone(),
        })
    });
    let response = next.run(request).await;
    if !late.load(Ordering::Relaxed) {
        return response;
    }
    app.counters.slow_bodies.add();
    let (vi, en) = (
        "Yêu cầu gửi đến quá chậm. Hãy thử lại khi đường truyền tốt hơn.",
        "The request came in too slowly. Try again on a better line.",
    );
    let mut response = Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", vi, en).into_response();
    // The rest of it may still be on the way.
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// A request's body that must come on.
struct Paced {
    body: Body,
    window: Duration,
    /// Since `waited` was last zero.
    bytes: u64,
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    late: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
#[error("the body came in too slowly")]
struct TooSlow;

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let it = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut it.body).poll_frame(cx) {
            if let Some((since, _)) = it.waiting.take() {
                it.waited += since.elapsed();
            }
            let came = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            it.bytes += came.map_or(0, |data| data.len() as u64);
            if it.bytes >= LEAST {
                (it.bytes, it.waited) = (0, Duration::ZERO);
            }
            return Poll::Ready(frame);
        }
        let left = it.window.saturating_sub(it.waited);
        let (_, late) = it
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
        ready!(late.as_mut().poll(cx));
        it.late.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a connection is used for.
#[derive(Debug)]
pub(super) struct Use {
    begun: Instant,
    /// When it was last, in milliseconds since it began.
    last: AtomicU64,
    requests: AtomicUsize,
    answers: AtomicUsize,
    served: AtomicBool,
}

/// What is to be thought of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    Fine,
    /// Nothing is asked for.
    Idle,
    /// Answers are ready and nobody takes them.
    Stalled,
}

impl Use {
    pub(super) fn new(begun: Instant) -> Arc<Self> {
        Arc::new(Self {
            begun,
            last: AtomicU64::new(0),
            requests: AtomicUsize::new(0),
            answers: AtomicUsize::new(0),
            served: AtomicBool::new(false),
        })
    }

    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> Ticket {
        self.served.store(true, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.touch();
        Ticket(self.clone())
    }

    fn touch(&self) {
        let since = self.begun.elapsed().as_millis();
        self.last
            .store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether anything was ever asked for.
    pub(super) fn served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// After how long without use it is looked at: idle, or stalled.
    fn bound(&self, patience: &Patience) -> Duration {
        match self.requests.load(Ordering::Relaxed) {
            0 => patience.idle,
            _ => patience.stall,
        }
    }

    /// When to look again.
    pub(super) fn look(&self, patience: &Patience) -> Instant {
        let last = self.begun + Duration::from_millis(self.last.load(Ordering::Relaxed));
        // A handler at work may take its time, and is looked at no more often than this.
        (last + self.bound(patience)).max(Instant::now() + Duration::from_millis(50))
    }

    pub(super) fn judge(&self, patience: &Patience, now: Instant) -> Verdict {
        let last = self.begun + Duration::from_millis(self.last.load(Ordering::Relaxed));
        let requests = self.requests.load(Ordering::Relaxed);
        if now.saturating_duration_since(last) < self.bound(patience) {
            Verdict::Fine
        } else if requests == 0 {
            Verdict::Idle
        } else if requests == self.answers.load(Ordering::Relaxed) {
            Verdict::Stalled
        } else {
            Verdict::Fine
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Ticket(Arc<Use>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
        self.0.touch();
    }
}

/// An answer's body on its way out.
pub(super) struct Streamed {
    body: Body,
    ticket: Ticket,
}

impl Streamed {
    pub(super) fn new(body: Body, ticket: Ticket) -> Self {
        ticket.0.answers.fetch_add(1, Ordering::Relaxed);
        Self { body, ticket }
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.ticket.0.answers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // It is asked for more only when there is room for it: somebody takes it.
        self.ticket.0.touch();
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
