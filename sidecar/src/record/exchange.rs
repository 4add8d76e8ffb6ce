//! One request with its response, as a span that ends exactly once.
//!
//! The span is written while it happens: what is known at the head goes into its bytes at once, so that nothing of
//! the head has to be kept. Attributes follow the OpenTelemetry semantic conventions for HTTP (1.2x, stable) and for
//! gRPC (release candidate, `rpc.system.name`).

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use otlp::encode::SpanEncoder;
use span::{Field, SpanContext, Tracestate};

use super::causes::Part;
use super::clock::Moment;
use super::lineage::{Lineage, Link};
use super::open::OpenRequest;
use super::redact::{self, REDACTED, Target};
use super::{Observed, Pod, REQUEST_ID, Recorder};
use crate::config::Live;
use crate::grpc;
use crate::metrics::{Direction, Unrecorded};
use crate::tap::{End, Exchange, RequestHead, Side};

/// The methods that may stand in a span's name; any other is `_OTHER` (semantic conventions, `http.request.method`).
const METHODS: [&str; 10] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "QUERY",
];

/// The most characters of a gRPC method that are told while it is open.
const GRPC_METHOD_MAX: usize = 256;

/// What came before the request.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    /// What other tracers keep in its trace.
    pub(super) tracestate: Option<Tracestate<'a>>,
    /// A span outside the mesh that is not trusted to be its parent.
    pub(super) outside: Option<SpanContext>,
}

/// A request that is being recorded.
pub struct Recorded {
    /// Who is told when it ends. `None` once it has: its memory waits for another request then.
    recorder: Option<Rc<Recorder>>,
    /// Those that held when it began.
    settings: Arc<Live>,
    direction: Direction,
    lineage: Lineage,
    began: Moment,
    /// The same, in nanoseconds since 1970.
    start: u64,
    /// What the search for causes knows it by.
    part: Part,
    /// The span, if there is to be one. Otherwise only memory.
    span: SpanEncoder,
    recording: bool,
    method: &'static str,
    /// Where the path stands in the span's bytes.
    path: Range<usize>,
    probe: bool,
    grpc: bool,
    status: Option<u16>,
    grpc_status: Option<u16>,
    request_bytes: u64,
    response_bytes: u64,
    /// From the client, and from the server.
    messages: [u64; 2],
}

impl Recorded {
    pub(super) fn start(
        observed: &Observed,
        head: &RequestHead<'_>,
        known: &Known<'_>,
        lineage: Lineage,
        before: Before<'_>,
        part: Part,
    ) -> Box<Self> {
        let recorder = &observed.recorder;
        let pod = &recorder.pod;
        pod.metrics.begun(lineage.link);
        let (start, mut spare) = recorder.open(observed.read);
        let span = spare.as_mut().map(|spare| std::mem::take(&mut spare.span));
        let recording = pod.records(&lineage.context);
        let settings = observed.live();
        let probe = observed.direction == Direction::Inbound && known.is_probe(&settings.probe_paths);
        let fresh = Self {
            recorder: Some(Rc::clone(recorder)),
            settings: Arc::clone(settings),
            direction: observed.direction,
            lineage,
            began: observed.read,
            start,
            part,
            span: span.unwrap_or_default(),
            recording,
            method: known.method,
            path: 0..0,
            probe,
            grpc: known.grpc,
            status: None,
            grpc_status: None,
            request_bytes: 0,
            response_bytes: 0,
            messages: [0; 2],
        };
        let mut recorded = match spare {
            Some(mut spare) => {
                *spare = fresh;
                spare
            }
            None => Box::new(fresh),
        };
        if recording {
            recorded.describe(observed, head, known, before);
        }
        recorded
    }

