//! One trace, whole.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use otlp::model::{Event, Kind, Resource, Span, Status};
use serde::Serialize;
use span::TraceId;

use super::answer::{AttributeJson, Instant, attributes};
use super::search::kind_name;
use crate::analysis::gaps::Gap;
use crate::analysis::link::{self, Link, link};
use crate::analysis::peer::peer;
use crate::analysis::reading::Reading;
use crate::analysis::senders::instance;
use crate::analysis::skew::signed;
use crate::analysis::tree::Node;
use crate::join;
use crate::query::{Outcome, State};
use crate::tags;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TraceJson<'a> {
    trace_id: String,
    provisional_trace_ids: Vec<String>,
    start: Instant,
    duration: u64,
    state: &'static str,
    confidence: f64,
    services: Vec<ServiceJson<'a>>,
    resources: Vec<ResourceJson<'a>>,
    spans: Vec<SpanJson<'a>>,
    gaps: Vec<GapJson<'a>>,
    clock_skew: Vec<SkewJson>,
    critical_path: Vec<SegmentJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceJson<'a> {
    name: &'a str,
    spans: usize,
    errors: usize,
    self_time: u64,
    critical_time: u64,
}

#[derive(Serialize)]
struct ResourceJson<'a> {
    service: &'a str,
    instance: Option<&'a str>,
    attributes: Vec<AttributeJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    span_id: String,
    parent_id: Option<String>,
    parent: Option<usize>,
    depth: usize,
    provisional_trace_id: Option<String>,
    resource: usize,
    service: &'a str,
    operation: &'a str,
    kind: &'static str,
    start: Instant,
    offset: u64,
    duration: u64,
    adjusted_offset: i64,
    self_time: u64,
    critical: bool,
    status: StatusJson<'a>,
    link: Option<LinkJson<'a>>,
    scope: ScopeJson<'a>,
    attributes: Vec<AttributeJson<'a>>,
    events: Vec<EventJson<'a>>,
    links: Vec<OtherJson<'a>>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct StatusJson<'a> {
    code: &'static str,
    message: &'a str,
}

/// How a span's parent was found.
#[derive(Serialize)]
pub(super) struct LinkJson<'a> {
    kind: &'static str,
    confidence: f64,
    method: Option<&'a str>,
    reason: Option<&'a str>,
    dialect: Option<&'a str>,
}

#[derive(Serialize)]
struct ScopeJson<'a> {
    name: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct EventJson<'a> {
    name: &'a str,
    time: Instant,
    offset: i64,
    attributes: Vec<AttributeJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtherJson<'a> {
    trace_id: String,
    span_id: String,
    attributes: Vec<AttributeJson<'a>>,
}

#[derive(Serialize)]
struct GapJson<'a> {
    reason: &'static str,
    span: usize,
    peer: Option<&'a str>,
    text: String,
    fix: Option<&'static str>,
}

#[derive(Serialize)]
struct SkewJson {
    resource: usize,
    offset: i64,
    uncertainty: u64,
    pairs: usize,
    consistent: bool,
}

#[derive(Serialize)]
struct SegmentJson {
    span: usize,
    offset: i64,
    duration: u64,
}

impl<'a> From<Link<'a>> for LinkJson<'a> {
    fn from(link: Link<'a>) -> Self {
        Self {
            kind: link.kind.name(),
            confidence: link.confidence,
            method: link.method,
            reason: link.reason,
            dialect: link.dialect,
        }
    }
}

/// The trace as it is read, at `now` (nanoseconds since the Unix epoch).
pub(super) fn whole<'a>(id: TraceId, reading: &Reading<'a>, now: u64) -> TraceJson<'a> {
    let nodes = reading.tree.nodes();
    let (start, duration) = (reading.start(), reading.duration());
    let closing = reading.gaps.iter().filter(|gap| gap.reason.may_close()).count();
    let skews = reading.skews.iter().enumerate();
    let path = reading.path.iter().map(|segment| SegmentJson {
        span: segment.node,
        offset: segment.start.saturating_sub(signed(start)),
        duration: segment.start.abs_diff(segment.end),
    });
    TraceJson {
        trace_id: id.to_string(),
        provisional_trace_ids: provisional(id, nodes),
        start: Instant(start),
        duration,
        state: State::of(reading.gaps.len(), closing, start.saturating_add(duration), now).name(),
        confidence: reading.confidence,
        services: services(reading),
        resources: reading
            .senders
            .list()
            .iter()
            .map(|sender| resource(sender))
            .collect(),
        spans: (0..)
            .zip(nodes)
            .map(|(place, node)| span(id, reading, place, node, start))
            .collect(),
        gaps: reading.gaps.iter().map(|found| gap(reading, found)).collect(),
        clock_skew: skews
            .filter_map(|(resource, skew)| {
                let skew = (*skew)?;
                Some(SkewJson {
                    resource,
                    offset: skew.offset,
                    uncertainty: skew.uncertainty,
                    pairs: skew.pairs,
                    consistent: skew.consistent,
                })
            })
            .collect(),
        critical_path: path.collect(),
    }
}

