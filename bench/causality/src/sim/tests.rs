use super::workload::*;
use super::*;
use crate::random::Span;

fn one_service(server: Server, in_flight: f64) -> Workload {
    let callee = |_| Callee {
        target: Target::Backend(Span::LogNormal(millis(5.0), 0.4)),
        transport: Transport::Pooled,
        echo: Echo::Nothing,
        fails: 0.0,
    };
    Workload {
        name: "test",
        services: vec![Service {
            server,
            routes: vec![Route {
                weight: 1.0,
                upload: None,
                streams: false,
                steps: vec![
                    Step::Work(Span::LogNormal(millis(0.2), 0.3)),
                    Step::Call(0),
                    Step::All(vec![vec![Step::Call(1)], vec![Step::Call(2)]]),
                    Step::Detach(vec![Step::Call(3)]),
                    Step::Work(Span::LogNormal(millis(0.1), 0.3)),
                ],
            }],
            callees: (0..4).map(callee).collect(),
            timers: vec![Timer {
                every: Span::Exponential(millis(100.0)),
                steps: vec![Step::Call(0)],
            }],
            inbound: Transport::Pooled,
            values: Values {
                users: 100,
                things: 100,
                timers_name_things: false,
                shared_access_token: false,
            },
            owners_visible: true,
        }],
        in_flight,
        burst: 1,
        requests: 1_000,
        drift: 1.0,
        seed: 7,
    }
}

#[test]
fn the_same_seed_gives_the_same_recording_and_another_one_another() {
    let mut workload = one_service(Server::threads(), 2.0);
    let first = simulate(&workload);
    assert_eq!(first, simulate(&workload));
    workload.seed += 1;
    assert_ne!(first, simulate(&workload));
}

#[test]
fn the_wanted_number_of_requests_is_in_flight() {
    for server in Server::ALL {
        let found = in_flight(&simulate(&one_service(server, 4.0)));
        assert!((found / 4.0 - 1.0).abs() < 0.3, "{}: {found}", server.name);
    }
}

#[test]
fn what_happens_is_in_order_and_whole() {
    for server in Server::ALL {
        let recordings = simulate(&one_service(server, 4.0));
        let (log, truth) = (&recordings[0].log, &recordings[0].truth);
        assert!(log.events.is_sorted_by_key(|(now, _)| *now));
        let count = |kind: fn(&Event) -> bool| log.events.iter().filter(|(_, event)| kind(event)).count();
        assert_eq!(log.requests, 1_000);
        assert_eq!(count(|event| matches!(event, Event::Begin { .. })), 1_000);
        assert_eq!(count(|event| matches!(event, Event::End { .. })), 1_000);
        assert_eq!(truth.parents.len(), log.calls as usize);
        let caused = truth.parents.iter().flatten().count();
        assert!((3_990..=4_000).contains(&caused), "{caused}");
        assert!(truth.parents.iter().any(Option::is_none));
    }
}

#[test]
fn numbers_tell_only_what_came_first() {
    let recordings = simulate(&one_service(Server::go(), 4.0));
    let (mut requests, mut calls, mut connections) = (0, 0, 0);
    for (_, event) in &recordings[0].log.events {
        match event {
            Event::Begin {
                request, connection, ..
            } => {
                assert_eq!(*request, requests);
                requests += 1;
                assert!(*connection <= connections + 1);
                connections = connections.max(*connection);
            }
            Event::Call { call, connection, .. } => {
                assert_eq!(*call, calls);
                calls += 1;
                assert!(*connection <= connections + 1);
                connections = connections.max(*connection);
            }
            Event::Owned { connection, .. } => {
                assert!(*connection <= connections + 1);
                connections = connections.max(*connection);
            }
            _ => {}
        }
    }
}