    /// What the head says.
    fn describe(
        &mut self,
        observed: &Observed,
        head: &RequestHead<'_>,
        known: &Known<'_>,
        before: Before<'_>,
    ) {
        let span = &mut self.span;
        let settings = &self.settings;
        let target = &known.target;
        let query = target
            .query
            .map(|query| if settings.redact_query { REDACTED } else { query });

        if self.grpc {
            span.word("rpc.system.name", "grpc");
            // `/package.Service/Method`, without its first slash
            self.path = span.text("rpc.method", target.path.get(1..).unwrap_or_default());
        } else {
            span.word("http.request.method", self.method);
            if self.method == "_OTHER" {
                span.text("http.request.method_original", head.method);
            }
            self.path = match self.direction {
                Direction::Inbound => {
                    span.word("url.scheme", "http");
                    if let Some(query) = query {
                        span.text("url.query", query);
                    }
                    span.text("url.path", target.path)
                }
                Direction::Outbound => {
                    let (mark, query) = query.map_or((b"".as_slice(), b"".as_slice()), |query| (b"?", query));
                    // `OPTIONS *` asks the host itself (RFC 9112, section 3.2.4)
                    let path = target.path.strip_prefix(b"*").unwrap_or(target.path);
                    let parts = [b"http://".as_slice(), known.authority, path, mark, query];
                    let whole = span.joined("url.full", &parts);
                    let start = whole.start + known.authority.len() + 7;
                    start..start + path.len()
                }
            };
        }
        span.extend(observed.shared.attributes());
        if let Some(state) = before.tracestate {
            span.trace_state(&state.to_string());
        }
        if let Some(outside) = before.outside {
            span.word("meshtrace.edge", "true");
            span.link(&outside);
        }
        capture(
            span,
            "http.request.header.",
            &settings.capture_headers,
            head.fields,
        );
    }

    /// Ends the span. `end` is `None` when the connection went away under the request.
    fn finish(&mut self, recorder: &Recorder, end: Option<End>) {
        let part = std::mem::replace(&mut self.part, Part::Nothing);
        let pod = &recorder.pod;
        let now = Moment::now();
        let took = now.since(self.began);
        if let Some(causes) = &pod.causes {
            causes.ended(now, part);
        }
        recorder.tally.request(self.direction, end, self.status, took);
        let succeeded = matches!(end, Some(End::Complete)) && self.status.is_some_and(|status| status < 400);
        if !self.recording {
            let sampled = self.lineage.context.flags.is_sampled();
            return pod.metrics.unrecorded(if sampled {
                Unrecorded::NoCollector
            } else {
                Unrecorded::NotSampled
            });
        }
        if self.probe && succeeded && self.grpc_status.is_none_or(|status| status == 0) {
            return pod.metrics.unrecorded(Unrecorded::Probe);
        }
        self.span.times(self.start, self.start.saturating_add(took));
        self.conclude(pod, end, succeeded);
        match &pod.causes {
            Some(causes) if self.lineage.link == Link::Provisional => {
                let span = std::mem::take(&mut self.span);
                if let Some(free) = causes.hold(self.lineage.context, span) {
                    pod.set_free(free);
                }
            }
            _ => {
                self.lineage.write(&mut self.span);
                pod.export(&self.span);
            }
        }
    }

    /// What is known only now, but for its parent.
    fn conclude(&mut self, pod: &Pod, end: Option<End>, succeeded: bool) {
        self.name(pod, succeeded);
        let error = self.error(end);
        let span = &mut self.span;
        if let Some(status) = self.status.filter(|_| !self.grpc) {
            span.int("http.response.status_code", i64::from(status));
        }
        if let Some(status) = self.grpc_status {
            span.word("rpc.response.status_code", &grpc::status_name(status));
        }
        let [sent, received] = self.messages;
        for (key, value) in [
            ("http.request.body.size", self.request_bytes),
            ("http.response.body.size", self.response_bytes),
            ("meshtrace.grpc.request.messages", sent),
            ("meshtrace.grpc.response.messages", received),
        ] {
            if value > 0 {
                span.count(key, value);
            }
        }
        if !matches!(end, Some(End::Complete)) {
            span.word("meshtrace.end", end.map_or("cancelled", End::name));
        }
        if let Some(error) = error {
            span.word("error.type", &error);
            span.error("");
        }
    }

