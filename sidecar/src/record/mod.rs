//! What becomes of a request that a tap has seen: its context is taken, its span starts, its head is marked.
//!
//! [`Observed::begin`] tells the whole story in the order it happens. Nothing here ever waits, and nothing here can
//! keep a request from going on.

mod causes;
mod clock;
mod exchange;
mod flights;
mod held;
mod lineage;
mod names;
mod open;
mod propagation;
pub mod redact;
pub mod routes;
mod shared;
pub mod tls;
mod tokens;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use causality::{Connection, Decision, Process, Unseen};
use otlp::encode::SpanEncoder;
use otlp::model::Kind;
use rand::rngs::{SmallRng, SysRng};
use rand::{Rng, SeedableRng};
use settings::Update;
use span::{Edits, Parent, Ratio, Seen, SpanContext, SpanId, TraceFlags, TraceId};
use tokio::time::sleep;

use self::causes::{Causes, Message, Part};
use self::clock::{Clock, Moment};
pub use self::exchange::Recorded;
use self::exchange::{Before, Known};
use self::held::Free;
use self::lineage::Lineage;
pub use self::lineage::{Link, Reason};
pub use self::open::{Present, Roll, Told};
pub use self::propagation::Edge;
use self::propagation::{Callee, Propagation};
use self::routes::Routes;
use self::shared::Shared;
use crate::config::{Live, ProcessOwner, RequestId, Settings};
use crate::export::{Loss, Queue};
use crate::live::{Current, Snapshot};
use crate::metrics::{Direction, Metrics, Tally, Unrecorded};
use crate::owners::{Ends, Outcome, Owners};
use crate::tap::{Observer, RequestHead};

/// How often it is asked what has been found out, while something is open.
const SETTLE_EVERY: Duration = Duration::from_millis(50);

/// What applications that know nothing of traces may copy from a request to the calls that it causes.
const REQUEST_ID: &str = "x-request-id";

/// The most requests whose memory is kept for others when they have ended, by each worker. Of so many in flight at a
/// time none asks for memory: a few connections of HTTP/2 bring a hundred, which end and begin by the dozen.
const SPARE_MAX: usize = 256;

/// What all connections of the pod share.
pub struct Pod {
    /// What it was started with.
    pub settings: Settings,
    /// What holds now of what can change.
    pub live: Current,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where finished spans go; nowhere if there is no collector.
    pub queue: Option<Arc<Queue>>,
    /// Its connections.
    pub roll: Arc<Roll>,
    /// What caused which call, if that is to be found out.
    causes: Option<Causes>,
    propagation: Propagation,
    /// Who is asked which process holds a connection, if anyone.
    owners: OnceLock<Owners>,
    routes: Mutex<Routes>,
}

impl Pod {
    /// A pod in which nothing is in flight yet.
    pub fn new(settings: Settings, metrics: Arc<Metrics>, queue: Option<Arc<Queue>>) -> Self {
        let routes = Mutex::new(Routes::new(settings.live.routes.clone()));
        let causes = settings.causality().map(Causes::new);
        Self {
            live: Current::new(settings.live.clone()),
            settings,
            metrics,
            queue,
            roll: Arc::default(),
            causes,
            propagation: Propagation::default(),
            owners: OnceLock::new(),
            routes,
        }
    }

    /// From now on this holds, which an update said.
    pub(crate) fn change(&self, live: Live, update: Update) {
        self.routes().configure(live.routes.clone());
        if let (Some(causes), Some(threshold)) = (&self.causes, live.propagate_inferred.threshold()) {
            causes.decide_from(threshold);
        }
        self.live.take(live, update);
    }

    /// From now on it is looked up which processes hold the application's connections, if that is wanted and of use.
    pub fn look_up_owners(self: &Arc<Self>) {
        if self.causes.is_none() || self.settings.process_owner == ProcessOwner::Off {
            return;
        }
        match Owners::start(self) {
            Ok(owners) => drop(self.owners.set(owners)),
            Err(error) => {
                tracing::warn!(%error, "which process holds a connection cannot be looked up; it goes on without");
            }
        }
    }

