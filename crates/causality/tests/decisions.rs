//! What the engine says of calls, in small scenes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::collections::VecDeque;

use causality::{Certainty, Connection, Decision, Link, Method, Unknown};
use common::{MILLI, Pod, SECOND, token};

fn link(decision: Decision<u32>) -> Link<u32> {
    match decision {
        Decision::Link(link) => link,
        other => panic!("no link: {other:?}"),
    }
}

#[test]
fn the_only_request_in_flight_is_linked_from_the_first_call_on_but_not_as_exact() {
    for delay in [2 * MILLI, 40 * MILLI] {
        let mut pod = Pod::new();
        let request = pod.begin(7, 1, &[]);
        pod.wait(delay);
        let (call, decision) = pod.call(0, 1, &[]);
        let link = link(decision);
        assert_eq!((link.parent, link.method), (7, Method::Single));
        assert!(matches!(link.certainty, Certainty::Inferred(confidence) if confidence >= 0.99));
        pod.answer(call);
        pod.end(request);
    }
}

#[test]
fn the_only_request_in_flight_is_an_exact_cause_once_such_calls_were_never_seen_without_one() {
    let mut pod = Pod::experienced();
    let _request = pod.begin(7, 1, &[]);
    pod.wait(MILLI);
    let (_call, decision) = pod.call(0, 1, &[]);
    assert_eq!(
        decision,
        Decision::Link(Link {
            parent: 7,
            certainty: Certainty::Exact,
            method: Method::Single
        })
    );
}

#[test]
fn a_kind_of_call_that_is_also_made_by_a_timer_is_never_exactly_the_only_requests() {
    let mut pod = Pod::new();
    for _ in 0..1000 {
        pod.alone(1, &[1]);
        pod.wait(100 * MILLI);
        let (call, decision) = pod.call(0, 1, &[]);
        assert_eq!(decision, Decision::Unknown(Unknown::Background));
        pod.wait(MILLI);
        pod.answer(call);
        pod.wait(100 * MILLI);
    }
    let _request = pod.begin(7, 1, &[]);
    pod.wait(MILLI);
    let (_call, decision) = pod.call(0, 1, &[]);
    assert!(!matches!(decision, Decision::Link(link) if link.certainty == Certainty::Exact));
}

#[test]
fn a_call_without_any_request_is_background() {
    let mut pod = Pod::experienced();
    let (_call, decision) = pod.call(0, 1, &[]);
    assert_eq!(decision, Decision::Unknown(Unknown::Background));
}

#[test]
fn while_requests_may_come_in_unseen_nothing_is_claimed() {
    let mut pod = Pod::experienced();
    let unseen = pod.engine.begin_unseen();
    let _request = pod.begin(7, 1, &[]);
    pod.wait(MILLI);
    let (_call, decision) = pod.call(0, 1, &[]);
    assert_eq!(decision, Decision::Unknown(Unknown::Unseen));
    pod.engine.end_unseen(unseen);
    pod.wait(3 * MILLI);
}

#[test]
fn of_two_requests_the_one_whose_route_makes_such_calls_is_linked() {
    let mut pod = Pod::experienced();
    let _first = pod.begin(1, 1, &[]);
    let _second = pod.begin(2, 2, &[]);
    pod.wait(MILLI);
    let (_call, decision) = pod.call(0, 3, &[]);
    let link = link(decision);
    assert_eq!(link.parent, 2);
    assert!(matches!(link.method, Method::Stage | Method::Learned), "{link:?}");
}

#[test]
fn of_two_requests_of_one_route_the_one_that_awaits_an_answer_makes_no_second_call() {
    let mut pod = Pod::experienced();
    let _first = pod.begin(1, 1, &[]);
    pod.wait(MILLI);
    let (_open, decision) = pod.call(0, 1, &[]);
    assert_eq!(link(decision).parent, 1);
    let _second = pod.begin(2, 1, &[]);
    pod.wait(MILLI);
    let (_call, decision) = pod.call(1, 1, &[]);
    assert_eq!(link(decision).parent, 2);
}

/// Route 1 calls 1 and then 2, and is among ten requests in flight throughout. How many calls were linked.
fn linked_in_a_crowd(pod: &mut Pod) -> usize {
    let mut crowd: VecDeque<_> = (0..10).map(|number| pod.begin(number, 1, &[])).collect();
    let mut linked = 0;
    for number in 10..500 {
        crowd.push_back(pod.begin(number, 1, &[]));
        for callee in [1, 2] {
            pod.wait(MILLI);
            let (call, decision) = pod.call(number, callee, &[]);
            linked += usize::from(matches!(decision, Decision::Link(_)));
            pod.wait(3 * MILLI);
            pod.answer(call);
        }
        pod.wait(MILLI);
        pod.end(crowd.pop_front().expect("ten requests"));
        linked += pod.resolve().iter().filter(|word| word.link.is_ok()).count();
    }
    linked
}

