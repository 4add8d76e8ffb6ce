//! What simulated messages carry. Besides the values that a workload is about, every message has the headers that every
//! message has: the same in all, or one of few, which must not be taken for a sign of anything.

use causality::Token;

use super::workload::{Echo, Values};
use crate::random::{Random, mix};

/// Where values stand: a number for each header, path segment or argument.
pub mod place {
    #![allow(missing_docs, reason = "they are those headers")]

    pub const HOST: u32 = 1;
    pub const USER_AGENT: u32 = 2;
    pub const ACCEPT: u32 = 3;
    pub const CONTENT_LENGTH: u32 = 4;
    pub const REQUEST_ID: u32 = 5;
    pub const SESSION: u32 = 6;
    pub const PATH: u32 = 7;
    pub const DATE: u32 = 8;
    pub const AUTHORIZATION: u32 = 9;
    pub const CORRELATION: u32 = 10;
    pub const BODY: u32 = 11;
    pub const FORWARDED_FOR: u32 = 12;
}

/// What values of one kind have in common, so that two kinds never have the same value by accident.
#[derive(Clone, Copy)]
enum Domain {
    Constant = 1,
    Length,
    Thing,
    User,
    Second,
    Address,
}

fn value(domain: Domain, number: u64) -> u64 {
    mix(mix(domain as u64).wrapping_add(number))
}

fn token(place: u32, value: u64) -> Token {
    Token { place, value }
}

/// The values of one inbound request that its calls may carry on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    pub(super) request_id: u64,
    pub(super) session: u64,
    thing: u64,
    /// What the last response that brought one brought.
    pub(super) introduced: Option<u64>,
}

/// A thing: the first of a list are asked for most.
fn thing(values: &Values, random: &mut Random) -> u64 {
    let share = random.unit() * random.unit();
    value(Domain::Thing, (share * values.things as f64) as u64)
}

/// A user's session.
pub(super) fn user(values: &Values, random: &mut Random) -> u64 {
    value(Domain::User, random.below(values.users) as u64)
}

impl Carried {
    /// A request's, drawn anew, but for the request id and the session that it brings.
    pub(super) fn draw(
        values: &Values,
        request_id: Option<u64>,
        session: Option<u64>,
        random: &mut Random,
    ) -> Self {
        Self {
            request_id: request_id.unwrap_or_else(|| random.number()),
            session: session.unwrap_or_else(|| user(values, random)),
            thing: thing(values, random),
            introduced: None,
        }
    }

    /// What an inbound request carries.
    pub(super) fn inbound(&self, now: u64, random: &mut Random) -> [Token; 8] {
        [
            token(place::HOST, value(Domain::Constant, 1)),
            token(
                place::USER_AGENT,
                value(Domain::Constant, 10 + random.below(4) as u64),
            ),
            token(place::ACCEPT, value(Domain::Constant, 20)),
            token(
                place::CONTENT_LENGTH,
                value(Domain::Length, random.below(60) as u64),
            ),
            token(
                place::FORWARDED_FOR,
                value(Domain::Address, mix(self.session) % 50 + now / 60_000_000_000),
            ),
            token(place::REQUEST_ID, self.request_id),
            token(place::SESSION, self.session),
            token(place::PATH, self.thing),
        ]
    }

    /// Whether a call for it carries a value of its own.
    pub(super) fn echoes(&self, echo: Echo) -> bool {
        match echo {
            Echo::Nothing => false,
            Echo::RequestId | Echo::Session | Echo::PathId => true,
            Echo::Introduced => self.introduced.is_some(),
        }
    }

    /// What a call for it carries.
    pub(super) fn outbound(&self, callee: usize, echo: Echo, random: &mut Random) -> Vec<Token> {
        let mut tokens = plain(callee, random);
        match echo {
            Echo::Nothing => {}
            Echo::RequestId => tokens.push(token(place::CORRELATION, self.request_id)),
            Echo::Session => tokens.push(token(place::SESSION, self.session)),
            Echo::PathId => tokens.push(token(place::PATH, self.thing)),
            Echo::Introduced => tokens.extend(self.introduced.map(|value| token(place::PATH, value))),
        }
        tokens
    }
}

/// What every call to a callee carries.
fn plain(callee: usize, random: &mut Random) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(8);
    tokens.push(token(place::HOST, value(Domain::Constant, 100 + callee as u64)));
    tokens.push(token(place::USER_AGENT, value(Domain::Constant, 30)));
    tokens.push(token(place::ACCEPT, value(Domain::Constant, 20)));
    tokens.push(token(
        place::CONTENT_LENGTH,
        value(Domain::Length, random.below(60) as u64),
    ));
    tokens
}

/// What a call that nothing caused carries: where the workload wants it, a thing's name.
pub(super) fn background(values: &Values, callee: usize, random: &mut Random) -> Vec<Token> {
    let mut tokens = plain(callee, random);
    if values.timers_name_things {
        tokens.push(token(place::PATH, thing(values, random)));
    }
    tokens
}

/// The access token that a service keeps and sends with all its calls.
pub(super) fn access(secret: u64) -> Token {
    token(place::AUTHORIZATION, secret)
}

/// What a response brings, with an identifier that has not been seen before.
pub(super) fn response(now: u64, introduced: u64) -> [Token; 3] {
    [
        token(place::DATE, value(Domain::Second, now / 1_000_000_000)),
        token(place::ACCEPT, value(Domain::Constant, 20)),
        token(place::BODY, introduced),
    ]
}