    /// It has been found out which process holds the application's end of a connection.
    pub fn owned(&self, connection: Connection, process: Process) {
        if let Some(causes) = &self.causes {
            causes.owned(connection, process);
        }
    }

    /// What is counted by now, in the text format of Prometheus.
    pub fn metrics_text(&self) -> String {
        let signed = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        let waiting = self.queue.as_ref().map_or(0, |queue| queue.bytes());
        self.metrics.queued.set(signed(waiting));
        if let Some(causes) = &self.causes {
            let (open, held, bytes) = causes.open();
            self.metrics.links_open.set(signed(open));
            self.metrics.held.set(signed(held));
            self.metrics.held_bytes.set(signed(bytes));
        }
        self.metrics.text()
    }

    /// How the calls to each callee were joined to their causes.
    pub fn edges(&self) -> Vec<Edge> {
        self.propagation.edges()
    }

    /// Says the last word on calls whose cause was not known when they left, whenever one is due. Never returns.
    pub async fn settle(&self) {
        let Some(causes) = &self.causes else {
            return std::future::pending().await;
        };
        loop {
            causes.opened().await;
            while causes.any_open() {
                sleep(SETTLE_EVERY).await;
                self.settle_by(causes, Some(Moment::now()));
            }
        }
    }

    /// Says it on all that are left, now that no connection is. From here on nothing is held.
    pub fn settle_all(&self) {
        let Some(causes) = &self.causes else { return };
        self.settle_by(causes, None);
        for free in causes.give_up() {
            self.set_free(free);
        }
    }

    fn settle_by(&self, causes: &Causes, now: Option<Moment>) {
        for settled in causes.settle(now) {
            self.metrics.resolved(settled.word.into());
            self.propagation.resolved(settled.callee, settled.word.into());
            if let Some(free) = settled.free {
                self.set_free(free);
            }
        }
    }

    /// A span whose cause was awaited goes, with what is known of it.
    fn set_free(&self, mut free: Free) {
        let lineage = Lineage::root(free.root, Link::Provisional).resolved(free.word);
        if lineage.link == Link::Unknown(Some(Reason::CauseNotSampled)) {
            self.metrics.unknown(Reason::CauseNotSampled);
        }
        lineage.write(&mut free.span);
        self.export(&free.span);
    }

    /// Whether a span of this context is to be made.
    fn records(&self, context: &SpanContext) -> bool {
        context.flags.is_sampled() && self.queue.is_some()
    }

    /// A span is finished. It waits for its batch, or is lost and counted.
    fn export(&self, span: &SpanEncoder) {
        if let Some(queue) = &self.queue
            && queue.push(span).is_err()
        {
            self.metrics.lost(Loss::QueueFull, 1);
        }
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the spans of one worker's connections.
pub struct Recorder {
    pod: Arc<Pod>,
    own: RefCell<Own>,
    tally: Arc<Tally>,
}

/// What a worker has for itself.
struct Own {
    random: SmallRng,
    clock: Clock,
    #[allow(
        clippy::vec_box,
        reason = "what is kept is the box: its memory is asked for once"
    )]
    spare: Vec<Box<Recorded>>,
}

