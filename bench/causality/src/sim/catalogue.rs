//! The workloads of the report. Everything that a family leaves open is drawn from a seed: one set of seeds is for
//! training, that is for whoever tunes the engine, and the other is held out and only ever measured.

use super::workload::*;
use crate::random::{Random, Span, mix};

/// Which seeds, and so which workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Set {
    /// For tuning the engine.
    Train,
    /// For measuring it. Nothing is ever tuned on these.
    HeldOut,
}

impl Set {
    fn seed(self) -> u64 {
        match self {
            Self::Train => 0x7ea1,
            Self::HeldOut => 0x0e1d,
        }
    }
}

/// What is special about a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// One route that calls two to four others, one after the other.
    Sequential,
    /// Several routes that share callees, each with its own order.
    Routes,
    /// Calls made at the same time.
    Parallel,
    /// The same call again and again.
    Loops,
    /// Calls that are skipped when a cache has the answer.
    Caching,
    /// Calls that go on after the response.
    Detached,
    /// Calls that fail and are made again.
    Retries,
    /// Timers that call the same callees.
    Background,
    /// Callees that get slower.
    Drift,
    /// Calls that carry the request's own id, by connections of HTTP/2.
    EchoRequestId,
    /// Calls that carry the user's session, which other requests in flight may have too.
    EchoSession,
    /// Calls that carry an identifier from the path, which other requests and timers may carry too.
    EchoPathId,
    /// Calls that carry what an earlier response brought, and an access token that all calls carry.
    EchoIntroduced,
    /// The sidecar knows which process holds a connection.
    Owners,
    /// Several services, each with a sidecar, of the same kind of server.
    Tree,
    /// Several routes with one call each.
    Gateway,
    /// Responses that begin, and calls that are made, before all calls or the request's body are complete.
    Streaming,
    /// Requests that come several at a time, of one user, whose session their calls carry.
    Bursts,
    /// Between calls a database is asked, which no sidecar sees, and which takes long now and then.
    Databases,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Sequential,
        Self::Routes,
        Self::Parallel,
        Self::Loops,
        Self::Caching,
        Self::Detached,
        Self::Retries,
        Self::Background,
        Self::Drift,
        Self::EchoRequestId,
        Self::EchoSession,
        Self::EchoPathId,
        Self::EchoIntroduced,
        Self::Owners,
        Self::Tree,
        Self::Gateway,
        Self::Streaming,
        Self::Bursts,
        Self::Databases,
    ];

    /// As the report has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Routes => "routes",
            Self::Parallel => "parallel",
            Self::Loops => "loops",
            Self::Caching => "caching",
            Self::Detached => "detached",
            Self::Retries => "retries",
            Self::Background => "background",
            Self::Drift => "drift",
            Self::EchoRequestId => "echo-request-id",
            Self::EchoSession => "echo-session",
            Self::EchoPathId => "echo-path-id",
            Self::EchoIntroduced => "echo-introduced",
            Self::Owners => "owners",
            Self::Tree => "tree",
            Self::Gateway => "gateway",
            Self::Streaming => "streaming",
            Self::Bursts => "bursts",
            Self::Databases => "databases",
        }
    }
}

/// The workload of a family on a kind of server.
pub fn workload(set: Set, family: Family, server: Server, in_flight: f64, requests: u32) -> Workload {
    let name = server
        .name
        .bytes()
        .fold(0, |hash, byte| mix(hash + u64::from(byte)));
    let seed = mix(set.seed() ^ mix(family as u64 + 1) ^ name ^ mix(in_flight.to_bits()));
    let mut draw = Draw(Random::new(mix(seed)));
    let mut services = match family {
        Family::Tree => tree(&mut draw, server),
        _ => vec![draw.service(server, family)],
    };
    if family == Family::Owners {
        for service in &mut services {
            service.owners_visible = true;
        }
    }
    Workload {
        name: family.name(),
        services,
        in_flight,
        burst: if family == Family::Bursts { 6 } else { 1 },
        requests,
        drift: if family == Family::Drift { 3.0 } else { 1.0 },
        seed,
    }
}