    /// The name, from a bounded set: the gRPC method, or the HTTP method with its route, or less.
    fn name(&mut self, pod: &Pod, succeeded: bool) {
        let method = self.method_name();
        let span = &mut self.span;
        let mut routes = pod.routes();
        let path = span.written(self.path.clone());
        if self.grpc {
            let known = succeeded && self.grpc_status != Some(grpc::UNIMPLEMENTED);
            let method = routes.of_grpc(path, known).unwrap_or("grpc");
            span.name(method);
            return;
        }
        match routes.of(self.method, path, succeeded) {
            Some(route) => {
                span.name_of(method, route);
                let key = match self.direction {
                    Direction::Inbound => "http.route",
                    Direction::Outbound => "url.template",
                };
                span.word(key, route);
            }
            None => span.name(method),
        }
    }

    /// The HTTP method, as names have it.
    fn method_name(&self) -> &'static str {
        if self.method == "_OTHER" {
            "HTTP"
        } else {
            self.method
        }
    }

    /// Forgets the span that has been written, and keeps the usual memory of one.
    pub(super) fn clear(&mut self) {
        self.span.clear();
    }

    fn pod(&self) -> Option<&Pod> {
        Some(&self.recorder.as_ref()?.pod)
    }

    /// When it began.
    pub(super) fn began(&self) -> Moment {
        self.began
    }

    /// What has become of it by now, at this age.
    pub(super) fn open(&self, age: Duration) -> OpenRequest {
        let [request_messages, response_messages] = self.messages;
        OpenRequest {
            direction: self.direction.name(),
            name: self.name_so_far(),
            trace_id: self.lineage.context.trace_id.to_string(),
            span_id: self.lineage.context.span_id.to_string(),
            link: self.lineage.link.kind(),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            status: self.status,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            request_messages,
            response_messages,
        }
    }

    /// The gRPC method as the client wrote it, or the HTTP method with its route, if that is a known one or the server
    /// has begun to answer well. Without a span there is no path to tell it from.
    fn name_so_far(&self) -> String {
        let path = self.recording.then(|| self.span.written(self.path.clone()));
        if self.grpc {
            let method = path.map_or("grpc".into(), String::from_utf8_lossy);
            return method.chars().take(GRPC_METHOD_MAX).collect();
        }
        let method = self.method_name();
        let answered = self.status.is_some_and(|status| status < 400);
        let route = |recorder: &Recorder| {
            let mut routes = recorder.pod.routes();
            routes.of(self.method, path?, answered).map(str::to_owned)
        };
        match self.recorder.as_deref().and_then(route) {
            Some(route) => format!("{method} {route}"),
            None => method.to_owned(),
        }
    }

    /// `error.type`, if it failed. A server is not to blame for what its client did wrong; a client is told.
    fn error(&self, end: Option<End>) -> Option<String> {
        match end {
            None => return Some("cancelled".to_owned()),
            Some(end @ (End::ClientReset | End::ServerReset | End::Refused)) => {
                return Some(end.name().to_owned());
            }
            Some(End::Complete | End::Upgraded | End::Unseen) => {}
        }
        let inbound = self.direction == Direction::Inbound;
        if let Some(status) = self.grpc_status.filter(|status| grpc::is_error(*status, inbound)) {
            return Some(grpc::status_name(status));
        }
        let lowest = if inbound { 500 } else { 400 };
        self.status
            .filter(|status| *status >= lowest)
            .map(|status| status.to_string())
    }
}

impl Exchange for Box<Recorded> {
    fn request_body(&mut self, bytes: u64) {
        self.request_bytes = self.request_bytes.saturating_add(bytes);
    }

