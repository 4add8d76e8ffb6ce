//! Traces as a busy shop makes them: 24 services, durations with a long tail, ids that never come again.
//!
//! Deterministic: the same seed makes the same traces.

use otlp::encode::{self, SpanEncoder};
use otlp::model::Kind;
use span::{SpanContext, SpanId, TraceFlags, TraceId};

/// Services of the shop.
pub(crate) const SERVICES: usize = 24;
/// Spans of one request.
pub(crate) const BATCH: usize = 512;

const NANOS: u64 = 1_000_000;

/// Makes traces, and collects their spans by service.
pub(crate) struct Shop {
    random: Random,
    /// When the next trace begins.
    now: u64,
    /// Nanoseconds between two traces.
    pace: u64,
    batches: Vec<(usize, Vec<u8>)>,
    span: SpanEncoder,
    seen: Vec<Sample>,
    traces: u64,
}

/// What can be asked for later.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) trace: TraceId,
    /// The service of its root.
    pub(crate) service: usize,
    /// A value of `shop.request.id` that only its root has.
    pub(crate) request: String,
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// A request that is ready to be sent, and the service that sends it.
pub(crate) struct Request {
    pub(crate) service: usize,
    pub(crate) spans: Vec<u8>,
    pub(crate) count: usize,
}

/// The name of a service.
pub(crate) fn service(number: usize) -> String {
    format!("shop-{number:02}")
}

/// What a service says of itself: six attributes.
pub(crate) fn resource(number: usize) -> Vec<(String, String)> {
    let text = |key: &str, value: String| (key.to_owned(), value);
    vec![
        text("service.name", service(number)),
        text("service.version", format!("1.{}.0", number % 5)),
        text(
            "k8s.namespace.name",
            ["shop", "pay", "stock"]
                .get(number % 3)
                .copied()
                .unwrap_or_default()
                .to_owned(),
        ),
        text(
            "k8s.pod.name",
            format!("shop-{number:02}-7d9f8c6b5-{:05x}", number * 7919),
        ),
        text("host.name", format!("node-{}", number % 6)),
        text("deployment.environment.name", "production".to_owned()),
    ]
}

impl Shop {
    /// `traces` of them will begin between `start` and `end`, nanoseconds since the Unix epoch.
    pub(crate) fn new(seed: u64, start: u64, end: u64, traces: u64) -> Self {
        Self {
            random: Random::new(seed),
            now: start,
            pace: end.saturating_sub(start) / traces.max(1),
            batches: (0..SERVICES).map(|_| (0, Vec::new())).collect(),
            span: SpanEncoder::default(),
            seen: Vec::new(),
            traces: 0,
        }
    }

    /// Makes one more trace. Requests that are full go to `send`.
    pub(crate) fn trace(&mut self, send: &mut impl FnMut(Request)) {
        self.now += self.pace;
        self.traces += 1;
        let trace =
            TraceId::from_random(u128::from(self.random.next()) << 64 | u128::from(self.random.next()));
        let length = self.duration();
        let first = self.random.below(4) as usize;
        let keep = self.traces.is_multiple_of(499);
        let mut request = String::new();
        self.call(trace, None, first, self.now, length, 0, &mut request, send);
        if keep {
            self.seen.push(Sample {
                trace,
                service: first,
                request,
            });
        }
    }

    /// What was made that can be asked for.
    pub(crate) fn samples(&self) -> &[Sample] {
        &self.seen
    }

    /// Requests that are not full.
    pub(crate) fn rest(&mut self, send: &mut impl FnMut(Request)) {
        for number in 0..SERVICES {
            self.flush(number, send);
        }
    }

    /// Most take some milliseconds, one in a thousand some seconds.
    fn duration(&mut self) -> u64 {
        let tail = self.random.next().leading_zeros().min(12);
        (2 + self.random.below(8)) * NANOS * (1 << tail) / 2
    }

    #[expect(clippy::too_many_arguments, reason = "a span has that many sides")]
    fn call(
        &mut self,
        trace: TraceId,
        parent: Option<SpanId>,
        number: usize,
        start: u64,
        length: u64,
        depth: u64,
        request: &mut String,
        send: &mut impl FnMut(Request),
    ) {
        let id = SpanId::from_random(self.random.next());
        *request = format!("{:016x}", self.random.next());
        let failed = self.random.below(100) == 0;
        let server = depth.is_multiple_of(2);
        let mut span = std::mem::take(&mut self.span);
        span.clear();
        let context = SpanContext {
            trace_id: trace,
            span_id: id,
            flags: TraceFlags::SAMPLED,
        };
        span.context(&context, parent, server && parent.is_some());
        let route = [
            "/orders/{id}",
            "/items/{id}",
            "/carts/{id}/items",
            "/users/{id}",
            "/prices",
        ];
        let choice = self.random.below(route.len() as u64) as usize;
        let route = route.get(choice).copied().unwrap_or_default();
        let method = if choice == 2 { "POST" } else { "GET" };
        span.name_of(method, route);
        span.kind(if server { Kind::Server } else { Kind::Client });
        span.times(start, start + length);
        let user = self.random.below(100_000);
        let address = format!("10.1.{}.{}", number, self.random.below(40));
        span.text("http.request.method", method.as_bytes());
        span.text("http.route", route.as_bytes());
        span.text(
            "url.path",
            route
                .replace("{id}", &self.random.below(1_000_000).to_string())
                .as_bytes(),
        );
        span.int("http.response.status_code", if failed { 500 } else { 200 });
        span.text("server.address", service(number).as_bytes());
        span.int("server.port", 8080);
        span.text("network.peer.address", address.as_bytes());
        span.text("network.protocol.version", b"1.1");
        span.text("user_agent.original", b"shop/1.0");
        span.text("shop.user.id", user.to_string().as_bytes());
        span.text("shop.request.id", request.as_bytes());
        if failed {
            span.error("upstream failed");
        }
        self.add(number, &span, send);
        self.span = span;
        let calls = match (server, depth) {
            (false, _) => 1,
            (true, 0) => 2 + self.random.below(2),
            (true, 1..=3) => self.random.below(3),
            _ => 0,
        };
        for part in 0..calls {
            let share = length / (calls + 1);
            let to = if server {
                number
            } else {
                self.random.below(SERVICES as u64) as usize
            };
            let mut inner = String::new();
            self.call(
                trace,
                Some(id),
                to,
                start + share * part + 50_000,
                share,
                depth + 1,
                &mut inner,
                send,
            );
        }
    }

    fn add(&mut self, number: usize, span: &SpanEncoder, send: &mut impl FnMut(Request)) {
        let Some((count, batch)) = self.batches.get_mut(number) else {
            return;
        };
        encode::append(batch, span);
        *count += 1;
        if *count == BATCH {
            self.flush(number, send);
        }
    }

    fn flush(&mut self, number: usize, send: &mut impl FnMut(Request)) {
        if let Some((count, batch)) = self.batches.get_mut(number).filter(|(count, _)| *count > 0) {
            send(Request {
                service: number,
                spans: std::mem::take(batch),
                count: std::mem::take(count),
            });
        }
    }
}
