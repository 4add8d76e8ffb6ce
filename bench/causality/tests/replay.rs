//! Recorded traces as they are published, in all their spellings, give the same calls with the same causes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::path::{Path, PathBuf};

use bench_causality::export::{Flaw, Form, Tracer, spoil, write};
use bench_causality::log::{Event, Recording};
use bench_causality::replay::{Kind, LeftOut, Replay, Span, read, rebuild};
use bench_causality::sim::applications::Application;
use bench_causality::sim::simulate;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn replay(name: &str) -> Replay {
    rebuild(read(&[data(name)], |_| {}).unwrap().spans, 1.0)
}

/// The recording of the instance whose name begins so.
fn of<'r>(replay: &'r Replay, service: &str) -> &'r Recording {
    let index = replay.names.iter().position(|name| name.starts_with(service));
    &replay.recordings[index.unwrap()]
}

/// Two requests of `shop`, of which the second begins and calls while the first waits; `stock` is called by both.
fn is_the_shop(replay: &Replay) {
    let shop = of(replay, "shop");
    assert_eq!((shop.log.requests, shop.log.calls), (2, 3));
    assert_eq!(shop.truth.parents, [Some(0), Some(1), Some(0)]);
    assert_eq!(shop.truth.origins, [None, None]);
    let stock = of(replay, "stock");
    assert_eq!((stock.log.requests, stock.log.calls), (3, 0));
    let site = replay
        .names
        .iter()
        .position(|name| name.starts_with("shop"))
        .unwrap();
    assert_eq!(
        stock.truth.origins,
        [Some((site, 0)), Some((site, 1)), Some((site, 2))]
    );
    assert_eq!(replay.left_out, LeftOut::default());
}

#[test]
fn jaegers_export_is_read() {
    is_the_shop(&replay("jaeger.json"));
}

#[test]
fn one_trace_on_each_line_without_processes_and_kinds_in_capitals_is_read() {
    is_the_shop(&replay("jaeger-lines.json"));
}

#[test]
fn a_folder_of_one_trace_in_each_file_is_read() {
    is_the_shop(&replay("jaeger-folder"));
}

#[test]
fn spans_that_do_not_say_their_kind_are_told_by_their_neighbours() {
    is_the_shop(&replay("jaeger-kindless.json"));
}

#[test]
fn otlp_in_json_is_read() {
    is_the_shop(&replay("otlp.json"));
}

#[test]
fn otlp_in_protobuf_is_read_gzipped_too() {
    is_the_shop(&replay("otlp.binpb.gz"));
}

#[test]
fn where_the_caller_recorded_nothing_the_callees_span_stands_for_its_call() {
    is_the_shop(&replay("jaeger-servers-only.json"));
}

#[test]
fn a_file_of_something_else_is_refused_with_its_name() {
    let error = read(&[data("../replay.rs")], |_| {}).unwrap_err().to_string();
    assert!(error.contains("replay.rs") && error.contains("OTLP"), "{error}");
}

fn span(id: &str, parent: Option<&str>, service: &str, kind: Kind, start: u64, end: u64) -> Span {
    Span {
        trace: "t".to_owned(),
        id: id.to_owned(),
        parent: parent.map(str::to_owned),
        service: service.to_owned(),
        kind,
        operation: "op".to_owned(),
        start,
        end,
        ..Span::default()
    }
}

#[test]
fn a_call_whose_cause_was_not_recorded_is_left_out_and_one_without_cause_is_kept() {
    let spans = vec![
        span("1", Some("gone"), "a", Kind::Client, 0, 10),
        span("2", None, "a", Kind::Internal, 0, 10),
        span("3", Some("2"), "a", Kind::Client, 1, 9),
        span("4", None, "a", Kind::Consumer, 0, 10),
        span("5", Some("4"), "a", Kind::Client, 2, 9),
    ];
    let replay = rebuild(spans, 1.0);
    assert_eq!(replay.left_out.causeless, 1);
    assert_eq!(replay.recordings[0].truth.parents, [None, None]);
    assert_eq!(replay.recordings[0].log.requests, 0);
}

#[test]
fn where_the_callee_recorded_no_request_the_callers_span_stands_for_it() {
    let spans = vec![
        span("1", None, "a", Kind::Server, 0, 100),
        span("2", Some("1"), "a", Kind::Client, 10, 90),
        span("3", Some("2"), "b", Kind::Client, 20, 40),
        span("4", Some("2"), "b", Kind::Client, 50, 80),
    ];
    let replay = rebuild(spans, 1.0);
    let b = of(&replay, "b");
    assert_eq!(
        (b.log.requests, b.truth.parents.as_slice()),
        (1, &[Some(0), Some(0)][..])
    );
    assert_eq!(b.truth.origins, [Some((0, 0))]);
    assert_eq!(b.log.events[0].0, 10);
}

#[test]
fn both_sides_of_a_call_may_have_one_id() {
    let spans = vec![
        span("1", None, "a", Kind::Server, 0, 100),
        span("2", Some("1"), "a", Kind::Client, 10, 90),
        span("2", Some("1"), "b", Kind::Server, 20, 80),
        span("3", Some("2"), "b", Kind::Client, 30, 70),
    ];
    let replay = rebuild(spans, 1.0);
    assert_eq!(of(&replay, "a").truth.parents, [Some(0)]);
    assert_eq!(of(&replay, "b").truth.parents, [Some(0)]);
    assert_eq!(of(&replay, "b").truth.origins, [Some((0, 0))]);
}

