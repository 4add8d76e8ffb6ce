//! Which recorded spans are requests and calls, and what is above what.

use std::collections::{BTreeMap, BTreeSet};

use causality::Nanos;

use super::{Kind, Span};
use crate::random::mix;

/// The longest way up from a span that is followed; longer ones are taken for circles.
const DEPTH_MAX: usize = 1_000;

/// A request or a call, as one side saw it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// The span that it is seen by.
    pub(super) span: usize,
    /// Where it is seen.
    pub(super) site: usize,
    pub(super) start: Nanos,
    pub(super) end: Nanos,
}

/// What is above a call.
pub(super) enum Above {
    /// This request.
    Request(usize),
    /// Nothing that a sidecar sees.
    Nothing,
    /// A span that is not there.
    Lost,
}

/// Spans with what is between them.
pub(super) struct Forest<'s> {
    spans: &'s [Span],
    /// For each span, the instance that recorded it.
    sites: Vec<usize>,
    pub(super) names: Vec<String>,
    /// For each span, its parent; the outer none is a span without, the inner one a parent that is not there.
    parents: Vec<Option<Option<usize>>>,
    /// For each span, its children in other instances.
    remote: Vec<Vec<usize>>,
}

impl<'s> Forest<'s> {
    pub(super) fn new(spans: &'s [Span]) -> Self {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut sites = Vec::with_capacity(spans.len());
        for span in spans {
            let name = format!("{} {}", span.service, span.instance);
            let next = names.len();
            sites.push(*names.entry(name.trim_end().to_owned()).or_insert(next));
        }
        let mut ids: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (index, span) in spans.iter().enumerate() {
            ids.entry((&span.trace, &span.id)).or_default().push(index);
        }
        let find = |index: usize, span: &Span| -> Option<Option<usize>> {
            // in Zipkin's way both sides of a call have one id: the caller's is above the callee's
            let twins = ids.get(&(span.trace.as_str(), span.id.as_str()));
            if span.kind == Kind::Server
                && let Some(client) = twins
                    .into_iter()
                    .flatten()
                    .find(|twin| is(spans, **twin, Kind::Client))
            {
                return Some(Some(*client));
            }
            let parent = span.parent.as_deref()?;
            let found = ids.get(&(span.trace.as_str(), parent)).into_iter().flatten();
            // and a child of both is a child of the callee
            let found = found.copied().filter(|found| *found != index);
            Some(found.max_by_key(|found| (sites.get(*found) == sites.get(index), *found)))
        };
        let parents: Vec<_> = spans.iter().enumerate().map(|(i, span)| find(i, span)).collect();
        let mut remote = vec![Vec::new(); spans.len()];
        for (index, parent) in parents.iter().enumerate() {
            if let Some(Some(parent)) = parent
                && sites.get(*parent) != sites.get(index)
                && let Some(children) = remote.get_mut(*parent)
            {
                children.push(index);
            }
        }
        let mut in_order: Vec<(String, usize)> = names.into_iter().collect();
        in_order.sort_by_key(|(_, site)| *site);
        Self {
            spans,
            sites,
            names: in_order.into_iter().map(|(name, _)| name).collect(),
            parents,
            remote,
        }
    }

    fn kind(&self, span: usize) -> Kind {
        self.spans.get(span).map_or(Kind::Unsaid, |span| span.kind)
    }

    fn parent(&self, span: usize) -> Option<Option<usize>> {
        self.parents.get(span).copied().flatten()
    }

    fn site(&self, span: usize) -> usize {
        self.sites.get(span).copied().unwrap_or_default()
    }

