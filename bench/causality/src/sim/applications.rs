//! Whole applications whose recordings look like those that others have published: many services, no value that is
//! carried on, and nothing to see but when requests and calls begin and end.
//!
//! Who calls whom, in which order and how often, is as in well-known demonstrations of microservices; how long everything
//! takes is our own choice.

use super::workload::*;
use crate::random::{Span, mix};

/// Which application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Application {
    /// Booking hotels: one service after the other, most of them with a cache and a database behind.
    Hotel,
    /// Reviews of films: a front that calls four services at a time, all of which call one and the same.
    Media,
    /// A shop by gRPC: baskets and orders that ask for each thing by itself, again and again.
    Shop,
}

impl Application {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hotel, Self::Media, Self::Shop];

    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hotel => "hotel",
            Self::Media => "media",
            Self::Shop => "shop",
        }
    }

    /// Its services, with so many requests in flight in the first of them on average.
    pub fn workload(self, in_flight: f64, requests: u32) -> Workload {
        Workload {
            name: self.name(),
            services: match self {
                Self::Hotel => hotel(),
                Self::Media => media(),
                Self::Shop => shop(),
            },
            in_flight,
            burst: 1,
            requests,
            drift: 1.0,
            seed: mix(self as u64 + 0xa99),
        }
    }

    /// What its services are called, in the same order.
    pub fn services(self) -> &'static [&'static str] {
        match self {
            Self::Hotel => &[
                "frontend",
                "search",
                "geo",
                "rate",
                "reservation",
                "profile",
                "recommendation",
                "user",
            ],
            Self::Media => &[
                "nginx",
                "unique-id",
                "movie-id",
                "text",
                "user",
                "compose-review",
                "review-storage",
                "user-review",
                "movie-review",
            ],
            Self::Shop => &[
                "frontend",
                "productcatalog",
                "currency",
                "cart",
                "recommendation",
                "shipping",
                "checkout",
                "payment",
                "email",
                "ad",
            ],
        }
    }
}

fn work(micros: f64) -> Step {
    Step::Work(Span::LogNormal(micros * 1e3, 0.4))
}

/// A call to another service's route.
fn to(service: usize, route: usize) -> Callee {
    callee(Target::Service(service, route))
}

/// A call to something that records nothing: a cache that may miss, a database.
fn store(median: f64) -> Callee {
    callee(Target::Backend(Span::Bimodal(
        millis(median),
        millis(median * 5.0),
        0.1,
        0.4,
    )))
}

fn callee(target: Target) -> Callee {
    Callee {
        target,
        transport: Transport::Multiplexed,
        echo: Echo::Nothing,
        fails: 0.0,
    }
}

/// Does these with work between.
fn then(calls: &[usize]) -> Vec<Step> {
    let mut steps = vec![work(60.0)];
    for call in calls {
        steps.extend([Step::Call(*call), work(60.0)]);
    }
    steps
}

/// Makes these calls at a time.
fn at_once(calls: &[usize]) -> Step {
    Step::All(calls.iter().map(|call| vec![Step::Call(*call)]).collect())
}

fn service(server: Server, callees: Vec<Callee>, routes: Vec<(f64, Vec<Step>)>) -> Service {
    let routes = routes.into_iter().map(|(weight, steps)| Route {
        weight,
        upload: None,
        streams: false,
        steps,
    });
    Service {
        server,
        routes: routes.collect(),
        callees,
        timers: Vec::new(),
        inbound: Transport::Multiplexed,
        values: Values {
            users: 200,
            things: 1_000,
            timers_name_things: false,
            shared_access_token: false,
        },
        owners_visible: false,
    }
}

/// A service that asks nobody that can be seen.
fn leaf(server: Server, routes: usize, median: f64) -> Service {
    let wait = Step::Wait(Span::Bimodal(millis(median), millis(median * 4.0), 0.15, 0.4));
    let steps = vec![work(50.0), wait, work(30.0)];
    service(server, Vec::new(), vec![(1.0, steps); routes])
}

fn hotel() -> Vec<Service> {
    let go = Server::go();
    // search, geo, rate, reservation, profile, recommendation, user
    let frontend = service(
        go,
        vec![to(1, 0), to(4, 0), to(5, 0), to(6, 0), to(7, 0), to(4, 1)],
        vec![
            (0.6, then(&[0, 1, 2])),
            (0.39, then(&[3, 2])),
            (0.005, then(&[4])),
            (0.005, then(&[4, 5])),
        ],
    );
    let cached = |callees: Vec<Callee>| {
        let miss = Step::Maybe(0.2, vec![Step::Call(1), work(40.0)]);
        let steps = vec![work(50.0), Step::Call(0), work(40.0), miss];
        service(go, callees, vec![(1.0, steps)])
    };
    let each = Step::Repeat(
        4,
        vec![
            Step::Call(0),
            work(30.0),
            Step::Maybe(0.1, vec![Step::Call(1), work(30.0)]),
        ],
    );
    let reservation = service(
        go,
        vec![store(0.4), store(1.2)],
        vec![(1.0, vec![work(60.0), each]), (1.0, then(&[0, 1, 1]))],
    );
    vec![
        frontend,
        service(go, vec![to(2, 0), to(3, 0)], vec![(1.0, then(&[0, 1]))]),
        leaf(go, 1, 0.3),
        cached(vec![store(0.4), store(1.5)]),
        reservation,
        cached(vec![store(0.4), store(1.5)]),
        leaf(go, 1, 0.3),
        leaf(go, 1, 0.2),
    ]
}

