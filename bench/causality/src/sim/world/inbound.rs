//! Requests, from the first byte that a sidecar sees to the last.
#![allow(
    clippy::indexing_slicing,
    reason = "every index is one that the world gave out; nothing here comes from the wire"
)]

use causality::{Nanos, Trace};

use super::{BODY, FlightId, NETWORK, Request, Then, WITHIN_BURST, What, World};
use crate::log::Event;
use crate::sim::plan::plan;
use crate::sim::site::RequestId;
use crate::sim::values::{self, Carried};
use crate::sim::workload::{Echo, Transport};

impl World<'_> {
    pub(super) fn arrive(&mut self) {
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

    pub(super) fn come(&mut self, session: u64) {
        let routes = &self.workload.services[0].routes;
        let weights: f64 = routes.iter().map(|route| route.weight).sum();
        let mut draw = self.random.unit() * weights;
        let route = routes.iter().position(|route| {
            draw -= route.weight;
            draw < 0.0
        });
        self.head(0, route.unwrap_or_default(), None, Some(session));
    }

    pub(super) fn head(&mut self, site: usize, route: usize, from: Option<FlightId>, session: Option<u64>) {
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
    pub(super) fn passed_on(&self, flight: FlightId) -> Option<u64> {
        let flight = &self.flights[flight];
        let task = &self.tasks[flight.task];
        let echo = self.sites[task.site].service.callees[flight.callee].echo;
        let request = &self.requests[task.request?];
        (echo == Echo::RequestId).then_some(request.carried.request_id)
    }

    /// A worker takes up a request.
    pub(super) fn start(&mut self, id: RequestId, worker: u32) {
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
    pub(super) fn respond_head(&mut self, id: RequestId) -> Nanos {
        if let Some(seen) = self.requests[id].head_seen {
            return seen;
        }
        let hop = self.hop();
        self.requests[id].head_seen = Some(self.now + hop);
        self.at(hop, What::Responded(id));
        self.now + hop
    }

    /// The response is sent to its end.
    pub(super) fn respond(&mut self, id: RequestId, worker: u32) {
        let head = self.respond_head(id);
        let rest = self.hop() + BODY.draw(&mut self.random);
        self.at(head.saturating_sub(self.now).max(rest) + 1, What::End(id));
        let site = self.requests[id].site;
        if let Some(next) = self.sites[site].free_worker(worker) {
            self.start(next, worker);
        }
    }

    pub(super) fn end(&mut self, id: RequestId) {
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
}
