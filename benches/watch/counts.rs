//! Counts the requests to a registry, in the registry.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The requests to a registry since its counts were last taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// HEADs of manifests, refused ones included.
    pub heads: u64,
    /// GETs of manifests.
    pub gets: u64,
    /// GETs of `/v2/`.
    pub pings: u64,
    /// Token requests.
    pub tokens: u64,
    /// All other requests.
    pub others: u64,
    /// Challenges (responses that ask for authorization).
    pub challenges: u64,
    /// The most scopes in one token.
    pub most_scopes: u64,
    /// Connections opened.
    pub connections: u64,
    /// The most requests in flight at the same time.
    pub most_in_flight: u64,
    /// Bytes received, TLS included.
    pub bytes_in: u64,
    /// Bytes sent, TLS included.
    pub bytes_out: u64,
}

impl Counts {
    /// Returns the counts that are the same in every run: all but bytes and concurrency.
    #[must_use]
    pub fn exact(&self) -> Self {
        Self {
            most_in_flight: 0,
            bytes_in: 0,
            bytes_out: 0,
            ..self.clone()
        }
    }

    /// Returns the number of requests that are neither HEADs nor for tokens.
    #[must_use]
    pub fn needless(&self) -> u64 {
        self.gets + self.pings + self.others
    }

    /// Returns the bytes of both directions.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes_in + self.bytes_out
    }
}

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HEAD of a manifest.
    Head,
    /// GET of a manifest.
    Get,
    /// GET of `/v2/`.
    Ping,
    /// A token request.
    Token,
    /// Anything else.
    Other,
}

/// The running counts.
#[derive(Debug, Default)]
pub struct Counter {
    counts: Mutex<Counts>,
    in_flight: AtomicU64,
    open: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    sequence: Mutex<Vec<Kind>>,
    span: Mutex<Option<(Instant, Instant)>>,
}

impl Counter {
    /// Counts a request; dropping the result counts its end.
    pub fn request(self: &Arc<Self>, kind: Kind) -> InFlight {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.change(|counts| {
            counts.most_in_flight = counts.most_in_flight.max(now);
            *match kind {
                Kind::Head => &mut counts.heads,
                Kind::Get => &mut counts.gets,
                Kind::Ping => &mut counts.pings,
                Kind::Token => &mut counts.tokens,
                Kind::Other => &mut counts.others,
            } += 1;
        });
        self.sequence().push(kind);
        let now = Instant::now();
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        *span = Some((span.map_or(now, |(first, _)| first), now));
        InFlight(Arc::clone(self))
    }

    /// Changes counts that are only known while a request is answered.
    pub fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Wraps a connection to count its bytes.
    pub fn connection(self: &Arc<Self>, stream: TcpStream) -> Counted {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.change(|counts| counts.connections += 1);
        Counted {
            stream,
            counter: Arc::clone(self),
        }
    }

    /// Returns the kinds of all requests since the counts were last taken, in order.
    pub fn sequence(&self) -> MutexGuard<'_, Vec<Kind>> {
        self.sequence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many connections are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Returns the time from the first request to the last.
    pub fn span(&self) -> Duration {
        let span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        span.map_or(Duration::ZERO, |(first, last)| last - first)
    }

    /// Returns all counts, and resets them.
    pub fn take(&self) -> Counts {
        let mut counts = Counts::default();
        self.change(|held| std::mem::swap(held, &mut counts));
        self.sequence().clear();
        *self.span.lock().unwrap_or_else(PoisonError::into_inner) = None;
        counts.bytes_in = self.bytes_in.swap(0, Ordering::Relaxed);
        counts.bytes_out = self.bytes_out.swap(0, Ordering::Relaxed);
        counts
    }
}

/// A request without a response so far.
pub struct InFlight(Arc<Counter>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection whose bytes are counted.
pub struct Counted {
    stream: TcpStream,
    counter: Arc<Counter>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counter.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let more = (buffer.filled().len() - before) as u64;
        self.counter.bytes_in.fetch_add(more, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(more)) = &written {
            let more = *more as u64;
            self.counter.bytes_out.fetch_add(more, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
