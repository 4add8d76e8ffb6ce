//! What holds whatever is told, in whatever order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::HashSet;

use causality::{
    Call, Callee, Connection, Decision, Engine, Inbound, Outbound, Process, Request, Route, Settings, Token,
    Trace,
};
use proptest::prelude::*;

/// Something that happens; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Told {
    Begin {
        route: u64,
        connection: u64,
        tokens: Vec<Token>,
    },
    Body(usize),
    Responded(usize),
    End(usize),
    Call {
        callee: u64,
        connection: u64,
        forwarded: Option<u64>,
        tokens: Vec<Token>,
    },
    Answered(usize, Vec<Token>),
    EndCall(usize),
    Owned(u64, u32),
    Closed(u64),
    Unseen(bool),
    Resolve,
}

fn tokens() -> impl Strategy<Value = Vec<Token>> {
    let token = (0..4_u32, 0..12_u64).prop_map(|(place, value)| Token { place, value });
    prop::collection::vec(token, 0..40)
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        4 => (0..4_u64, 0..6_u64, tokens())
            .prop_map(|(route, connection, tokens)| Told::Begin { route, connection, tokens }),
        2 => any::<usize>().prop_map(Told::Body),
        2 => any::<usize>().prop_map(Told::Responded),
        3 => any::<usize>().prop_map(Told::End),
        5 => (0..4_u64, 0..6_u64, prop::option::weighted(0.1, 0..20_u64), tokens())
            .prop_map(|(callee, connection, forwarded, tokens)| Told::Call { callee, connection, forwarded, tokens }),
        3 => (any::<usize>(), tokens()).prop_map(|(call, tokens)| Told::Answered(call, tokens)),
        4 => any::<usize>().prop_map(Told::EndCall),
        1 => (0..6_u64, 0..3_u32).prop_map(|(connection, process)| Told::Owned(connection, process)),
        1 => (0..6_u64).prop_map(Told::Closed),
        1 => any::<bool>().prop_map(Told::Unseen),
        1 => Just(Told::Resolve),
    ]
}

struct Pod {
    engine: Engine<u32, u32>,
    requests: Vec<Request>,
    calls: Vec<Call>,
    unseen: Vec<causality::Unseen>,
    began: HashSet<u32>,
    open: HashSet<u32>,
    numbers: u32,
}

impl Pod {
    fn new(settings: Settings) -> Self {
        Self {
            engine: Engine::new(settings),
            requests: Vec::new(),
            calls: Vec::new(),
            unseen: Vec::new(),
            began: HashSet::new(),
            open: HashSet::new(),
            numbers: 0,
        }
    }

    fn tell(&mut self, now: u64, told: Told) {
        self.numbers += 1;
        let number = self.numbers;
        match told {
            Told::Begin {
                route,
                connection,
                tokens,
            } => {
                let inbound = Inbound {
                    route: Route(route),
                    connection: Connection(connection),
                    trace: Trace(u64::from(number % 20)),
                    tokens: &tokens,
                };
                let request = self.engine.begin(now, inbound, number);
                self.requests.push(request);
                self.began.insert(number);
            }
            Told::Body(which) => {
                if let Some(request) = pick(&self.requests, which) {
                    self.engine.body_complete(now, request);
                }
            }
            Told::Responded(which) => {
                if let Some(request) = pick(&self.requests, which) {
                    self.engine.responded(now, request);
                }
            }
            Told::End(which) if !self.requests.is_empty() => {
                let request = self.requests.swap_remove(which % self.requests.len());
                self.engine.end(now, request);
            }
            Told::Call {
                callee,
                connection,
                forwarded,
                tokens,
            } => {
                let outbound = Outbound {
                    callee: Callee(callee),
                    connection: Connection(connection),
                    forwarded: forwarded.map(Trace),
                    tokens: &tokens,
                };
                let (call, decision) = self.engine.call(now, outbound, number);
                self.calls.push(call);
                match decision {
                    Decision::Link(link) => self.check(link),
                    Decision::Open => assert!(self.open.insert(number)),
                    Decision::Unknown(_) => {}
                }
            }
            Told::Answered(which, tokens) => {
                if let Some(call) = pick(&self.calls, which) {
                    self.engine.answered(now, call, &tokens);
                }
            }
            Told::EndCall(which) if !self.calls.is_empty() => {
                let call = self.calls.swap_remove(which % self.calls.len());
                self.engine.end_call(now, call);
            }
            Told::Owned(connection, process) => self.engine.owned(Connection(connection), Process(process)),
            Told::Closed(connection) => self.engine.closed(Connection(connection)),
            Told::Unseen(true) => self.unseen.push(self.engine.begin_unseen()),
            Told::Unseen(false) => {
                if let Some(unseen) = self.unseen.pop() {
                    self.engine.end_unseen(unseen);
                }
            }
            Told::Resolve => self.resolve(now),
            Told::End(_) | Told::EndCall(_) => {}
        }
        assert_eq!(self.engine.in_flight(), self.requests.len());
    }

