//! What was true never gets into what methods see, whatever is simulated.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use bench_causality::log::{Event, Log, Recording, Tokens};
use bench_causality::method::{Baseline, run_engine};
use bench_causality::sim::catalogue::{Family, Set, workload};
use bench_causality::sim::workload::{Echo, Server};
use bench_causality::sim::{place, simulate};
use causality::Token;
use proptest::prelude::*;

const REQUESTS: u32 = 100;

fn any_workload() -> impl Strategy<Value = (Family, Server, f64, u64)> {
    (
        proptest::sample::select(Family::ALL.to_vec()),
        proptest::sample::select(Server::ALL.to_vec()),
        proptest::sample::select(vec![0.5, 2.0, 8.0]),
        any::<u64>(),
    )
}

fn recordings(family: Family, server: Server, in_flight: f64, seed: u64) -> (Vec<Recording>, bool) {
    let mut workload = workload(Set::Train, family, server, in_flight, REQUESTS);
    workload.seed = seed;
    let echoes = workload
        .services
        .iter()
        .flat_map(|service| &service.callees)
        .any(|callee| callee.echo != Echo::Nothing);
    (simulate(&workload), echoes)
}

/// All values but lengths, of which there are so few that two are the same now and then.
fn noteworthy(log: &Log, tokens: Tokens) -> impl Iterator<Item = &Token> {
    let all = log.tokens(tokens).iter();
    all.filter(|token| token.place != place::CONTENT_LENGTH)
}

/// In how many requests and calls each value stands.
fn values(log: &Log) -> BTreeMap<u64, (BTreeSet<u32>, BTreeSet<u32>)> {
    let mut found: BTreeMap<u64, (BTreeSet<u32>, BTreeSet<u32>)> = BTreeMap::new();
    for (_, event) in &log.events {
        match *event {
            Event::Begin { request, tokens, .. } => {
                for token in noteworthy(log, tokens) {
                    found.entry(token.value).or_default().0.insert(request);
                }
            }
            Event::Call { call, tokens, .. } => {
                for token in noteworthy(log, tokens) {
                    found.entry(token.value).or_default().1.insert(call);
                }
            }
            _ => {}
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn without_an_echo_no_value_of_one_request_is_in_any_call((family, server, in_flight, seed) in any_workload()) {
        let (recordings, echoes) = recordings(family, server, in_flight, seed);
        prop_assume!(!echoes);
        for recording in recordings {
            for (_, (requests, calls)) in values(&recording.log) {
                // what is in both is in all, or in one of few forms
                let constant = requests.len() > recording.log.requests as usize / 10;
                prop_assert!(requests.is_empty() || calls.is_empty() || constant);
            }
        }
    }

    #[test]
    fn everything_is_numbered_in_the_order_in_which_it_appears((family, server, in_flight, seed) in any_workload()) {
        for recording in recordings(family, server, in_flight, seed).0 {
            let (mut requests, mut calls, mut connections, mut traces) = (0, 0, 0, BTreeSet::new());
            let mut before = 0;
            for (now, event) in &recording.log.events {
                prop_assert!(before <= *now);
                before = *now;
                let connection = match event {
                    Event::Begin { request, connection, trace, .. } => {
                        prop_assert_eq!(*request, requests);
                        prop_assert!(traces.insert(trace.0), "a trace is one request's");
                        requests += 1;
                        *connection
                    }
                    Event::Call { call, connection, .. } => {
                        prop_assert_eq!(*call, calls);
                        calls += 1;
                        *connection
                    }
                    Event::Owned { connection, .. } | Event::Closed { connection } => *connection,
                    _ => continue,
                };
                prop_assert!(connection <= connections + 1);
                connections = connections.max(connection);
            }
            prop_assert_eq!(recording.truth.parents.len(), calls as usize);
            prop_assert_eq!(recording.truth.origins.len(), requests as usize);
        }
    }

    #[test]
    fn every_method_answers_every_call_once_and_only_with_requests_that_there_are(
        (family, server, in_flight, seed) in any_workload()
    ) {
        for recording in recordings(family, server, in_flight, seed).0 {
            let log = &recording.log;
            let run = run_engine(log);
            let deferred = run.deferred(0.9);
            let mut all: Vec<_> = Baseline::ALL.map(|baseline| baseline.run(log).0).into();
            all.extend([run.online.clone(), run.last.clone(), deferred.clone()]);
            for answers in all {
                prop_assert_eq!(answers.len(), log.calls as usize);
                prop_assert!(answers.iter().flatten().all(|answer| answer.parent < log.requests));
            }
            for (online, deferred) in run.online.iter().zip(&deferred) {
                let said = online.is_some_and(|answer| answer.confidence >= 0.9);
                prop_assert!(!said || online == deferred, "what was said stands");
            }
        }
    }
}
