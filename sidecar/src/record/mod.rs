//! What becomes of a request that a tap has seen: its context is taken, its span starts, its head is marked.
//!
//! [`Observed::begin`] tells the whole story in the order it happens. Nothing here ever waits, and nothing here can
//! keep a request from going on.

mod clock;
mod exchange;
mod open;
pub mod redact;
pub mod routes;
mod shared;
pub mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use causality::{Cause, InFlight, Ticket};
use otlp::encode::SpanEncoder;
use otlp::model::Kind;
use rand::rngs::{SmallRng, SysRng};
use rand::{Rng, SeedableRng};
use span::{Edits, Parent, Seen, SpanContext, SpanId, TraceFlags, TraceId};

use self::clock::Clock;
use self::exchange::Known;
pub use self::exchange::Recorded;
pub use self::open::{Present, Roll, Told};
use self::routes::Routes;
use self::shared::Shared;
use crate::config::Settings;
use crate::export::{Loss, Queue};
use crate::metrics::{Direction, Metrics, Unrecorded};
use crate::tap::{Observer, RequestHead};

/// The most inbound requests that are remembered as possible causes.
const IN_FLIGHT_MAX: usize = 4096;

/// The most span buffers that are kept for reuse, by each worker.
const SPARE_MAX: usize = 64;

/// How a span's parent was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The request carried its context.
    Propagated,
    /// It carried none, and can have been caused by one request only.
    Exact,
    /// It carried none, and its cause cannot be known: it starts a trace of its own.
    Unknown,
}

impl Link {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Propagated, Self::Exact, Self::Unknown];

    /// As `meshtrace.link.kind` and labels have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Propagated => "propagated",
            Self::Exact => "exact",
            Self::Unknown => "unknown",
        }
    }
}

/// What all connections of the pod share.
pub struct Pod {
    /// What to do.
    pub settings: Settings,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where finished spans go; nowhere if there is no collector.
    pub queue: Option<Arc<Queue>>,
    /// Its connections.
    pub roll: Arc<Roll>,
    in_flight: Mutex<InFlight<SpanContext>>,
    routes: Mutex<Routes>,
}

impl Pod {
    /// A pod in which nothing is in flight yet.
    pub fn new(settings: Settings, metrics: Arc<Metrics>, queue: Option<Arc<Queue>>) -> Self {
        let routes = Mutex::new(Routes::new(settings.routes.clone()));
        Self {
            settings,
            metrics,
            queue,
            roll: Arc::default(),
            in_flight: Mutex::new(InFlight::new(IN_FLIGHT_MAX)),
            routes,
        }
    }

    /// What is counted by now, in the text format of Prometheus.
    pub fn metrics_text(&self) -> String {
        let waiting = self.queue.as_ref().map_or(0, |queue| queue.bytes());
        self.metrics
            .queued
            .set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.metrics.text()
    }

    fn in_flight(&self) -> MutexGuard<'_, InFlight<SpanContext>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the spans of one worker's connections.
pub struct Recorder {
    pod: Arc<Pod>,
    own: Mutex<Own>,
}

/// What a worker has for itself.
struct Own {
    random: SmallRng,
    clock: Clock,
    spare: Vec<Vec<u8>>,
}

/// A span's identity, its parent, and how that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lineage {
    pub(crate) context: SpanContext,
    pub(crate) parent: Option<SpanId>,
    pub(crate) link: Link,
}

impl Recorder {
    /// # Errors
    /// The operating system gives no random bytes, without which no trace id can be made.
    pub fn new(pod: Arc<Pod>) -> Result<Self, rand::rngs::SysError> {
        let random = SmallRng::try_from_rng(&mut SysRng)?;
        Ok(Self {
            pod,
            own: Mutex::new(Own {
                random,
                clock: Clock::new(),
                spare: Vec::new(),
            }),
        })
    }

    /// What all connections share.
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    /// The child of a parent that was found.
    fn child(&self, parent: SpanContext, sampled: bool, link: Link) -> Lineage {
        let span_id = SpanId::from_random(self.own().random.next_u64());
        let context = SpanContext {
            span_id,
            flags: parent.flags.with_sampled(sampled),
            ..parent
        };
        Lineage {
            context,
            parent: Some(parent.span_id),
            link,
        }
    }

