//! The simulation's one queue of events, and what each of them does.
#![allow(
    clippy::indexing_slicing,
    reason = "every index is one that this file gave out; nothing here comes from the wire"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::vec::IntoIter;

use causality::{Nanos, Process, Token, Trace};

use super::plan::{Op, plan};
use super::site::{ConnectionId, RequestId, Site, TaskId};
use super::values::{self, Carried};
use super::workload::{Echo, Target, Transport, Workload};
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

    // Inbound.

    fn arrive(&mut self) {
        let service = &self.workload.services[0];
        let most = self.workload.burst.max(1);
        let burst = 1 + self.random.below(most) as u32;
        let session = values::user(&service.values, &mut self.random);
        let mut after = 0;
        for _ in 0..burst.min(self.wanted - self.arrived) {
            self.arrived += 1;
            self.open += 1;
            self.at(after, What::Come { session });
            after += WITHIN_BURST.draw(&mut self.random);
        }
        if self.arrived < self.wanted {
            let bursts = self.rate / (1.0 + most as f64) * 2.0;
            let next = (self.random.exponential() / bursts) as Nanos;
            self.at(next, What::Arrive);
        }
    }

    fn come(&mut self, session: u64) {
        let routes = &self.workload.services[0].routes;
        let weights: f64 = routes.iter().map(|route| route.weight).sum();
        let mut draw = self.random.unit() * weights;
        let route = routes.iter().position(|route| {
            draw -= route.weight;
            draw < 0.0
        });
        self.head(0, route.unwrap_or_default(), None, Some(session));
    }

    fn head(&mut self, site: usize, route: usize, from: Option<FlightId>, session: Option<u64>) {
        let service = self.sites[site].service;
        let passed_on = from.and_then(|flight| self.passed_on(flight));
        let carried = Carried::draw(&service.values, passed_on, session, &mut self.random);
        let connection = match service.inbound {
            Transport::PerCall => self.new_connection(),
            Transport::Pooled => match self.sites[site].inbound.pop() {
                Some(connection) => connection,
                None => self.new_connection(),
            },
            Transport::Multiplexed => match self.sites[site].inbound.first() {
                Some(connection) => *connection,
                None => {
                    let connection = self.new_connection();
                    self.sites[site].inbound.push(connection);
                    connection
                }
            },
        };
        let connection_number = self.number(site, connection);
        let tokens = carried.inbound(self.now, &mut self.random);
        let trace = Trace(self.random.number());
        let recording = &mut self.sites[site].recording;
        let number = recording.log.next_request();
        recording.truth.origins.push(from.map(|flight| {
            let flight = &self.flights[flight];
            (self.tasks[flight.task].site, flight.number)
        }));
        let tokens = recording.log.keep(tokens);
        let event = Event::Begin {
            request: number,
            route: route as u64 + 1,
            connection: connection_number,
            trace,
            tokens,
        };
        self.log(site, event);
        let id = self.requests.len();
        self.requests.push(Request {
            site,
            route,
            number,
            connection,
            from,
            carried,
            head_seen: None,
        });
        let route = &service.routes[route];
        let upload = route.upload.map_or(0, |span| span.draw(&mut self.random));
        self.at(upload, What::BodyComplete(id));
        let hop = self.hop();
        let taken = if route.streams { 0 } else { upload };
        self.at(taken + hop, What::Take(id));
    }

    /// The request id that a call brings to the service that it goes to.
    fn passed_on(&self, flight: FlightId) -> Option<u64> {
        let flight = &self.flights[flight];
        let task = &self.tasks[flight.task];
        let echo = self.sites[task.site].service.callees[flight.callee].echo;
        let request = &self.requests[task.request?];
        (echo == Echo::RequestId).then_some(request.carried.request_id)
    }

    /// A worker takes up a request.
    fn start(&mut self, id: RequestId, worker: u32) {
        let request = &self.requests[id];
        let (site, connection) = (request.site, request.connection);
        let service = self.sites[site].service;
        let steps = &service.routes[request.route].steps;
        let ops = plan(steps, &service.callees, &mut self.random);
        self.find_owner(site, connection, worker);
        let task = self.task(site, Some(id), worker, ops, Then::Respond);
        self.wake(task);
    }

    /// The response's head is sent, if it was not before.
    fn respond_head(&mut self, id: RequestId) -> Nanos {
        if let Some(seen) = self.requests[id].head_seen {
            return seen;
        }
        let hop = self.hop();
        self.requests[id].head_seen = Some(self.now + hop);
        self.at(hop, What::Responded(id));
        self.now + hop
    }

    /// The response is sent to its end.
    fn respond(&mut self, id: RequestId, worker: u32) {
        let head = self.respond_head(id);
        let rest = self.hop() + BODY.draw(&mut self.random);
        self.at(head.saturating_sub(self.now).max(rest) + 1, What::End(id));
        let site = self.requests[id].site;
        if let Some(next) = self.sites[site].free_worker(worker) {
            self.start(next, worker);
        }
    }

    fn end(&mut self, id: RequestId) {
        let request = &self.requests[id];
        let (site, number, connection, from) =
            (request.site, request.number, request.connection, request.from);
        self.log(site, Event::End { request: number });
        match self.sites[site].service.inbound {
            Transport::PerCall => {
                let connection = self.number(site, connection);
                self.log(site, Event::Closed { connection });
            }
            Transport::Pooled => self.sites[site].inbound.push(connection),
            Transport::Multiplexed => {}
        }
        if let Some(flight) = from {
            let network = NETWORK.draw(&mut self.random);
            self.at(network, What::Answer(flight));
        } else {
            self.open -= 1;
        }
    }

    // Tasks.

    fn task(
        &mut self,
        site: usize,
        request: Option<RequestId>,
        worker: u32,
        ops: IntoIter<Op>,
        then: Then,
    ) -> TaskId {
        self.tasks.push(Task {
            site,
            request,
            worker,
            ops,
            stage: Stage::Run,
            work: 0,
            then,
            children: 0,
        });
        self.tasks.len() - 1
    }

    /// What a task waited for is there: it can run once the operating system has seen to it.
    fn wake(&mut self, task: TaskId) {
        let server = &self.sites[self.tasks[task].site].service.server;
        self.tasks[task].work += server.resume.draw(&mut self.random);
        let wake = server.wake.draw(&mut self.random);
        self.at(wake, What::Ready(task));
    }

    /// Puts tasks onto cores while there are both.
    fn dispatch(&mut self, site: usize) {
        while let Some(task) = self.sites[site].take_core(&mut self.random) {
            self.give_core(task);
        }
    }

    fn give_core(&mut self, task: TaskId) {
        let quantum = self.sites[self.tasks[task].site].service.server.quantum;
        let burst = self.tasks[task].work.min(quantum);
        self.tasks[task].work -= burst;
        self.at(burst, What::Burst(task));
    }

    fn burst(&mut self, id: TaskId) {
        let site = self.tasks[id].site;
        if self.tasks[id].work > 0 {
            if !self.sites[site].is_contended() {
                return self.give_core(id);
            }
            self.sites[site].make_ready(id);
        } else if self.go_on(id) {
            return;
        }
        self.sites[site].free_core();
        self.dispatch(site);
    }

    /// Does what comes next. True if that needs the core that the task has, false if it waits or is done.
    fn go_on(&mut self, id: TaskId) -> bool {
        if let Stage::Send(flight) = self.tasks[id].stage {
            self.tasks[id].stage = Stage::Run;
            self.send(flight);
            return false;
        }
        let (site, request, worker) = {
            let task = &self.tasks[id];
            (task.site, task.request, task.worker)
        };
        loop {
            match self.tasks[id].ops.next() {
                Some(Op::Work(work)) => {
                    self.tasks[id].work = work;
                    self.give_core(id);
                    return true;
                }
                Some(Op::Wait(wait)) => {
                    let server = &self.sites[site].service.server;
                    let wake = server.wake.draw(&mut self.random);
                    self.tasks[id].work = server.resume.draw(&mut self.random);
                    self.at(wait + wake, What::Ready(id));
                    return false;
                }
                Some(Op::Call { callee, fails }) => {
                    self.call(id, callee, fails);
                    return false;
                }
                Some(Op::Head) => {
                    if let Some(request) = request {
                        self.respond_head(request);
                    }
                }
                Some(Op::Detach(ops)) => {
                    let task = self.task(site, request, worker, ops, Then::Nothing);
                    self.wake(task);
                }
                Some(Op::All(branches)) => {
                    self.tasks[id].children = branches.len();
                    for ops in branches {
                        let task = self.task(site, request, worker, ops, Then::Join(id));
                        self.wake(task);
                    }
                    return false;
                }
                None => {
                    match (self.tasks[id].then, request) {
                        (Then::Respond, Some(request)) => self.respond(request, worker),
                        (Then::Join(parent), _) => {
                            self.tasks[parent].children -= 1;
                            if self.tasks[parent].children == 0 {
                                self.wake(parent);
                            }
                        }
                        (Then::Respond | Then::Nothing, _) => {}
                    }
                    return false;
                }
            }
        }
    }

    /// What runs goes on to its end: a pause begins where the program can be stopped.
    fn pause(&mut self, site: usize, paused: bool) {
        let Some((every, length)) = self.sites[site].service.server.pauses else {
            return;
        };
        self.sites[site].pause(paused);
        self.dispatch(site);
        let next = if paused { length } else { every };
        let after = next.draw(&mut self.random);
        self.at(
            after,
            What::Pause {
                site,
                paused: !paused,
            },
        );
    }

    fn timer(&mut self, site: usize, timer: usize) {
        let service = self.sites[site].service;
        let spec = &service.timers[timer];
        if self.now > 0 {
            let ops = plan(&spec.steps, &service.callees, &mut self.random);
            let task = self.task(site, None, 0, ops, Then::Nothing);
            self.wake(task);
        }
        let every = spec.every.draw(&mut self.random);
        self.at(every, What::Timer { site, timer });
    }

    // Outbound.

    /// A task wants to make a call: at once by a connection that is there, or when a new one is.
    fn call(&mut self, task: TaskId, callee: usize, fails: bool) {
        let (site, worker) = (self.tasks[task].site, self.tasks[task].worker);
        let service = self.sites[site].service;
        let process = if service.server.processes { worker } else { 0 };
        let pool = self.sites[site].pools.entry((process, callee)).or_default();
        let kept = match service.callees[callee].transport {
            Transport::PerCall => None,
            Transport::Pooled => pool.pop(),
            Transport::Multiplexed => pool.first().copied(),
        };
        let connection = kept.unwrap_or_else(|| self.new_connection());
        if kept.is_none() && service.callees[callee].transport == Transport::Multiplexed {
            let pool = self.sites[site].pools.entry((process, callee)).or_default();
            pool.push(connection);
        }
        self.find_owner(site, connection, worker);
        let flight = self.flights.len();
        self.flights.push(Flight {
            task,
            callee,
            connection,
            number: 0,
            fails,
        });
        if service.server.executor.is_some() {
            self.tasks[task].stage = Stage::Send(flight);
            if self.sites[site].take_executor(task) {
                self.wake(task);
            }
        } else if kept.is_some() {
            self.send(flight);
        } else {
            self.tasks[task].stage = Stage::Send(flight);
            let server = &service.server;
            self.tasks[task].work = server.resume.draw(&mut self.random);
            let after = server.connect.draw(&mut self.random) + server.wake.draw(&mut self.random);
            self.at(after, What::Ready(task));
        }
    }

    fn send(&mut self, flight: FlightId) {
        let hop = self.hop();
        self.at(hop, What::Leave(flight));
    }

    fn leave(&mut self, id: FlightId) {
        let (task, callee, connection) = {
            let flight = &self.flights[id];
            (flight.task, flight.callee, flight.connection)
        };
        let (site, request) = (self.tasks[task].site, self.tasks[task].request);
        let service = self.sites[site].service;
        let echo = service.callees[callee].echo;
        let carried = request.map(|request| self.requests[request].carried);
        let mut tokens: Vec<Token> = match carried {
            Some(carried) => carried.outbound(callee, echo, &mut self.random),
            None => values::background(&service.values, callee, &mut self.random),
        };
        tokens.extend(self.sites[site].access_token.map(values::access));
        let connection = self.number(site, connection);
        let recording = &mut self.sites[site].recording;
        let number = recording.log.next_call();
        self.flights[id].number = number;
        let parent = request.map(|request| self.requests[request].number);
        recording.truth.parents.push(parent);
        let owner_tells = service.server.processes && service.owners_visible;
        let signed = owner_tells || carried.is_some_and(|carried| carried.echoes(echo));
        recording.truth.signed.push(parent.is_some() && signed);
        let tokens = recording.log.keep(tokens);
        let event = Event::Call {
            call: number,
            callee: callee as u64 + 1,
            connection,
            forwarded: None,
            tokens,
        };
        self.log(site, event);
        match service.callees[callee].target {
            _ if self.flights[id].fails => {
                let soon = NETWORK.draw(&mut self.random);
                self.at(2 * soon, What::Answer(id));
            }
            Target::Backend(span) => {
                let done = f64::from(self.arrived) / f64::from(self.wanted);
                let slower = self.workload.drift.powf(done);
                let after = span.times(slower).draw(&mut self.random);
                self.at(after, What::Answer(id));
            }
            Target::Service(site, route) => {
                let network = NETWORK.draw(&mut self.random);
                let from = Some(id);
                self.at(network, What::Head { site, route, from });
            }
        }
    }

    fn answer(&mut self, id: FlightId) {
        let task = self.flights[id].task;
        let (site, request) = (self.tasks[task].site, self.tasks[task].request);
        let introduced = self.random.number();
        if let Some(request) = request {
            self.requests[request].carried.introduced = Some(introduced);
        }
        let place = &mut self.sites[site];
        if place.service.values.shared_access_token && self.random.chance(0.002) {
            place.access_token = Some(introduced);
        }
        let log = &mut place.recording.log;
        let tokens = log.keep(values::response(self.now, introduced));
        let call = self.flights[id].number;
        self.log(site, Event::Answered { call, tokens });
        let body = BODY.draw(&mut self.random);
        self.at(body, What::EndCall(id));
    }

    fn end_call(&mut self, id: FlightId) {
        let (call, callee, connection, site) = {
            let flight = &self.flights[id];
            let site = self.tasks[flight.task].site;
            (flight.number, flight.callee, flight.connection, site)
        };
        self.log(site, Event::EndCall { call });
        if self.sites[site].service.callees[callee].transport == Transport::PerCall {
            let connection = self.number(site, connection);
            self.log(site, Event::Closed { connection });
        }
        let hop = self.hop();
        self.at(hop, What::Back(id));
    }

    fn back(&mut self, id: FlightId) {
        let (task, callee, connection) = {
            let flight = &self.flights[id];
            (flight.task, flight.callee, flight.connection)
        };
        let (site, worker) = (self.tasks[task].site, self.tasks[task].worker);
        let service = self.sites[site].service;
        if service.callees[callee].transport == Transport::Pooled {
            let process = if service.server.processes { worker } else { 0 };
            let pool = self.sites[site].pools.entry((process, callee)).or_default();
            pool.push(connection);
        }
        if service.server.executor.is_some()
            && let Some(next) = self.sites[site].free_executor()
        {
            self.wake(next);
        }
        self.wake(task);
    }
}