/// Where everything that is left open is drawn from.
struct Draw(Random);

impl Draw {
    fn work(&mut self) -> Step {
        Step::Work(Span::LogNormal(millis(self.0.between(0.05, 0.5)), 0.5))
    }

    fn wait(&mut self) -> Step {
        Step::Wait(Span::LogNormal(millis(self.0.between(0.5, 5.0)), 0.5))
    }

    fn backend(&mut self) -> Span {
        let median = millis(self.0.between(2.0, 20.0));
        if self.0.chance(0.3) {
            Span::Bimodal(median * 0.3, median * 2.0, self.0.between(0.1, 0.6), 0.3)
        } else {
            Span::LogNormal(median, self.0.between(0.2, 0.7))
        }
    }

    fn transport(&mut self) -> Transport {
        match self.0.below(4) {
            0 => Transport::PerCall,
            1 => Transport::Multiplexed,
            _ => Transport::Pooled,
        }
    }

    fn callees(&mut self, count: usize, family: Family) -> Vec<Callee> {
        let callee = |_| Callee {
            target: Target::Backend(self.backend()),
            transport: match family {
                Family::EchoRequestId => Transport::Multiplexed,
                _ => self.transport(),
            },
            echo: match family {
                Family::EchoRequestId => Echo::RequestId,
                Family::EchoSession | Family::Bursts => Echo::Session,
                Family::EchoPathId => Echo::PathId,
                Family::EchoIntroduced => Echo::Introduced,
                _ => Echo::Nothing,
            },
            fails: if family == Family::Retries {
                self.0.between(0.02, 0.15)
            } else {
                0.0
            },
        };
        (0..count).map(callee).collect()
    }

    /// Calls to these, one after the other, with work between.
    fn sequence(&mut self, callees: impl IntoIterator<Item = usize>) -> Vec<Step> {
        let mut steps = vec![self.work()];
        for callee in callees {
            steps.push(Step::Call(callee));
            if self.0.chance(0.2) {
                steps.push(self.wait());
            }
            steps.push(self.work());
        }
        steps
    }