#[test]
fn an_engine_that_has_never_seen_a_request_alone_claims_nothing_by_learning() {
    assert_eq!(linked_in_a_crowd(&mut Pod::new()), 0);
    assert!(linked_in_a_crowd(&mut Pod::experienced()) > 0);
}

#[test]
fn twins_are_not_told_apart_by_guessing() {
    let mut pod = Pod::experienced();
    let first = pod.begin(1, 1, &[]);
    let second = pod.begin(2, 1, &[]);
    pod.wait(MILLI);
    let (one, decision) = pod.call(0, 1, &[]);
    assert_eq!(decision, Decision::Open);
    let (two, decision) = pod.call(1, 1, &[]);
    assert_eq!(decision, Decision::Open);
    pod.wait(3 * MILLI);
    pod.answer(one);
    pod.answer(two);
    pod.wait(MILLI);
    pod.end(first);
    pod.end(second);
    let resolved = pod.resolve();
    assert_eq!(resolved.len(), 2);
    for word in resolved {
        assert_eq!(word.link, Err(Unknown::Ambiguous), "call {}", word.call);
    }
}

#[test]
fn what_comes_later_tells_calls_apart_that_could_not_be_when_they_left() {
    let mut pod = Pod::experienced();
    let first = pod.begin(1, 1, &[]);
    let second = pod.begin(2, 1, &[]);
    pod.wait(MILLI);
    let (one, _) = pod.call(0, 1, &[]);
    let (two, _) = pod.call(1, 1, &[]);
    pod.wait(3 * MILLI);
    // only the first call is answered, so the request that goes on and ends is the one that made it
    pod.answer(one);
    pod.wait(MILLI);
    let (next, _) = pod.call(2, 2, &[]);
    pod.wait(3 * MILLI);
    pod.answer(next);
    pod.wait(MILLI);
    pod.end(second);
    pod.wait(20 * MILLI);
    pod.answer(two);
    pod.wait(MILLI);
    let (last, _) = pod.call(3, 2, &[]);
    pod.wait(3 * MILLI);
    pod.answer(last);
    pod.wait(MILLI);
    pod.end(first);
    let words = pod.resolve();
    let parent = |call: u32| {
        let word = words.iter().find(|word| word.call == call).expect("it was open");
        word.link.expect("a link").parent
    };
    assert_eq!((parent(0), parent(1)), (2, 1));
}

#[test]
fn an_identifier_of_a_requests_own_that_a_call_carries_is_exact_in_any_crowd() {
    let mut pod = Pod::new();
    for id in 0..60 {
        let request = pod.begin(0, 1, &[token(1, 1_000 + id)]);
        pod.wait(MILLI);
        pod.end(request);
    }
    let _requests: Vec<_> = (0..200)
        .map(|number| pod.begin(number, 1, &[token(1, 5_000 + u64::from(number))]))
        .collect();
    pod.wait(MILLI);
    for number in [0, 63, 64, 199] {
        let (_call, decision) = pod.call(number, 1, &[token(2, 5_000 + u64::from(number))]);
        assert_eq!(
            link(decision),
            Link {
                parent: number,
                certainty: Certainty::Exact,
                method: Method::Echo
            }
        );
    }
}

#[test]
fn what_every_message_carries_says_nothing() {
    let mut pod = Pod::new();
    let constant = token(1, 42);
    for _ in 0..300 {
        let request = pod.begin(0, 1, &[constant]);
        pod.wait(MILLI);
        let (call, _) = pod.call(0, 1, &[constant]);
        pod.wait(MILLI);
        pod.answer(call);
        pod.end(request);
        pod.wait(10 * MILLI);
    }
    // by chance only one of two twins carries it
    let _first = pod.begin(1, 1, &[constant]);
    let _second = pod.begin(2, 1, &[]);
    pod.wait(MILLI);
    let (_call, decision) = pod.call(0, 1, &[constant]);
    assert_eq!(decision, Decision::Open);
}

#[test]
fn the_process_that_alone_has_a_request_is_an_exact_cause() {
    let mut pod = Pod::experienced();
    let _first = pod.begin_by(1, 1, &[], Connection(10_001));
    let _second = pod.begin_by(2, 1, &[], Connection(10_002));
    pod.own(10_001, 1);
    pod.own(10_002, 2);
    pod.own(10_003, 2);
    pod.wait(MILLI);
    let (_call, decision) = pod.call_by(0, 1, &[], Connection(10_003));
    assert_eq!(
        link(decision),
        Link {
            parent: 2,
            certainty: Certainty::Exact,
            method: Method::Process
        }
    );
}