    /// The root of a new trace. `decision` is the caller's, if it made one; `chosen` the trace id, if it chose one.
    fn root(&self, decision: Option<bool>, chosen: Option<TraceId>) -> Lineage {
        let (span_id, random) = {
            let random = &mut self.own().random;
            let high = u128::from(random.next_u64()) << 64;
            (
                SpanId::from_random(random.next_u64()),
                TraceId::from_random(high | u128::from(random.next_u64())),
            )
        };
        let trace_id = chosen.unwrap_or(random);
        let sampled = decision.unwrap_or_else(|| self.pod.settings.sampling.keeps(&trace_id));
        let flags = if chosen.is_some() {
            TraceFlags::default()
        } else {
            TraceFlags::RANDOM
        };
        let context = SpanContext {
            trace_id,
            span_id,
            flags: flags.with_sampled(sampled),
        };
        Lineage {
            context,
            parent: None,
            link: Link::Unknown,
        }
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a span begins that begins at `instant`, in nanoseconds since 1970, and, if it is to be recorded, the span.
    fn open(&self, instant: Instant, recording: bool) -> (u64, Option<SpanEncoder>) {
        let mut own = self.own();
        let start = own.clock.unix_nanos(instant);
        (
            start,
            recording.then(|| SpanEncoder::new(own.spare.pop().unwrap_or_default())),
        )
    }

    /// A span is finished. It waits for its batch, or is lost and counted.
    fn export(&self, span: SpanEncoder) {
        if let Some(queue) = &self.pod.queue
            && queue.push(&span).is_err()
        {
            self.pod.metrics.lost(Loss::QueueFull, 1);
        }
        self.discard(span);
    }

    /// A span is not needed any more; its buffer is.
    fn discard(&self, span: SpanEncoder) {
        let mut own = self.own();
        if own.spare.len() < SPARE_MAX {
            own.spare.push(span.into_buffer());
        }
    }
}

/// What a span is of a connection in that direction.
fn kind(direction: Direction) -> Kind {
    match direction {
        Direction::Inbound => Kind::Server,
        Direction::Outbound => Kind::Client,
    }
}

/// Observes the requests of one connection.
pub struct Observed {
    recorder: Arc<Recorder>,
    direction: Direction,
    /// The client of an inbound connection, the server of an outbound one.
    peer: SocketAddr,
    shared: Shared,
    /// Given back when the connection is gone, if requests may come in by it that nobody sees.
    unseen: Option<Ticket>,
    /// When the bytes that are being looked at were read.
    read: Instant,
}

impl Observed {
    /// `peer` is the client of an inbound connection, the server of an outbound one.
    pub fn new(recorder: Arc<Recorder>, direction: Direction, peer: SocketAddr) -> Self {
        Self {
            recorder,
            direction,
            peer,
            shared: Shared::default(),
            unseen: None,
            read: Instant::now(),
        }
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.recorder.pod.metrics
    }

    /// From here on nothing is seen of what passes. Requests that come in by this connection may cause outbound calls
    /// all the same, so until it is gone no other request is taken for the cause of one.
    pub fn sees_nothing(&mut self) {
        if self.direction == Direction::Inbound && self.unseen.is_none() {
            self.unseen = Some(self.recorder.pod.in_flight().begin_unseen());
        }
    }

    /// The client's next bytes have just been read.
    pub fn read(&mut self) {
        self.read = Instant::now();
    }

    /// They have been written, with a request head among them.
    pub fn written(&self) {
        self.metrics().added_latency(self.read.elapsed());
    }

    /// Whose child the request's span is. What the application sent always wins; otherwise an outbound call belongs to
    /// the one inbound request that can have caused it; otherwise it starts a trace.
    fn lineage(&self, seen: &Seen<'_>, parent: Option<&Parent<'_>>) -> Lineage {
        let sampling = self.recorder.pod.settings.sampling;
        if let Some(parent) = parent {
            if parent.conflict {
                self.metrics().conflicts.inc();
            }
            let keeps = || sampling.keeps(&parent.context.trace_id);
            let sampled = parent.debug || parent.sampled.unwrap_or_else(keeps);
            return self.recorder.child(parent.context, sampled, Link::Propagated);
        }
        let (decision, chosen) = (seen.decision(), seen.chosen_trace());
        if self.direction == Direction::Outbound
            && decision.is_none()
            && chosen.is_none()
            && let Cause::Exact(cause) = self.recorder.pod.in_flight().cause()
        {
            return self.recorder.child(cause, cause.flags.is_sampled(), Link::Exact);
        }
        self.recorder.root(decision, chosen)
    }

    /// An inbound request may cause outbound ones until it ends.
    fn in_flight(&self, context: SpanContext) -> Option<Ticket> {
        (self.direction == Direction::Inbound).then(|| self.recorder.pod.in_flight().begin(context))
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if let Some(unseen) = self.unseen.take() {
            self.recorder.pod.in_flight().end(unseen);
        }
    }
}

impl Observer for Observed {
    type Exchange = Box<Recorded>;

    fn begin(&mut self, head: &RequestHead<'_>, edits: &mut Edits) -> Box<Recorded> {
        let seen = span::read(head.fields);
        for dialect in seen.malformed().iter() {
            self.metrics().malformed(dialect);
        }
        let parent = seen.parent();
        let lineage = self.lineage(&seen, parent.as_ref());
        let configured = self.recorder.pod.settings.propagate;
        span::write(&seen, &lineage.context, lineage.parent, configured, edits);
        let ticket = self.in_flight(lineage.context);
        let known = Known::read(head);
        self.shared.update(
            self.direction,
            self.peer,
            head.version,
            known.authority,
            known.agent,
        );
        let tracestate = parent.and_then(|parent| parent.tracestate);
        Box::new(Recorded::start(self, head, &known, lineage, tracestate, ticket))
    }

    fn left_stale(&mut self, _: &[u8]) {
        self.metrics().stale.inc();
    }

    fn left_unseen(&mut self) {
        self.metrics().begun_otherwise.inc();
        self.metrics().unrecorded(Unrecorded::TooManyOpen);
    }
}