    fn resolve(&mut self, now: u64) {
        let words: Vec<_> = self.engine.resolve(now).collect();
        for word in words {
            assert!(self.open.remove(&word.call), "call {} was not open", word.call);
            if let Ok(link) = word.link {
                self.check(link);
            }
        }
    }

    fn check(&self, link: causality::Link<u32>) {
        assert!(self.began.contains(&link.parent), "{link:?}");
        let confidence = link.certainty.confidence();
        assert!((0.99..=1.0).contains(&confidence), "{link:?}");
    }
}

fn pick<T>(all: &[T], which: usize) -> Option<&T> {
    (!all.is_empty()).then(|| &all[which % all.len()])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_of_events_every_open_call_gets_one_last_word_and_links_name_requests_that_began(
        events in prop::collection::vec((told(), 0..30_000_000_u64), 1..400),
        requests_max in 1..100_usize,
        calls_max in 1..300_usize,
    ) {
        let settings = Settings { requests_max, calls_max, ..Settings::default() };
        let mut pod = Pod::new(settings);
        let mut now = 0;
        for (told, after) in events {
            now += after;
            pod.tell(now, told);
        }
        pod.resolve(now);
        pod.resolve(now + 60_000_000_000);
        prop_assert!(pod.open.is_empty(), "{:?} were forgotten", pod.open);
    }

    #[test]
    fn time_may_stand_still_or_go_backwards(
        events in prop::collection::vec((told(), any::<u64>()), 1..200),
    ) {
        let mut pod = Pod::new(Settings::default());
        for (told, now) in events {
            pod.tell(now, told);
        }
    }

    #[test]
    fn at_a_threshold_of_one_nothing_is_inferred(
        events in prop::collection::vec((told(), 0..5_000_000_u64), 1..300),
    ) {
        let mut pod = Pod::new(Settings { threshold: 1.0, ..Settings::default() });
        let mut now = 0;
        for (told, after) in events {
            now += after;
            if let Told::Call { callee, connection, tokens, .. } = &told {
                let outbound = Outbound {
                    callee: Callee(*callee),
                    connection: Connection(*connection),
                    forwarded: None,
                    tokens,
                };
                let (call, decision) = pod.engine.call(now, outbound, u32::MAX);
                pod.engine.end_call(now, call);
                if let Decision::Link(link) = decision {
                    prop_assert_eq!(link.certainty, causality::Certainty::Exact);
                }
            } else if !matches!(told, Told::Resolve) {
                pod.tell(now, told);
            }
        }
    }
}

#[test]
fn a_flood_of_requests_and_calls_is_borne_and_forgotten() {
    let mut pod = Pod::new(Settings::default());
    let token = |value| Token { place: 1, value };
    for number in 0..6_000_u64 {
        let tokens: Vec<Token> = (0..4).map(|index| token(number * 4 + index)).collect();
        let begin = Told::Begin {
            route: number,
            connection: number,
            tokens: tokens.clone(),
        };
        pod.tell(number, begin);
        let call = Told::Call {
            callee: number,
            connection: number,
            forwarded: None,
            tokens,
        };
        pod.tell(number, call);
        pod.tell(number, Told::Owned(number, 1));
    }
    while !pod.requests.is_empty() || !pod.calls.is_empty() {
        pod.tell(10_000, Told::EndCall(0));
        pod.tell(10_000, Told::End(0));
    }
    pod.resolve(60_000_000_000);
    assert!(pod.open.is_empty());
    assert_eq!(pod.engine.in_flight(), 0);
}