/// Three requests of one route and a call by the second one's process; the third one's process is this one, if any.
fn call_by_the_second_process(third: Option<u32>) -> Decision<u32> {
    let mut pod = Pod::experienced();
    let _first = pod.begin_by(1, 1, &[], Connection(10_001));
    let _second = pod.begin_by(2, 1, &[], Connection(10_002));
    let _third = pod.begin_by(3, 1, &[], Connection(10_003));
    pod.own(10_001, 1);
    pod.own(10_002, 2);
    if let Some(third) = third {
        pod.own(10_003, third);
    }
    pod.own(10_004, 2);
    pod.wait(MILLI);
    pod.call_by(0, 1, &[], Connection(10_004)).1
}

#[test]
fn while_one_process_is_unknown_the_known_ones_exclude_but_make_nothing_exact() {
    let known = link(call_by_the_second_process(Some(3)));
    assert_eq!((known.parent, known.certainty), (2, Certainty::Exact));
    assert_eq!(call_by_the_second_process(None), Decision::Open);
}

#[test]
fn of_two_requests_one_is_excluded_by_its_process_and_the_other_is_what_is_left() {
    let mut pod = Pod::experienced();
    let first = pod.begin_by(1, 1, &[], Connection(10_001));
    let second = pod.begin_by(2, 1, &[], Connection(10_002));
    pod.own(10_001, 1);
    pod.own(10_003, 2);
    pod.wait(MILLI);
    let (_call, decision) = pod.call_by(5, 1, &[], Connection(10_003));
    let link = link(decision);
    assert_eq!(link.parent, 2);
    assert!(matches!(link.certainty, Certainty::Inferred(_)), "{link:?}");
    pod.end(first);
    pod.end(second);
}

#[test]
fn a_process_that_is_found_out_after_the_call_decides_in_the_end() {
    let mut pod = Pod::experienced();
    let first = pod.begin_by(1, 1, &[], Connection(10_001));
    let second = pod.begin_by(2, 1, &[], Connection(10_002));
    pod.wait(MILLI);
    let (call, decision) = pod.call_by(5, 1, &[], Connection(10_003));
    assert_eq!(decision, Decision::Open);
    pod.own(10_001, 1);
    pod.own(10_002, 2);
    pod.own(10_003, 2);
    pod.wait(3 * MILLI);
    pod.answer(call);
    pod.wait(MILLI);
    pod.end(first);
    pod.end(second);
    let words = pod.resolve();
    let word = words.iter().find(|word| word.call == 5).expect("it was open");
    assert_eq!(
        word.link,
        Ok(Link {
            parent: 2,
            certainty: Certainty::Exact,
            method: Method::Process
        })
    );
}

#[test]
fn a_call_that_the_application_put_into_a_trace_belongs_to_the_request_of_that_trace() {
    let mut pod = Pod::new();
    let _first = pod.begin(1, 1, &[]);
    let _second = pod.begin(2, 1, &[]);
    let (_call, decision) = pod.forward(0, 1, 2);
    assert_eq!(
        link(decision),
        Link {
            parent: 2,
            certainty: Certainty::Exact,
            method: Method::Propagated
        }
    );
    let (_call, decision) = pod.forward(0, 1, 99);
    assert_eq!(decision, Decision::Unknown(Unknown::Background));
}

#[test]
fn streams_that_stay_open_do_not_use_up_the_engine() {
    let mut pod = Pod::experienced();
    let _streams: Vec<_> = (0..300)
        .map(|number| {
            let stream = pod.begin(number, 9, &[]);
            pod.engine.responded(pod.now, &stream);
            pod.wait(100 * MILLI);
            pod.resolve();
            stream
        })
        .collect();
    pod.wait(11 * SECOND);
    pod.resolve();
    let _request = pod.begin(1_000, 1, &[]);
    pod.wait(MILLI);
    let (_call, decision) = pod.call(0, 1, &[]);
    assert_eq!(link(decision).parent, 1_000);
}

#[test]
fn a_call_in_a_window_that_does_not_close_is_resolved_nevertheless() {
    let mut pod = Pod::experienced();
    let _first = pod.begin(1, 1, &[]);
    let _second = pod.begin(2, 1, &[]);
    pod.wait(MILLI);
    let (_call, decision) = pod.call(5, 1, &[]);
    assert_eq!(decision, Decision::Open);
    pod.wait(SECOND);
    assert_eq!(pod.resolve().len(), 0);
    pod.wait(10 * SECOND);
    let words = pod.resolve();
    assert_eq!(words.len(), 1);
    assert_eq!(words[0].call, 5);
    assert!(words[0].link.is_err());
}
