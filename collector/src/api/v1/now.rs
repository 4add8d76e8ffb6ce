//! Answering what happens now, from what is counted live.

use std::ops::Range;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use super::answer::{Problem, Refused, answer};
use super::ask::Asked;
use super::live::{self, OperationOrder};
use super::mesh::{self, IngestJson};
use super::search::{KINDS, Search};
use super::{Answer, Shared, tail, window};
use crate::live::{Operation, Totals};
use crate::propagation::report;
use crate::sources::Sources;
use crate::tail::READERS;
use crate::time;

pub(super) async fn overview(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let now = time::now();
    let window = asked_window(query.as_deref(), now)?;
    let services = sources.live.services(&window, now);
    let ingest = ingest_now(&sources).await?;
    Ok(answer(&live::overview(&window, &services, ingest)))
}

pub(super) async fn services(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let now = time::now();
    let window = asked_window(query.as_deref(), now)?;
    let counted = sources.live.services(&window, now);
    let mut kept = sources.store.services().await?;
    kept.retain(|name| counted.iter().all(|counted| *counted.name != **name));
    let points = sources.live.no_points(&window, now);
    let kept: Vec<_> = kept
        .iter()
        .map(|name| live::uncounted(name, points.clone()))
        .collect();
    Ok(answer(&live::services(&window, &counted, &kept)))
}

pub(super) async fn operations(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let now = time::now();
    let mut asked = Asked::new(query.as_deref());
    let service = asked.text("service");
    let kind = asked.choice("kind", &KINDS);
    let order = asked
        .choice("order", &OperationOrder::ALL)
        .unwrap_or(OperationOrder::Name);
    let limit = asked.number("limit", 1..=1000).unwrap_or(100);
    let window = window::live(&mut asked, now);
    let window = asked.finish(window)?;
    let mut operations = sources.live.operations(service.as_deref(), &window, now);
    if let Some(service) = &service {
        for kept in sources.store.operations(service).await? {
            let known = |counted: &Operation| *counted.name == *kept.name && counted.kind == kept.kind;
            if !operations.iter().any(known) {
                operations.push(Operation {
                    service: service.as_str().into(),
                    name: kept.name.into(),
                    kind: kept.kind,
                    totals: Totals::default(),
                });
            }
        }
        operations.sort_by(|one, other| (&one.name, one.kind).cmp(&(&other.name, other.kind)));
    }
    Ok(answer(&live::operations(
        &window,
        &operations,
        kind,
        order,
        limit,
    )))
}

pub(super) async fn graph(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let now = time::now();
    let mut asked = Asked::new(query.as_deref());
    let window = window::any(&mut asked, now);
    let window = asked.finish(window)?;
    if !window::is_live(&window, now) {
        let calls = sources.store.dependencies(window.start..=window.end).await?;
        let services = sources.store.services().await?;
        return Ok(answer(&live::graph_of_store(&window, &calls, &services)));
    }
    let (edges, uncounted) = sources.live.edges(&window, now);
    let services = sources.live.services(&window, now);
    let links = sources.live.links(&window);
    let between = |from: &str, to: &str| links.get(from)?.get(to).cloned();
    Ok(answer(&live::graph(
        &window, &edges, &services, between, uncounted,
    )))
}

pub(super) async fn tail(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let mut asked = Asked::new(query.as_deref());
    let wanted = Search::of_spans(&mut asked).query(time::now());
    let roots = asked.flag("roots");
    let wanted = asked.finish(wanted)?;
    let reader = sources.tail.watch().ok_or_else(|| {
        let problem = Problem::new("too many watch already").allowed(format!("at most {READERS} at once"));
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, problem)
    })?;
    Ok(tail::stream(reader, wanted, roots))
}

pub(super) async fn mesh(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let window = asked_window(query.as_deref(), time::now())?;
    let workloads = sources.live.workloads(&window);
    let report = report(sources.live.links(&window));
    Ok(answer(&mesh::mesh(&window, &workloads, &report)))
}

pub(super) async fn propagation(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let mut asked = Asked::new(query.as_deref());
    let workload = asked.text("workload");
    let window = window::live(&mut asked, time::now());
    let window = asked.finish(window)?;
    let mut report = report(sources.live.links(&window));
    report.retain(|found| workload.as_ref().is_none_or(|wanted| found.workload == *wanted));
    Ok(answer(&mesh::propagation(&window, &report)))
}

pub(super) async fn ingest(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    Asked::new(query.as_deref()).finish(Ok(()))?;
    Ok(answer(&ingest_now(&sources).await?))
}

async fn ingest_now(sources: &Sources) -> Result<IngestJson, Refused> {
    let size = sources.store.size().await?;
    let (fill, readers) = (sources.live.fill(), sources.tail.readers());
    Ok(mesh::ingest(sources.metrics.report(), &size, fill, readers))
}

/// The window of a question that asks for nothing else.
fn asked_window(query: Option<&str>, now: u64) -> Result<Range<u64>, Refused> {
    let mut asked = Asked::new(query);
    let window = window::live(&mut asked, now);
    asked.finish(window)
}
