//! The simulation's one queue of events, and what each of them does.
#![allow(
    clippy::indexing_slicing,
    reason = "every index is one that this file gave out; nothing here comes from the wire"
)]

mod inbound;
mod outbound;
mod tasks;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::vec::IntoIter;

use causality::{Nanos, Process};

use super::plan::Op;
use super::site::{ConnectionId, RequestId, Site, TaskId};
use super::values::Carried;
use super::workload::Workload;
use crate::log::{Event, Recording};
use crate::random::{Random, Span};

/// Between a program and its sidecar.
const HOP: (f64, f64) = (15e3, 4e3);
/// Between two sidecars.
const NETWORK: Span = Span::LogNormal(200e3, 0.3);
/// From a response's head to its end.
const BODY: Span = Span::Exponential(30e3);
/// How long the sidecar takes to find out who holds a connection.
const OWNER_FOUND: Span = Span::LogNormal(1e6, 0.5);
/// Between the requests of a burst.
const WITHIN_BURST: Span = Span::Exponential(500e3);

type FlightId = usize;

/// What happens at a moment.
#[derive(Clone, Copy, Debug)]
enum What {
    /// The next requests come from outside.
    Arrive,
    /// One of them comes.
    Come {
        session: u64,
    },
    /// A sidecar sees an inbound request's head.
    Head {
        site: usize,
        route: usize,
        from: Option<FlightId>,
    },
    BodyComplete(RequestId),
    /// The program's end of the connection has the request.
    Take(RequestId),
    /// A task can run.
    Ready(TaskId),
    /// A task has used its core for as long as it was given.
    Burst(TaskId),
    /// A sidecar sees an outbound call's head.
    Leave(FlightId),
    /// It sees the head of the response.
    Answer(FlightId),
    /// It sees the response's end.
    EndCall(FlightId),
    /// The program has the response.
    Back(FlightId),
    /// A sidecar sees the head of its program's response.
    Responded(RequestId),
    /// It sees its end.
    End(RequestId),
    Timer {
        site: usize,
        timer: usize,
    },
    /// A program stands still, or goes on.
    Pause {
        site: usize,
        paused: bool,
    },
    Owned {
        site: usize,
        connection: ConnectionId,
        process: u32,
    },
}

#[derive(Debug)]
struct Scheduled(Nanos, u64, What);

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.1 == other.1
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// What a task does with its core.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// What its plan says next.
    Run,
    /// It sends a call by this connection.
    Send(FlightId),
}

/// Something that a program does.
#[derive(Debug)]
struct Task {
    site: usize,
    /// The inbound request that it is done for, if any.
    request: Option<RequestId>,
    worker: u32,
    ops: IntoIter<Op>,
    stage: Stage,
    /// What it still has to use a core for.
    work: Nanos,
    /// What waits for it: another task, the request's response, or nothing.
    then: Then,
    /// How many tasks it waits for.
    children: usize,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Join(TaskId),
    Respond,
    Nothing,
}

/// An inbound request.
#[derive(Debug)]
struct Request {
    site: usize,
    route: usize,
    /// In its sidecar's log.
    number: u32,
    connection: ConnectionId,
    from: Option<FlightId>,
    carried: Carried,
    /// When the sidecar sees its response's head, once that is sent.
    head_seen: Option<Nanos>,
}

/// An outbound call.
#[derive(Debug)]
struct Flight {
    task: TaskId,
    callee: usize,
    connection: ConnectionId,
    /// In its sidecar's log, once it is there.
    number: u32,
    fails: bool,
}

/// A connection, numbered when its sidecar first has something to say of it.
#[derive(Debug, Default)]
struct Connection {
    number: Option<u64>,
    owned: bool,
}

#[derive(Debug)]
pub(super) struct World<'w> {
    workload: &'w Workload,
    random: Random,
    now: Nanos,
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    sites: Vec<Site<'w>>,
    tasks: Vec<Task>,
    requests: Vec<Request>,
    flights: Vec<Flight>,
    connections: Vec<Connection>,
    /// Requests from outside per nanosecond.
    rate: f64,
    /// Requests that come from outside, and those that have come.
    wanted: u32,
    arrived: u32,
    /// Requests that have not ended.
    open: usize,
}