/// The traces that read as part of this one, as far as its spans say.
fn provisional(id: TraceId, nodes: &[Node<'_>]) -> Vec<String> {
    let named = nodes.iter().filter_map(|node| join::provisional(node.span));
    let made = nodes.iter().map(|node| node.span.trace_id);
    let others: BTreeSet<_> = named.chain(made).filter(|other| *other != id).collect();
    others.iter().map(ToString::to_string).collect()
}

fn services<'a>(reading: &Reading<'a>) -> Vec<ServiceJson<'a>> {
    let mut services: BTreeMap<&str, ServiceJson<'_>> = BTreeMap::new();
    let times = reading.self_times.iter().zip(&reading.critical_times);
    for (node, (own, critical)) in reading.tree.nodes().iter().zip(times) {
        let span: &'a Span = node.span;
        let name = span.service();
        let service = services.entry(name).or_insert(ServiceJson {
            name,
            spans: 0,
            errors: 0,
            self_time: 0,
            critical_time: 0,
        });
        service.spans += 1;
        service.errors += usize::from(span.is_error());
        service.self_time = service.self_time.saturating_add(*own);
        service.critical_time = service.critical_time.saturating_add(*critical);
    }
    let mut services: Vec<_> = services.into_values().collect();
    services.sort_by_key(|service| Reverse(service.self_time));
    services
}

fn resource(resource: &Resource) -> ResourceJson<'_> {
    ResourceJson {
        service: resource.service(),
        instance: instance(resource),
        attributes: attributes(&resource.attributes),
    }
}

fn span<'a>(id: TraceId, reading: &Reading<'a>, place: usize, node: &Node<'a>, start: u64) -> SpanJson<'a> {
    let span: &'a Span = node.span;
    let message = match &span.status {
        Status::Error(message) => message.as_str(),
        Status::Unset | Status::Ok => "",
    };
    let (adjusted, _) = reading.times.of(place);
    let nanos = |times: &[u64]| times.get(place).copied().unwrap_or(0);
    SpanJson {
        span_id: span.span_id.to_string(),
        parent_id: span.parent_id.map(|parent| parent.to_string()),
        parent: node.parent,
        depth: node.depth,
        provisional_trace_id: (span.trace_id != id).then(|| span.trace_id.to_string()),
        resource: reading.senders.of(place),
        service: span.service(),
        operation: &span.name,
        kind: kind_name(span.kind),
        start: Instant(span.start),
        offset: span.start.saturating_sub(start),
        duration: span.duration(),
        adjusted_offset: adjusted.saturating_sub(signed(start)),
        self_time: nanos(&reading.self_times),
        critical: nanos(&reading.critical_times) > 0,
        status: StatusJson {
            code: Outcome::of(&span.status).name(),
            message,
        },
        link: link(span).map(LinkJson::from),
        scope: ScopeJson {
            name: &span.scope.name,
            version: &span.scope.version,
        },
        attributes: attributes(&span.attributes),
        events: span
            .events
            .iter()
            .map(|happened| event(happened, start))
            .collect(),
        links: span
            .links
            .iter()
            .map(|other| OtherJson {
                trace_id: other.trace_id.to_string(),
                span_id: other.span_id.to_string(),
                attributes: attributes(&other.attributes),
            })
            .collect(),
        warnings: warnings(span),
    }
}

fn event(event: &Event, start: u64) -> EventJson<'_> {
    EventJson {
        name: &event.name,
        time: Instant(event.time),
        offset: signed(event.time).saturating_sub(signed(start)),
        attributes: attributes(&event.attributes),
    }
}

fn gap<'a>(reading: &Reading<'a>, gap: &Gap) -> GapJson<'a> {
    let span: Option<&'a Span> = reading.tree.get(gap.node).map(|node| &**node.span);
    let outbound = span.filter(|span| matches!(span.kind, Kind::Client | Kind::Producer));
    GapJson {
        reason: gap.reason.name(),
        span: gap.node,
        peer: outbound.and_then(peer).map(|peer| peer.name),
        text: gap.text(&reading.tree),
        fix: gap.fix(&reading.tree),
    }
}

/// What a reader should know before trusting a span. What is missing is said by the gaps.
fn warnings(span: &Span) -> Vec<String> {
    let mut warnings = Vec::new();
    if span.end != 0 && span.end < span.start {
        let early = span.start - span.end;
        warnings.push(format!(
            "it ends {early} ns before it starts; its duration is shown as zero"
        ));
    }
    if let Some(text) = span.attribute(link::CONFIDENCE).map(tags::text)
        && link(span).is_some_and(|link| link.confidence == 0.0)
    {
        warnings.push(format!("the confidence of its link, `{text}`, is none"));
    }
    warnings
}
