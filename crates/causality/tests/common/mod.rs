//! A program that is served by one engine, and what is said of its calls.
#![allow(unreachable_pub)]

use causality::{
    Call, Callee, Connection, Decision, Engine, Inbound, Nanos, Outbound, Process, Request, Resolved, Route,
    Settings, Token, Trace,
};

pub const MILLI: Nanos = 1_000_000;
pub const SECOND: Nanos = 1_000 * MILLI;

/// An engine with a clock. Requests and calls are known by numbers of the test's own.
pub struct Pod {
    pub engine: Engine<u32, u32>,
    pub now: Nanos,
    connections: u64,
}

impl Pod {
    pub fn new() -> Self {
        Self {
            engine: Engine::new(Settings::default()),
            now: SECOND,
            connections: 0,
        }
    }

    pub fn wait(&mut self, nanos: Nanos) {
        self.now += nanos;
    }

    pub fn begin(&mut self, number: u32, route: u64, tokens: &[Token]) -> Request {
        self.connections += 1;
        let connection = Connection(self.connections);
        self.begin_by(number, route, tokens, connection)
    }

    pub fn begin_by(&mut self, number: u32, route: u64, tokens: &[Token], connection: Connection) -> Request {
        let inbound = Inbound {
            route: Route(route),
            connection,
            trace: Trace(u64::from(number)),
            tokens,
        };
        let request = self.engine.begin(self.now, inbound, number);
        self.engine.body_complete(self.now, &request);
        request
    }

    pub fn end(&mut self, request: Request) {
        self.engine.responded(self.now, &request);
        self.engine.end(self.now, request);
    }

    pub fn call(&mut self, number: u32, callee: u64, tokens: &[Token]) -> (Call, Decision<u32>) {
        self.connections += 1;
        let connection = Connection(self.connections);
        self.call_by(number, callee, tokens, connection)
    }

    pub fn call_by(
        &mut self,
        number: u32,
        callee: u64,
        tokens: &[Token],
        connection: Connection,
    ) -> (Call, Decision<u32>) {
        let outbound = Outbound {
            callee: Callee(callee),
            connection,
            forwarded: None,
            tokens,
        };
        self.engine.call(self.now, outbound, number)
    }

    pub fn forward(&mut self, number: u32, callee: u64, trace: u64) -> (Call, Decision<u32>) {
        let outbound = Outbound {
            callee: Callee(callee),
            connection: Connection(0),
            forwarded: Some(Trace(trace)),
            tokens: &[],
        };
        self.engine.call(self.now, outbound, number)
    }

    pub fn answer(&mut self, call: Call) {
        self.engine.answered(self.now, &call, &[]);
        self.engine.end_call(self.now, call);
    }

    pub fn own(&mut self, connection: u64, process: u32) {
        self.engine.owned(Connection(connection), Process(process));
    }

    pub fn resolve(&mut self) -> Vec<Resolved<u32, u32>> {
        self.engine.resolve(self.now).collect()
    }

    /// A request of this route alone, with these calls one after the other: 1 ms until each, 3 ms until its answer.
    pub fn alone(&mut self, route: u64, callees: &[u64]) {
        let request = self.begin(0, route, &[]);
        for callee in callees {
            self.wait(MILLI);
            let (call, _) = self.call(0, *callee, &[]);
            self.wait(3 * MILLI);
            self.answer(call);
        }
        self.wait(MILLI);
        self.end(request);
    }

    /// A program that has been seen at work for long: route 1 calls 1 and then 2, route 2 calls 3; nothing else happens.
    pub fn experienced() -> Self {
        let mut pod = Self::new();
        for _ in 0..1000 {
            pod.alone(1, &[1, 2]);
            pod.wait(200 * MILLI);
            pod.alone(2, &[3]);
            pod.wait(200 * MILLI);
        }
        pod.resolve();
        pod
    }
}

/// A value at a place.
pub fn token(place: u32, value: u64) -> Token {
    Token { place, value }
}