    fn request_end(&mut self) {
        if let Some(causes) = self.pod().and_then(|pod| pod.causes.as_ref()) {
            causes.body_complete(&self.part);
        }
    }

    fn response_head(&mut self, status: u16, fields: &[Field<'_>]) {
        // an interim head is no answer yet; the one that agrees to an upgrade is the last
        if matches!(status, 100 | 102..=199) {
            return;
        }
        self.status = Some(status);
        let Some(recorder) = &self.recorder else { return };
        if let Some(causes) = &recorder.pod.causes {
            causes.answered(&self.part, fields);
        }
        if self.recording {
            let wanted = &self.settings.capture_headers;
            capture(&mut self.span, "http.response.header.", wanted, fields);
        }
        // a gRPC response without messages is one block of trailers
        self.response_trailers(fields);
    }

    fn response_body(&mut self, bytes: u64) {
        self.response_bytes = self.response_bytes.saturating_add(bytes);
    }

    fn response_trailers(&mut self, fields: &[Field<'_>]) {
        if self.grpc {
            let status = fields.iter().find(|field| field.is("grpc-status"));
            self.grpc_status = status
                .and_then(|field| grpc::status(field.value))
                .or(self.grpc_status);
        }
    }

    fn message(&mut self, from: Side) {
        let [client, server] = &mut self.messages;
        match from {
            Side::Client => *client += 1,
            Side::Server => *server += 1,
        }
    }

    fn end(mut self, end: End) {
        if let Some(recorder) = self.recorder.take() {
            self.finish(&recorder, Some(end));
            recorder.keep(self);
        }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            self.finish(&recorder, None);
        }
    }
}

/// What of a head decides how it is described.
pub(super) struct Known<'a> {
    pub(super) method: &'static str,
    pub(super) target: Target<'a>,
    /// Whether a body follows, whose end is going to be seen.
    pub(super) body: bool,
    /// Its `x-request-id`.
    pub(super) request_id: Option<&'a [u8]>,
    /// Host and port, without user information; empty if there are none.
    pub(super) authority: &'a [u8],
    pub(super) agent: Option<&'a [u8]>,
    pub(super) grpc: bool,
}

impl<'a> Known<'a> {
    pub(super) fn read(head: &RequestHead<'a>) -> Self {
        let target = Target::read(head.target);
        let authority = head
            .authority
            .map(redact::without_user)
            .or(target.authority)
            .unwrap_or_default();
        let method = METHODS
            .into_iter()
            .find(|known| known.as_bytes() == head.method)
            .unwrap_or("_OTHER");
        let mut known = Self {
            method,
            target,
            body: false,
            request_id: None,
            authority,
            agent: None,
            grpc: false,
        };
        for field in head.fields {
            match field.name.len() {
                10 if field.is("user-agent") => known.agent = Some(field.value),
                12 if field.is("content-type") => known.grpc = grpc::is(field.value),
                12 if field.is(REQUEST_ID) => known.request_id = Some(field.value),
                14 if field.is("content-length") => known.body |= field.value != b"0",
                17 if field.is("transfer-encoding") => known.body = true,
                _ => {}
            }
        }
        known
    }

    /// Whether only a probe asks for this: the kubelet's own, or a configured path.
    fn is_probe(&self, paths: &[String]) -> bool {
        self.agent.is_some_and(|agent| agent.starts_with(b"kube-probe/"))
            || paths.iter().any(|path| path.as_bytes() == self.target.path)
    }
}

/// The headers that are to be kept, each with all its values.
fn capture(span: &mut SpanEncoder, prefix: &str, wanted: &[String], fields: &[Field<'_>]) {
    for name in wanted {
        let values = fields.iter().filter(|field| field.is(name)).map(|field| {
            if redact::is_credential(name) {
                REDACTED
            } else {
                field.value
            }
        });
        if values.clone().next().is_some() {
            span.texts(&format!("{prefix}{name}"), values);
        }
    }
}
