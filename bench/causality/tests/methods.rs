//! The baselines and their scores on cases that are small enough to be followed by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use bench_causality::log::{Event, Log, Recording};
use bench_causality::method::{Answer, Baseline};
use bench_causality::score::Score;
use causality::Trace;

/// A log in words: `(1` and `1)` begin and end request 1, `a` to `z` are calls of that kind, a millisecond apart.
fn log(words: &str) -> Log {
    let mut log = Log::default();
    for (index, word) in words.split_whitespace().enumerate() {
        let now = index as u64 * 1_000_000;
        let tokens = log.keep([]);
        let event = match (word.strip_prefix('('), word.strip_suffix(')')) {
            (Some(number), _) => {
                assert_eq!(log.next_request(), number.parse::<u32>().unwrap());
                Event::Begin {
                    request: log.requests - 1,
                    route: 1,
                    connection: 1,
                    trace: Trace(u64::from(log.requests)),
                    tokens,
                }
            }
            (_, Some(number)) => Event::End {
                request: number.parse().unwrap(),
            },
            _ => Event::Call {
                call: log.next_call(),
                callee: u64::from(word.as_bytes()[0]),
                connection: 2,
                forwarded: None,
                tokens,
            },
        };
        log.add(now, event);
    }
    log
}

fn parents(baseline: Baseline, words: &str) -> Vec<Option<u32>> {
    let answers = baseline.run(&log(words)).0;
    answers
        .into_iter()
        .map(|answer| answer.map(|answer| answer.parent))
        .collect()
}

#[test]
fn fifo_takes_the_oldest_that_has_made_fewest_calls_of_the_kind() {
    let words = "a (0 a (1 a b b a 0) a 1)";
    let found = parents(Baseline::Fifo, words);
    assert_eq!(
        found,
        [None, Some(0), Some(1), Some(0), Some(1), Some(0), Some(1)]
    );
}

#[test]
fn lifo_takes_the_newest_in_flight() {
    assert_eq!(
        parents(Baseline::Lifo, "a (0 a (1 a 1) a 0) a"),
        [None, Some(0), Some(1), Some(0), None]
    );
}

#[test]
fn single_takes_what_is_alone_and_nothing_else() {
    assert_eq!(
        parents(Baseline::Single, "a (0 a (1 a 1) a 0) a"),
        [None, Some(0), None, Some(0), None]
    );
}

#[test]
fn wap5_takes_the_nearest_of_one_kind_and_doubts_more_the_nearer_the_others_are() {
    let answers = Baseline::Wap5.run(&log("(0 x x x x x x x x x (1 a 0) 1)")).0;
    let last = answers.last().unwrap().unwrap();
    assert_eq!(last.parent, 1);
    assert!(last.confidence > 0.5 && last.confidence < 1.0);
}

fn answer(parent: u32, confidence: f64) -> Option<Answer> {
    Some(Answer { parent, confidence })
}

/// Two requests from outside of service 0; the second one's call is the only request of service 1, which makes one call.
fn two_services() -> Vec<Recording> {
    let mut front = Recording {
        log: log("(0 (1 a b c 0) 1)"),
        ..Recording::default()
    };
    front.truth.parents = vec![Some(0), Some(1), None];
    front.truth.signed = vec![true, false, false];
    front.truth.origins = vec![None, None];
    let mut back = Recording {
        log: log("(0 a 0)"),
        ..Recording::default()
    };
    back.truth.parents = vec![Some(0)];
    back.truth.signed = vec![false];
    back.truth.origins = vec![Some((0, 1))];
    vec![front, back]
}

#[test]
fn a_score_counts_right_wrong_and_missing_links_and_whole_traces() {
    let services = two_services();
    let front = [answer(0, 1.0), answer(1, 0.95), None];
    let all_right = Score::of(&services, &[&front, &[answer(0, 1.0)]], 0.9);
    assert_eq!(all_right.precision(), Some(1.0));
    assert_eq!(all_right.coverage(), Some(1.0));
    assert_eq!(all_right.wrong_rate(), Some(0.0));
    assert_eq!((all_right.traces, all_right.traces_right), (2, 2));

    let missing = Score::of(&services, &[&front, &[None]], 0.9);
    assert_eq!(missing.coverage(), Some(2.0 / 3.0));
    assert_eq!((missing.traces_right, missing.requests_right), (1, 2));

    let unsure = Score::of(&services, &[&front, &[answer(0, 1.0)]], 0.99);
    assert_eq!((unsure.linked, unsure.traces_right), (2, 1));
    assert_eq!(unsure.signed_coverage(), Some(1.0));
}

#[test]
fn a_link_of_a_call_that_nothing_caused_is_wrong_and_spoils_the_trace_that_it_is_put_into() {
    let services = two_services();
    let front = [answer(0, 1.0), answer(1, 1.0), answer(0, 0.99)];
    let score = Score::of(&services, &[&front, &[answer(0, 1.0)]], 0.9);
    assert_eq!(score.wrong_rate(), Some(0.25));
    assert_eq!(score.coverage(), Some(1.0));
    assert_eq!((score.traces, score.traces_right), (2, 1));
}

#[test]
fn calibration_is_how_far_confidence_is_from_the_share_that_is_right() {
    let services = two_services();
    // two links at 0.95, of which one is right
    let front = [answer(0, 0.95), answer(0, 0.95), None];
    let score = Score::of(&services, &[&front, &[answer(0, 1.0)]], 0.0);
    assert!((score.calibration_error().unwrap() - 45.0).abs() < 1e-9);
    let exact = Score::of(&services, &[&[None, None, None], &[answer(0, 1.0)]], 0.0);
    assert_eq!(exact.calibration_error(), None);
}