    fn remote(&self, span: usize) -> &[usize] {
        self.remote.get(span).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a span is the first of its instance on the way down.
    fn enters(&self, span: usize) -> bool {
        match self.parent(span) {
            None | Some(None) => true,
            Some(Some(parent)) => self.site(parent) != self.site(span),
        }
    }

    /// Whether a span is a request that came in.
    fn is_request(&self, span: usize) -> bool {
        match self.kind(span) {
            // a server's span below another of the same instance is a part of that one's work
            Kind::Server => {
                self.enters(span)
                    || self
                        .parent(span)
                        .flatten()
                        .is_some_and(|it| self.kind(it) == Kind::Client)
            }
            Kind::Unsaid => self.enters(span),
            Kind::Internal => {
                self.enters(span)
                    && self
                        .parent(span)
                        .flatten()
                        .is_some_and(|it| self.kind(it) != Kind::Producer)
            }
            Kind::Client | Kind::Producer | Kind::Consumer => false,
        }
    }

    /// Whether the caller's span above this one stands for a request that its own instance did not record.
    fn stands_for_request(&self, span: usize) -> bool {
        let caller = self.parent(span).flatten();
        self.enters(span)
            && !self.is_request(span)
            && caller.is_some_and(|caller| self.kind(caller) != Kind::Producer)
    }

    /// Whether a span is a call that went out.
    fn is_call(&self, span: usize) -> bool {
        match self.kind(span) {
            Kind::Client => true,
            Kind::Unsaid => !self.is_request(span) && !self.remote(span).is_empty(),
            Kind::Internal | Kind::Server | Kind::Producer | Kind::Consumer => false,
        }
    }

    /// All requests that came in, each with the span of the call that it is; and all calls.
    pub(super) fn exchanges(&self) -> (Vec<(Exchange, Option<usize>)>, Vec<Exchange>) {
        let (mut requests, mut calls) = (Vec::new(), Vec::new());
        let mut stood_for = BTreeSet::new();
        for (index, span) in self.spans.iter().enumerate() {
            let seen = |site, by: &Span| Exchange {
                span: index,
                site,
                start: by.start,
                end: by.end,
            };
            let site = self.site(index);
            if self.is_call(index) {
                calls.push(seen(site, span));
            }
            let above = self.parent(index).flatten();
            if self.is_request(index) {
                let caller = above.filter(|above| self.kind(*above) != Kind::Producer);
                requests.push((seen(site, span), caller.map(|caller| self.call_of(caller, index))));
                if let Some(caller) = caller
                    && !self.is_call(caller)
                {
                    calls.push(seen(self.site(caller), span));
                }
            } else if self.stands_for_request(index)
                && let Some(caller) = above
                && let Some(span) = self.spans.get(caller)
                && stood_for.insert((site, caller))
            {
                let exchange = Exchange {
                    span: caller,
                    ..seen(site, span)
                };
                requests.push((exchange, Some(caller).filter(|caller| self.is_call(*caller))));
            }
        }
        (requests, calls)
    }

    /// The span that a call is seen by: the caller's, or, if it has none, the callee's.
    fn call_of(&self, above: usize, request: usize) -> usize {
        if self.is_call(above) { above } else { request }
    }

    /// The request that is above a call in its instance.
    pub(super) fn above(&self, call: &Exchange) -> Above {
        let mut span = call.span;
        if !self.is_call(span) {
            // seen by the callee's span, the call begins above that
            let Some(Some(parent)) = self.parent(span) else {
                return Above::Lost;
            };
            span = parent;
        }
        for _ in 0..DEPTH_MAX {
            if self.is_request(span) {
                return Above::Request(span);
            }
            match (self.kind(span), self.parent(span)) {
                (Kind::Consumer, _) | (_, None) => return Above::Nothing,
                (_, Some(None)) => return Above::Lost,
                (_, Some(Some(parent))) if self.site(parent) != call.site => {
                    return if self.stands_for_request(span) {
                        Above::Request(parent)
                    } else {
                        Above::Lost
                    };
                }
                (_, Some(Some(parent))) => span = parent,
            }
        }
        Above::Lost
    }

    /// What decides which of two things comes first that happen at the same moment: nothing that tells their trace.
    pub(super) fn lot(&self, span: usize) -> u64 {
        (self.spans.get(span)).map_or(0, |span| hash(&[&span.trace, &span.id]))
    }

    /// The kind of a request.
    pub(super) fn operation(&self, span: usize) -> u64 {
        self.spans.get(span).map_or(0, |span| hash(&[&span.operation]))
    }

    /// The kind of a call: whom it goes to, as well as that is known, and with what operation.
    pub(super) fn callee(&self, call: usize) -> u64 {
        let Some(span) = self.spans.get(call) else {
            return 0;
        };
        if !self.is_call(call) {
            return hash(&[&span.service, &span.operation]);
        }
        match self.remote(call).first().and_then(|child| self.spans.get(*child)) {
            Some(child) => hash(&[&child.service, &child.operation]),
            None => hash(&[span.peer.as_deref().unwrap_or_default(), &span.operation]),
        }
    }
}

fn is(spans: &[Span], index: usize, kind: Kind) -> bool {
    spans.get(index).is_some_and(|span| span.kind == kind)
}

fn hash(texts: &[&str]) -> u64 {
    texts.iter().fold(1, |hash, text| {
        let hash = mix(hash);
        text.bytes().fold(hash, |hash, byte| mix(hash ^ u64::from(byte)))
    })
}
