//! Looking at every trace of a stretch of time, each whole and once.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use otlp::model::Span;
use span::TraceId;

use super::view::{Bad, View};

/// Calls `see` with the spans of each trace of which one began in that time.
pub(crate) fn each(
    view: &View,
    start: &RangeInclusive<u64>,
    mut see: impl FnMut(&[Arc<Span>]),
) -> Result<(), Bad> {
    let mut see = |spans: &[Arc<Span>]| {
        if spans.iter().any(|span| start.contains(&span.start)) {
            see(spans);
        }
    };
    // traces that stand, or may stand, in several places
    let mut several: HashSet<TraceId> = HashSet::new();
    for head in view.heads() {
        let traces = head.snapshot();
        let joins = view.joins();
        several.extend(traces.iter().map(|(id, _)| joins.resolve(*id)));
    }
    for segment in &view.segments {
        let have = &segment.head.start;
        if start.start() > have.end() || start.end() < have.start() {
            continue;
        }
        let bad = |trouble| Bad {
            number: segment.number,
            trouble,
        };
        let loaded = segment.load().map_err(bad)?;
        for group in 0..segment.head.groups.len() {
            let entries = loaded.entries.iter().filter(|entry| {
                entry.group as usize == group && entry.start <= *start.end() && entry.last >= *start.start()
            });
            let mut here = Vec::new();
            for entry in entries {
                let joins = view.joins();
                let id = joins.resolve(entry.id);
                if several.contains(&id) || view.split.contains(&id) || joins.is_joined(entry.id) {
                    several.insert(id);
                } else {
                    here.push(entry);
                }
            }
            if here.is_empty() {
                continue;
            }
            let spans = segment.all_spans(group).map_err(bad)?;
            let spans: Vec<_> = spans.into_iter().map(Arc::new).collect();
            for entry in here {
                see(spans.get(entry.row as usize..entry.end_row()).unwrap_or_default());
            }
        }
        view.trim();
    }
    for id in several {
        see(&view.spans(id)?);
    }
    Ok(())
}