fn media() -> Vec<Service> {
    let threads = Server {
        name: "threads of C++",
        ..Server::go()
    };
    let event_loop = Server {
        name: "event loop",
        ..Server::node()
    };
    // each puts its part together with the others' at compose-review; whoever comes last has it stored
    let part = |median: f64, last: bool| {
        let wait = Step::Wait(Span::LogNormal(millis(median), 0.5));
        let mut steps = vec![work(80.0), wait, work(40.0), Step::Call(0), work(40.0)];
        if last {
            steps.extend([Step::Call(1), work(40.0)]);
        }
        service(threads, vec![to(5, 0), to(5, 1)], vec![(1.0, steps)])
    };
    let compose = service(
        threads,
        vec![store(0.3), to(6, 0), to(7, 0), to(8, 0)],
        vec![
            (1.0, then(&[0])),
            (
                1.0,
                vec![
                    work(60.0),
                    Step::Call(0),
                    work(60.0),
                    at_once(&[1, 2, 3]),
                    work(60.0),
                ],
            ),
        ],
    );
    let keeper = || service(threads, vec![store(0.8), store(0.3)], vec![(1.0, then(&[0, 1]))]);
    vec![
        service(
            event_loop,
            vec![to(1, 0), to(2, 0), to(3, 0), to(4, 0)],
            vec![(1.0, vec![work(80.0), at_once(&[0, 1, 2, 3]), work(60.0)])],
        ),
        part(0.1, false),
        part(0.8, false),
        part(2.0, true),
        part(0.6, false),
        compose,
        keeper(),
        keeper(),
        keeper(),
    ]
}

fn shop() -> Vec<Service> {
    let (go, node) = (Server::go(), Server::node());
    let python = Server::threads();
    let java = Server::java();
    // 0 product, 1 list of products, 2 currencies, 3 convert, 4 cart, 5 add, 6 recommendations, 7 quote, 8 order, 9 ad
    let frontend = service(
        go,
        vec![
            to(1, 0),
            to(1, 1),
            to(2, 1),
            to(2, 0),
            to(3, 0),
            to(3, 1),
            to(4, 0),
            to(5, 0),
            to(6, 0),
            to(9, 0),
        ],
        vec![
            // the list of all things, each with its price
            (
                0.25,
                vec![
                    work(80.0),
                    Step::Call(2),
                    work(30.0),
                    Step::Call(1),
                    work(30.0),
                    Step::Call(4),
                    work(30.0),
                    Step::Repeat(9, vec![Step::Call(3), work(15.0)]),
                    Step::Call(9),
                    work(300.0),
                ],
            ),
            // one thing
            (
                0.45,
                vec![
                    work(80.0),
                    Step::Call(0),
                    work(30.0),
                    Step::Call(2),
                    work(30.0),
                    Step::Call(4),
                    work(30.0),
                    Step::Call(3),
                    work(30.0),
                    Step::Call(6),
                    work(20.0),
                    Step::Repeat(4, vec![Step::Call(0), work(15.0)]),
                    Step::Call(9),
                    work(200.0),
                ],
            ),
            // the basket
            (
                0.15,
                vec![
                    work(80.0),
                    Step::Call(2),
                    work(30.0),
                    Step::Call(4),
                    work(30.0),
                    Step::Call(6),
                    work(30.0),
                    Step::Repeat(4, vec![Step::Call(0), work(15.0)]),
                    Step::Call(7),
                    work(20.0),
                    Step::Repeat(4, vec![Step::Call(0), work(15.0), Step::Call(3), work(15.0)]),
                    work(200.0),
                ],
            ),
            // into the basket, and an order
            (0.1, then(&[0, 5])),
            (0.05, then(&[8, 6, 2])),
        ],
    );
    let order = Step::Repeat(4, vec![Step::Call(1), work(20.0), Step::Call(2), work(20.0)]);
    let checkout = service(
        go,
        vec![
            to(3, 0),
            to(1, 0),
            to(2, 0),
            to(5, 0),
            to(7, 0),
            to(5, 1),
            to(3, 2),
            to(8, 0),
        ],
        vec![(
            1.0,
            vec![
                work(80.0),
                Step::Call(0),
                work(30.0),
                order,
                Step::Call(3),
                work(20.0),
                Step::Call(2),
                work(20.0),
                Step::Call(4),
                work(20.0),
                Step::Call(5),
                work(20.0),
                Step::Call(6),
                work(20.0),
                Step::Call(7),
                work(40.0),
            ],
        )],
    );
    let cart = service(
        java,
        vec![store(0.4)],
        vec![(1.0, then(&[0])), (1.0, then(&[0, 0])), (1.0, then(&[0]))],
    );
    vec![
        frontend,
        leaf(go, 2, 0.1),
        leaf(node, 2, 0.1),
        cart,
        service(python, vec![to(1, 1)], vec![(1.0, then(&[0]))]),
        leaf(go, 2, 0.1),
        checkout,
        leaf(node, 1, 0.5),
        leaf(python, 1, 1.0),
        leaf(java, 1, 0.3),
    ]
}