#[test]
fn compressed_traces_are_closer_together_and_as_long_as_before() {
    let mut spans = vec![
        span("1", None, "a", Kind::Server, 1_000, 1_100),
        span("2", Some("1"), "a", Kind::Client, 1_010, 1_090),
    ];
    for span in &mut spans.clone() {
        span.trace = "u".to_owned();
        (span.start, span.end) = (span.start + 400, span.end + 400);
        spans.push(span.clone());
    }
    let log = &rebuild(spans, 4.0).recordings[0].log;
    let moments = |kind: fn(&Event) -> bool| -> Vec<u64> {
        let those = log.events.iter().filter(|(_, event)| kind(event));
        those.map(|(now, _)| *now).collect()
    };
    assert_eq!(moments(|event| matches!(event, Event::Begin { .. })), [0, 100]);
    assert_eq!(moments(|event| matches!(event, Event::Call { .. })), [10, 110]);
    assert_eq!(moments(|event| matches!(event, Event::EndCall { .. })), [90, 190]);
    assert_eq!(moments(|event| matches!(event, Event::End { .. })), [100, 200]);
}

/// What an application's services would have recorded, and what their sidecars saw.
fn recorded(application: Application) -> (Vec<Span>, Vec<Recording>) {
    let workload = application.workload(2.0, 100);
    let recordings = simulate(&workload);
    let tracer = Tracer {
        workload: &workload,
        services: application.services(),
        recordings: &recordings,
    };
    (tracer.spans(), recordings)
}

/// Whether every sidecar sees the same calls with the same causes, whatever they are called.
fn has_the_causes_of(replay: &Replay, recordings: &[Recording], application: Application) {
    assert_eq!(replay.left_out, LeftOut::default());
    for (recording, name) in recordings.iter().zip(application.services()) {
        if recording.log.requests > 0 {
            let replayed = of(replay, &format!("{name} "));
            assert_eq!(replayed.truth.parents, recording.truth.parents, "{name}");
        }
    }
}

#[test]
fn what_is_simulated_recorded_written_and_replayed_has_the_same_causes_in_every_form() {
    for application in Application::ALL {
        let (spans, recordings) = recorded(application);
        has_the_causes_of(&rebuild(spans.clone(), 1.0), &recordings, application);
        for form in [Form::Otlp, Form::OtlpLines] {
            let file = written(&spans, form);
            let found = read(std::slice::from_ref(&file), |_| {}).unwrap();
            assert_eq!((found.spans.len(), found.unreadable), (spans.len(), 0));
            has_the_causes_of(&rebuild(found.spans, 1.0), &recordings, application);
            std::fs::remove_file(file).unwrap();
        }
    }
}

/// Microseconds do not keep the order of what happens within one: of Jaeger's files, as many calls are asked for.
#[test]
fn jaegers_files_have_all_calls_with_causes() {
    let (spans, recordings) = recorded(Application::Shop);
    for form in [Form::Jaeger, Form::JaegerLines] {
        let file = written(&spans, form);
        let replay = rebuild(read(std::slice::from_ref(&file), |_| {}).unwrap().spans, 1.0);
        std::fs::remove_file(file).unwrap();
        let calls = |all: &[Recording]| all.iter().map(|it| it.log.calls).sum::<u32>();
        assert_eq!(calls(&replay.recordings), calls(&recordings));
        let causes = replay.recordings.iter().flat_map(|it| &it.truth.parents);
        assert!(causes.into_iter().all(Option::is_some));
    }
}

#[test]
fn a_recording_with_flaws_is_replayed_as_far_as_it_goes() {
    for flaw in [
        Flaw::Kindless,
        Flaw::ServersOnly,
        Flaw::SharedIds,
        Flaw::Skew,
        Flaw::Lost,
    ] {
        let (mut spans, recordings) = recorded(Application::Hotel);
        spoil(&mut spans, flaw);
        let replay = rebuild(spans, 1.0);
        let frontend = of(&replay, "frontend ");
        let whole = recordings[0].log.calls;
        if flaw == Flaw::Lost {
            assert!(replay.left_out.causeless > 0 && frontend.log.calls > whole * 9 / 10);
        } else {
            assert_eq!(
                (replay.left_out.causeless, frontend.log.calls),
                (0, whole),
                "{flaw:?}"
            );
        }
    }
}

#[test]
fn what_looks_like_a_span_and_has_no_times_is_counted() {
    let file = scratch("untimed.json");
    std::fs::write(
        &file,
        r#"{"data": [{"spans": [{"traceID": "a", "spanID": "b"}]}], "total": 1}"#,
    )
    .unwrap();
    let found = read(std::slice::from_ref(&file), |_| {}).unwrap();
    std::fs::remove_file(file).unwrap();
    assert_eq!((found.spans.len(), found.unreadable), (0, 1));
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let file = scratch("cut.json");
    std::fs::write(&file, r#"{"data": [{"spans": [{"traceID": "a","#).unwrap();
    let error = read(std::slice::from_ref(&file), |_| {}).unwrap_err().to_string();
    std::fs::remove_file(file).unwrap();
    assert!(error.contains("cut.json") && error.contains("EOF"), "{error}");
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("bench-causality-{}-{name}", std::process::id()))
}

fn written(spans: &[Span], form: Form) -> PathBuf {
    let file = scratch(&format!("{form:?}.json"));
    write(spans, form, std::fs::File::create(&file).unwrap()).unwrap();
    file
}
