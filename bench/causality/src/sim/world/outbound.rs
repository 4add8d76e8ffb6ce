//! Calls, from a task that wants to make one to the same task with the answer.
#![allow(
    clippy::indexing_slicing,
    reason = "every index is one that the world gave out; nothing here comes from the wire"
)]

use causality::Token;

use super::{BODY, Flight, FlightId, NETWORK, Stage, What, World};
use crate::log::Event;
use crate::sim::site::TaskId;
use crate::sim::values;
use crate::sim::workload::{Target, Transport};

impl World<'_> {
    /// A task wants to make a call: at once by a connection that is there, or when a new one is.
    pub(super) fn call(&mut self, task: TaskId, callee: usize, fails: bool) {
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

    pub(super) fn send(&mut self, flight: FlightId) {
        let hop = self.hop();
        self.at(hop, What::Leave(flight));
    }

    pub(super) fn leave(&mut self, id: FlightId) {
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

    pub(super) fn answer(&mut self, id: FlightId) {
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

    pub(super) fn end_call(&mut self, id: FlightId) {
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

    pub(super) fn back(&mut self, id: FlightId) {
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