    /// Some of the callees, in any order.
    fn some_of(&mut self, callees: usize, least: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..callees).collect();
        for last in (1..all.len()).rev() {
            all.swap(last, self.0.below(last + 1));
        }
        all.truncate(least + self.0.below(callees + 1 - least));
        all
    }

    fn route(&mut self, steps: Vec<Step>) -> Route {
        let upload = Span::LogNormal(millis(1.0), 0.5);
        Route {
            weight: self.0.between(0.3, 1.0),
            upload: self.0.chance(0.2).then_some(upload),
            streams: false,
            steps,
        }
    }

    fn service(&mut self, server: Server, family: Family) -> Service {
        let count = 3 + self.0.below(3);
        let mut timers = Vec::new();
        let all: Vec<Vec<Step>> = match family {
            Family::Routes => (0..2 + self.0.below(15))
                .map(|_| {
                    let callees = self.some_of(count, 1);
                    self.sequence(callees)
                })
                .collect(),
            Family::Parallel => {
                let branches = (0..count - 1).map(|callee| vec![Step::Call(callee)]);
                let branches = branches.collect();
                vec![vec![
                    self.work(),
                    Step::All(branches),
                    self.work(),
                    Step::Call(count - 1),
                    self.work(),
                ]]
            }
            Family::Loops => {
                let inner = vec![Step::Call(0), self.work()];
                let mut steps = vec![self.work(), Step::Repeat(6, inner)];
                steps.extend(self.sequence([1]));
                let same = vec![Step::Call(0); 3].into_iter().map(|call| vec![call]);
                let at_once = vec![self.work(), Step::All(same.collect()), self.work()];
                vec![steps, self.sequence([1, 0]), at_once]
            }
            Family::Caching => (0..2)
                .map(|_| {
                    let callees = self.some_of(count, 2);
                    let steps = callees.into_iter().map(|callee| {
                        let hit = self.0.between(0.3, 0.9);
                        [Step::Maybe(hit, vec![Step::Call(callee)]), self.work()]
                    });
                    steps.flatten().collect()
                })
                .collect(),
            Family::Detached => {
                let mut steps = self.sequence(0..count - 1);
                let detached = vec![self.work(), Step::Call(count - 1)];
                steps.insert(3, Step::Detach(detached));
                vec![steps, self.sequence([0])]
            }
            Family::Background => {
                timers = vec![
                    Timer {
                        every: Span::LogNormal(millis(200.0), 0.1),
                        steps: vec![Step::Call(0)],
                    },
                    Timer {
                        every: Span::Exponential(millis(1_000.0)),
                        steps: vec![Step::Call(1), self.work(), Step::Call(2)],
                    },
                ];
                vec![self.sequence(0..count), self.sequence([1, 0])]
            }
            Family::EchoRequestId | Family::EchoSession | Family::EchoPathId | Family::EchoIntroduced => {
                let every = Span::Exponential(millis(500.0));
                let steps = vec![Step::Call(0)];
                timers = vec![Timer { every, steps }];
                let looped = vec![
                    self.work(),
                    Step::Call(1),
                    Step::Repeat(3, vec![Step::Call(0), self.work()]),
                ];
                let parallel = Step::All((1..count).map(|callee| vec![Step::Call(callee)]).collect());
                vec![
                    looped,
                    self.sequence(0..count),
                    vec![self.work(), parallel, self.work()],
                ]
            }
            Family::Owners => vec![
                self.sequence(0..count),
                vec![self.work(), Step::Repeat(4, vec![Step::Call(0), self.work()])],
            ],
            Family::Sequential | Family::Retries | Family::Drift | Family::Tree => {
                vec![self.sequence(0..count - 1)]
            }
            Family::Gateway => (0..count + 2)
                .map(|route| self.sequence([route % count]))
                .collect(),
            Family::Streaming => {
                let mut early = self.sequence(0..count);
                early.insert(3, Step::Head);
                vec![early, self.sequence([0, 1]), self.sequence([1])]
            }
            Family::Databases => (0..3)
                .map(|_| {
                    let mut steps = vec![self.work()];
                    for callee in self.some_of(count, 1) {
                        let median = millis(self.0.between(0.5, 4.0));
                        let query = Span::Bimodal(median, median * 8.0, 0.1, 0.6);
                        steps.extend([Step::Wait(query), Step::Call(callee), self.work()]);
                    }
                    steps
                })
                .collect(),
            Family::Bursts => vec![self.sequence([0, 1]), self.sequence([1]), self.sequence([2, 0])],
        };
        let mut routes: Vec<Route> = all.into_iter().map(|steps| self.route(steps)).collect();
        if family == Family::Streaming
            && let Some(route) = routes.last_mut()
        {
            route.upload = Some(Span::LogNormal(millis(10.0), 0.5));
            route.streams = true;
        }
        Service {
            server,
            callees: self.callees(count, family),
            routes,
            timers,
            inbound: if server.processes {
                Transport::PerCall
            } else {
                self.transport()
            },
            values: Values {
                users: 200,
                things: 1_000,
                timers_name_things: family == Family::EchoPathId,
                shared_access_token: family == Family::EchoIntroduced,
            },
            owners_visible: false,
        }
    }
}

/// A front that calls two services, one of which is called by the other too; all have backends.
fn tree(draw: &mut Draw, server: Server) -> Vec<Service> {
    let mut services: Vec<Service> = (0..4).map(|_| draw.service(server, Family::Sequential)).collect();
    // (who, calls whom): 3 has two callers
    for (who, whom) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
        let Some(service) = services.get_mut(who) else {
            continue;
        };
        let callee = service.callees.len();
        service.callees.push(Callee {
            target: Target::Service(whom, 0),
            transport: Transport::Pooled,
            echo: Echo::Nothing,
            fails: 0.0,
        });
        let work = draw.work();
        for route in &mut service.routes {
            route.steps.extend([Step::Call(callee), work.clone()]);
        }
    }
    services
}