impl<'w> World<'w> {
    pub(super) fn new(workload: &'w Workload, rate: f64, wanted: u32) -> Self {
        let mut world = Self {
            workload,
            random: Random::new(workload.seed),
            now: 0,
            queue: BinaryHeap::new(),
            scheduled: 0,
            sites: workload.services.iter().map(Site::new).collect(),
            tasks: Vec::new(),
            requests: Vec::new(),
            flights: Vec::new(),
            connections: Vec::new(),
            rate,
            wanted,
            arrived: 0,
            open: 0,
        };
        world.at(0, What::Arrive);
        for (site, service) in workload.services.iter().enumerate() {
            for timer in 0..service.timers.len() {
                world.at(0, What::Timer { site, timer });
            }
            world.pause(site, false);
        }
        world
    }

    /// Until every request has ended.
    pub(super) fn run(mut self) -> Vec<Recording> {
        while let Some(Reverse(Scheduled(now, _, what))) = self.queue.pop() {
            self.now = now;
            self.happen(what);
            if self.arrived == self.wanted && self.open == 0 {
                break;
            }
        }
        self.sites.into_iter().map(|site| site.recording).collect()
    }

    fn at(&mut self, after: Nanos, what: What) {
        self.scheduled += 1;
        self.queue
            .push(Reverse(Scheduled(self.now + after, self.scheduled, what)));
    }

    fn hop(&mut self) -> Nanos {
        (HOP.0 + HOP.1 * self.random.exponential()) as Nanos
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Arrive => self.arrive(),
            What::Come { session } => self.come(session),
            What::Head { site, route, from } => self.head(site, route, from, None),
            What::BodyComplete(request) => {
                let request = &self.requests[request];
                let event = Event::BodyComplete {
                    request: request.number,
                };
                self.log(request.site, event);
            }
            What::Take(request) => {
                let site = self.requests[request].site;
                if let Some(worker) = self.sites[site].take_worker(request, &mut self.random) {
                    self.start(request, worker);
                }
            }
            What::Ready(task) => {
                let site = self.tasks[task].site;
                self.sites[site].make_ready(task);
                self.dispatch(site);
            }
            What::Burst(task) => self.burst(task),
            What::Leave(flight) => self.leave(flight),
            What::Answer(flight) => self.answer(flight),
            What::EndCall(flight) => self.end_call(flight),
            What::Back(flight) => self.back(flight),
            What::Responded(request) => {
                let (site, number) = (self.requests[request].site, self.requests[request].number);
                self.log(site, Event::Responded { request: number });
            }
            What::End(request) => self.end(request),
            What::Timer { site, timer } => self.timer(site, timer),
            What::Pause { site, paused } => self.pause(site, paused),
            What::Owned {
                site,
                connection,
                process,
            } => {
                let number = self.number(site, connection);
                let process = Process(process);
                self.log(
                    site,
                    Event::Owned {
                        connection: number,
                        process,
                    },
                );
            }
        }
    }

    fn log(&mut self, site: usize, event: Event) {
        self.sites[site].recording.log.add(self.now, event);
    }

    /// The number that a connection has in its sidecar's log.
    fn number(&mut self, site: usize, connection: ConnectionId) -> u64 {
        let site = &mut self.sites[site];
        *self.connections[connection].number.get_or_insert_with(|| {
            site.connections += 1;
            site.connections
        })
    }

    fn new_connection(&mut self) -> ConnectionId {
        self.connections.push(Connection::default());
        self.connections.len() - 1
    }

    /// Soon the sidecar knows who holds it, if it can know that.
    fn find_owner(&mut self, site: usize, connection: ConnectionId, worker: u32) {
        let service = self.sites[site].service;
        if !service.owners_visible || std::mem::replace(&mut self.connections[connection].owned, true) {
            return;
        }
        let process = if service.server.processes {
            100 + worker
        } else {
            100
        };
        let after = OWNER_FOUND.draw(&mut self.random);
        self.at(
            after,
            What::Owned {
                site,
                connection,
                process,
            },
        );
    }
}