impl Recorder {
    /// # Errors
    /// The operating system gives no random bytes, without which no trace id can be made.
    pub fn new(pod: Arc<Pod>) -> Result<Self, rand::rngs::SysError> {
        let random = SmallRng::try_from_rng(&mut SysRng)?;
        Ok(Self {
            tally: pod.metrics.tally(),
            pod,
            own: RefCell::new(Own {
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

    fn span_id(&self) -> SpanId {
        SpanId::from_random(self.own.borrow_mut().random.next_u64())
    }

    /// The root of a new trace. `decision` is the caller's, if it made one; `chosen` the trace id, if it chose one.
    fn root(&self, sampling: Ratio, decision: Option<bool>, chosen: Option<TraceId>) -> SpanContext {
        let (span_id, random) = {
            let random = &mut self.own.borrow_mut().random;
            let high = u128::from(random.next_u64()) << 64;
            (
                SpanId::from_random(random.next_u64()),
                TraceId::from_random(high | u128::from(random.next_u64())),
            )
        };
        let trace_id = chosen.unwrap_or(random);
        let sampled = decision.unwrap_or_else(|| sampling.keeps(&trace_id));
        let flags = if chosen.is_some() {
            TraceFlags::default()
        } else {
            TraceFlags::RANDOM
        };
        SpanContext {
            trace_id,
            span_id,
            flags: flags.with_sampled(sampled),
        }
    }

    /// The root of a trace that may turn out to be part of another: sampled if one of those is that it may be part of,
    /// and with an id by which others decide alike.
    fn provisional_root(&self, sampling: Ratio, sampled: bool) -> SpanContext {
        let mut root = self.root(sampling, Some(sampled), None);
        root.trace_id = sampling.redrawn(root.trace_id, sampled);
        root
    }

    /// When a request begins that begins at `moment`, in nanoseconds since 1970, and one that has ended, if any is left,
    /// in whose memory it can be recorded.
    fn open(&self, moment: Moment) -> (u64, Option<Box<Recorded>>) {
        let own = &mut *self.own.borrow_mut();
        (own.clock.unix_nanos(moment), own.spare.pop())
    }

    /// A request has ended. Its memory is for another.
    fn keep(&self, mut ended: Box<Recorded>) {
        let mut own = self.own.borrow_mut();
        if own.spare.len() < SPARE_MAX {
            ended.clear();
            own.spare.push(ended);
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
    recorder: Rc<Recorder>,
    direction: Direction,
    /// The client of an inbound connection, the server of an outbound one.
    peer: SocketAddr,
    /// Its number, where causes are to be found out.
    connection: Option<Connection>,
    /// The application's end of it, as its kernel sees it, until it has been asked who holds that.
    application: Option<Ends>,
    shared: Shared,
    /// The settings that hold for the request that is looked at.
    settings: Snapshot,
    /// Given back when the connection is gone, if requests may come in by it that nobody sees.
    unseen: Option<Unseen>,
    /// When the bytes that are being looked at were read.
    read: Moment,
}

impl Observed {
    /// `peer` is the client of an inbound connection, the server of an outbound one.
    pub fn new(recorder: Rc<Recorder>, direction: Direction, peer: SocketAddr) -> Self {
        let connection = recorder.pod.causes.as_ref().map(Causes::connection);
        let settings = recorder.pod.live.subscribe();
        Self {
            recorder,
            direction,
            peer,
            connection,
            application: None,
            shared: Shared::default(),
            settings,
            unseen: None,
            read: Moment::now(),
        }
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.recorder.pod.metrics
    }

    /// The settings that held when its last request began, or else the connection.
    pub fn live(&self) -> &Arc<Live> {
        self.settings.live()
    }

    /// The application's end of the connection is this socket, `ends` says, by its own address and the other end's.
    pub fn held_as(&mut self, ends: impl FnOnce() -> io::Result<Ends>) {
        if self.recorder.pod.owners.get().is_some() {
            // a connection that is gone already needs no owner
            self.application = ends().ok();
        }
    }

    /// Asks who holds the application's end, once, as soon as it is of use.
    fn ask_owner(&mut self) {
        let pod = &self.recorder.pod;
        if self.application.is_some()
            && let (Some(causes), Some(connection)) = (&pod.causes, self.connection)
            && causes.are_asked_for(self.read)
            && let (Some(owners), Some(ends)) = (pod.owners.get(), self.application.take())
            && !owners.ask(connection, ends)
        {
            pod.metrics.owner(Outcome::QueueFull);
        }
    }

    /// From here on nothing is seen of what passes. Requests that come in by this connection may cause outbound calls
    /// all the same, so until it is gone no other request is taken for the cause of one.
    pub fn sees_nothing(&mut self) {
        if let Some(causes) = &self.recorder.pod.causes
            && self.direction == Direction::Inbound
            && self.unseen.is_none()
        {
            self.unseen = Some(causes.begin_unseen());
        }
    }

    /// The client's next bytes have just been read.
    pub fn read(&mut self) {
        self.read = Moment::now();
    }

    /// They have been written, with a request head among them.
    pub fn written(&self) {
        self.recorder.tally.added_latency(Moment::now().since(self.read));
    }

    /// What the application, or whoever called it, says: whose child the request's span is.
    fn propagated(&self, parent: &Parent<'_>) -> Lineage {
        if parent.conflict {
            self.metrics().conflicts.inc();
        }
        let keeps = || self.live().sampling.keeps(&parent.context.trace_id);
        let sampled = parent.debug || parent.sampled.unwrap_or_else(keeps);
        let span_id = self.recorder.span_id();
        Lineage {
            dialect: Some(parent.dialect),
            ..Lineage::child(parent.context, span_id, sampled, Link::Propagated)
        }
    }

    /// A request comes in. What it carries wins; otherwise it begins a trace. Until it ends it may cause calls.
    fn came_in(
        &self,
        seen: &Seen<'_>,
        parent: Option<&Parent<'_>>,
        head: &RequestHead<'_>,
        known: &Known<'_>,
        edits: &mut Edits,
    ) -> (Lineage, Part) {
        let lineage = parent.map_or_else(
            || Lineage::root(self.begun(seen), Link::Unknown(None)),
            |parent| self.propagated(parent),
        );
        let create = self.live().request_id == RequestId::Create && known.request_id.is_none();
        // one of its own for each request, which leads from a line of the application's log to the trace
        let given = create.then(|| format!("{}-{}", lineage.context.trace_id, lineage.context.span_id));
        if let Some(id) = &given {
            edits.add(REQUEST_ID, |out| out.extend_from_slice(id.as_bytes()));
        }
        let part = self.watched(head, known, Callee::NOBODY, |causes, message| {
            let request_id = message.request_id.or(given.as_ref().map(String::as_bytes));
            let message = Message {
                request_id,
                ..*message
            };
            causes.request(self.read, &message, known.body, lineage.context)
        });
        (lineage, part.unwrap_or(Part::Nothing))
    }

    /// A call leaves. What the application put in always wins; otherwise the call belongs to the request that caused
    /// it, as far as that can be found out; otherwise it begins a trace, provisional where that may still be found out.
    fn goes_out(
        &self,
        seen: &Seen<'_>,
        parent: Option<&Parent<'_>>,
        head: &RequestHead<'_>,
        known: &Known<'_>,
    ) -> (Lineage, Part) {
        let callee = self.recorder.pod.propagation.callee(known.authority);
        let (lineage, part) = match parent {
            Some(parent) => {
                let lineage = self.propagated(parent);
                let part = self.watched(head, known, callee, |causes, message| {
                    causes.forwarded(self.read, message, &lineage.context)
                });
                (lineage, part.unwrap_or(Part::Nothing))
            }
            None if seen.decision().is_some() || seen.chosen_trace().is_some() => {
                let link = Link::Unknown(Some(Reason::Chosen));
                (Lineage::root(self.begun(seen), link), Part::Nothing)
            }
            None => self
                .watched(head, known, callee, |causes, message| {
                    self.live().propagate_inferred.threshold()?;
                    Some(self.caused(causes, message))
                })
                .flatten()
                .unwrap_or_else(|| {
                    let link = Link::Unknown(Some(Reason::Off));
                    (Lineage::root(self.begun(seen), link), Part::Nothing)
                }),
        };
        let dialect = parent.map(|parent| parent.dialect);
        self.recorder
            .pod
            .propagation
            .called(callee, lineage.link, dialect);
        (lineage, part)
    }

    /// What caused a call that says nothing of it.
    fn caused(&self, causes: &Causes, message: &Message<'_>) -> (Lineage, Part) {
        let root = self
            .recorder
            .provisional_root(self.live().sampling, causes.any_sampled());
        let recorded = self.recorder.pod.records(&root);
        let (part, decision) = causes.call(self.read, message, root.span_id, recorded);
        let lineage = match decision {
            Decision::Link(link) => {
                let sampled = link.parent.flags.is_sampled();
                let how = Link::Found(link.certainty, link.method);
                Lineage::child(link.parent, root.span_id, sampled, how)
            }
            Decision::Open => Lineage::root(root, Link::Provisional),
            Decision::Unknown(why) => {
                let root = self.new_root(None, None);
                Lineage::root(root, Link::Unknown(Some(Reason::Cause(why))))
            }
        };
        (lineage, part)
    }

    /// Whether requests come in here from outside the mesh, where anybody can write any context. What they carry is then
    /// neither continued nor obeyed nor passed on, and only linked to.
    fn is_edge(&self) -> bool {
        self.direction == Direction::Inbound && self.live().edge
    }

    /// The root of a trace that begins here.
    fn begun(&self, seen: &Seen<'_>) -> SpanContext {
        if self.is_edge() {
            return self.new_root(None, None);
        }
        self.new_root(seen.decision(), seen.chosen_trace())
    }

    fn new_root(&self, decision: Option<bool>, chosen: Option<TraceId>) -> SpanContext {
        self.recorder.root(self.live().sampling, decision, chosen)
    }

    /// What `tell` has to tell of a message, where causes are to be found out.
    fn watched<T>(
        &self,
        head: &RequestHead<'_>,
        known: &Known<'_>,
        callee: Callee,
        tell: impl FnOnce(&Causes, &Message<'_>) -> T,
    ) -> Option<T> {
        let (causes, connection) = (self.recorder.pod.causes.as_ref()?, self.connection?);
        let message = Message {
            route: self.route(causes, known),
            connection,
            callee,
            target: &known.target,
            fields: head.fields,
            request_id: known.request_id,
        };
        Some(tell(causes, &message))
    }

    /// What kind of request it is: its method and route, and for a call, whom it goes to. Hashed, and from as bounded a
    /// set as names are. A pod that makes no calls without a context need not know.
    fn route(&self, causes: &Causes, known: &Known<'_>) -> u64 {
        if self.direction == Direction::Inbound && !causes.are_asked_for(self.read) {
            return 0;
        }
        let mut routes = self.recorder.pod.routes();
        let route = if known.grpc {
            routes.of_grpc(known.target.path.get(1..).unwrap_or_default(), false)
        } else {
            routes.of(known.method, known.target.path, false)
        };
        let callee = match self.direction {
            Direction::Inbound => None,
            Direction::Outbound => Some((known.authority, known.authority.is_empty().then_some(self.peer))),
        };
        causes.hash((known.method, route, callee))
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let Some(causes) = &self.recorder.pod.causes else {
            return;
        };
        if let Some(unseen) = self.unseen.take() {
            causes.end_unseen(unseen);
        }
        if let Some(connection) = self.connection {
            causes.closed(connection);
        }
    }
}

impl Observer for Observed {
    type Exchange = Box<Recorded>;

    fn begin(&mut self, head: &RequestHead<'_>, edits: &mut Edits) -> Box<Recorded> {
        self.settings.refresh();
        let seen = span::read(head.fields);
        for dialect in seen.malformed().iter() {
            self.metrics().malformed(dialect);
        }
        let (parent, outside) = match seen.parent() {
            outside if self.is_edge() => (None, outside),
            parent => (parent, None),
        };
        let known = Known::read(head);
        let (lineage, part) = match self.direction {
            Direction::Inbound => self.came_in(&seen, parent.as_ref(), head, &known, edits),
            Direction::Outbound => self.goes_out(&seen, parent.as_ref(), head, &known),
        };
        self.ask_owner();
        let configured = self.live().propagate;
        if self.is_edge() {
            span::restart(&seen, &lineage.context, configured, edits);
        } else {
            span::write(&seen, &lineage.context, lineage.parent, configured, edits);
        }
        self.shared.update(
            self.direction,
            self.peer,
            head.version,
            known.authority,
            known.agent,
        );
        let before = Before {
            tracestate: parent.and_then(|parent| parent.tracestate),
            outside: outside.map(|outside| outside.context),
        };
        Recorded::start(self, head, &known, lineage, before, part)
    }

    fn left_stale(&mut self, _: &[u8]) {
        self.metrics().stale.inc();
    }

    fn left_unseen(&mut self) {
        self.metrics().begun_otherwise.inc();
        self.metrics().unrecorded(Unrecorded::TooManyOpen);
    }
}
