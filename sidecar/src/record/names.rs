//! Requests in flight by their `x-request-id`: who copies a request's id to a call says which request caused it, as much as
//! who forwards a context.

use std::collections::HashMap;

use span::SpanContext;

/// The most ids that are remembered at a time. A request beyond that has none here.
const NAMES_MAX: usize = 8192;

/// Requests by their ids, hashed.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<u64, Named>);

#[derive(Debug, Default)]
struct Named {
    requests: usize,
    /// The request, as long as no other has had its id.
    only: Option<SpanContext>,
}

impl Names {
    /// A request begins. `false` if its id cannot be remembered.
    pub(super) fn begin(&mut self, name: u64, request: SpanContext) -> bool {
        if self.0.len() >= NAMES_MAX {
            return false;
        }
        let named = self.0.entry(name).or_default();
        named.only = (named.requests == 0).then_some(request);
        named.requests += 1;
        true
    }

    /// The request in flight that alone has this id.
    pub(super) fn only(&self, name: u64) -> Option<SpanContext> {
        self.0.get(&name)?.only
    }

    /// A request has ended that had begun here.
    pub(super) fn end(&mut self, name: u64) {
        if let Some(named) = self.0.get_mut(&name) {
            named.requests = named.requests.saturating_sub(1);
            if named.requests == 0 {
                self.0.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use span::{SpanId, TraceFlags, TraceId};

    use super::*;

    fn request(number: u64) -> SpanContext {
        SpanContext {
            trace_id: TraceId::from_u64(number).unwrap(),
            span_id: SpanId::from_u64(number).unwrap(),
            flags: TraceFlags::SAMPLED,
        }
    }

    #[test]
    fn an_id_names_a_request_until_another_has_it_too_and_again_when_both_are_over() {
        let mut names = Names::default();
        assert!(names.begin(7, request(1)));
        assert_eq!(names.only(7), Some(request(1)));
        assert!(names.begin(7, request(2)));
        assert_eq!(names.only(7), None);
        names.end(7);
        assert_eq!(names.only(7), None);
        names.end(7);
        assert!(names.0.is_empty());
        assert!(names.begin(7, request(3)));
        assert_eq!(names.only(7), Some(request(3)));
    }

    #[test]
    fn no_more_ids_are_remembered_than_the_bound() {
        let mut names = Names::default();
        let begun = (0..NAMES_MAX as u64 + 10).filter(|name| names.begin(*name, request(1)));
        assert_eq!(begun.count(), NAMES_MAX);
    }
}
