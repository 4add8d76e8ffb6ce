//! What one sidecar saw, and, beside it, what was true.
//!
//! Methods are given a [`Log`] and nothing else. Its requests, calls and connections are numbered in the order in which
//! they first appear in it, so that no number can tell what caused what; [`Truth`] never goes where they can read it.

use causality::{Nanos, Process, Token, Trace};

/// A slice of [`Log::tokens`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    start: u32,
    len: u32,
}

/// Something that the sidecar sees; the methods of [`causality::Engine`] have the same names and meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are those of causality::Inbound and Outbound")]
pub enum Event {
    Begin {
        request: u32,
        route: u64,
        connection: u64,
        trace: Trace,
        tokens: Tokens,
    },
    BodyComplete {
        request: u32,
    },
    Responded {
        request: u32,
    },
    End {
        request: u32,
    },
    Call {
        call: u32,
        callee: u64,
        connection: u64,
        forwarded: Option<Trace>,
        tokens: Tokens,
    },
    Answered {
        call: u32,
        tokens: Tokens,
    },
    EndCall {
        call: u32,
    },
    Owned {
        connection: u64,
        process: Process,
    },
    Closed {
        connection: u64,
    },
}

/// All that one sidecar saw, in the order in which it happened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// Each with its moment.
    pub events: Vec<(Nanos, Event)>,
    tokens: Vec<Token>,
    /// How many inbound requests there are; they are numbered from 0.
    pub requests: u32,
    /// How many outbound calls there are; they are numbered from 0.
    pub calls: u32,
}

impl Log {
    /// Keeps the values of one message.
    pub fn keep(&mut self, tokens: impl IntoIterator<Item = Token>) -> Tokens {
        let start = self.tokens.len();
        self.tokens.extend(tokens);
        Tokens {
            start: start as u32,
            len: (self.tokens.len() - start) as u32,
        }
    }

    /// The values of one message.
    pub fn tokens(&self, tokens: Tokens) -> &[Token] {
        let start = tokens.start as usize;
        self.tokens
            .get(start..start + tokens.len as usize)
            .unwrap_or_default()
    }

    /// Adds what happened next.
    pub fn add(&mut self, now: Nanos, event: Event) {
        self.events.push((now, event));
    }

    /// The number of the next inbound request.
    pub fn next_request(&mut self) -> u32 {
        self.requests += 1;
        self.requests - 1
    }

    /// The number of the next outbound call.
    pub fn next_call(&mut self) -> u32 {
        self.calls += 1;
        self.calls - 1
    }
}

/// What was true of one sidecar's log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// For each outbound call, the inbound request that caused it; none for background calls.
    pub parents: Vec<Option<u32>>,
    /// For each outbound call, whether more than its moment tells where it comes from: it carries a value of the request
    /// that caused it, or a process made it that has one request at a time and can be seen to hold its connections.
    pub signed: Vec<bool>,
    /// For each inbound request, the call that it is, seen from the other side: that service's index and the call's
    /// number. None where it came from outside.
    pub origins: Vec<Option<(usize, u32)>>,
}

/// One service's log with its truth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// What methods may see.
    pub log: Log,
    /// What they may not.
    pub truth: Truth,
}

impl Recording {
    /// As if all its requests came from outside.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.truth.origins.fill(None);
        self
    }
}
