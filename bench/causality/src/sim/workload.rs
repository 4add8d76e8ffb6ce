//! What a simulated system is: services, what their routes do, whom they call, and what their messages carry.

use crate::random::Span;

/// Services that call each other, and how they are used. The first one is called from outside.
#[derive(Clone, Debug)]
pub struct Workload {
    /// What is special about it.
    pub name: &'static str,
    /// The services; indices into this list stand in [`Target::Service`].
    pub services: Vec<Service>,
    /// How many requests the first service shall have in flight on average.
    pub in_flight: f64,
    /// The most requests that come at almost the same time, of one user, as a browser makes them for a page; 1 for none.
    pub burst: usize,
    /// How many requests come from outside.
    pub requests: u32,
    /// By which factor backends become slower, evenly over the whole run; 1 for none.
    pub drift: f64,
    /// What all randomness starts from.
    pub seed: u64,
}

/// A program with a sidecar.
#[derive(Clone, Debug)]
pub struct Service {
    /// How it runs its requests.
    pub server: Server,
    /// What it does when called; weights say how often from outside.
    pub routes: Vec<Route>,
    /// Whom it calls.
    pub callees: Vec<Callee>,
    /// What it does by itself.
    pub timers: Vec<Timer>,
    /// By what connections it is called.
    pub inbound: Transport,
    /// What its requests and calls carry besides.
    pub values: Values,
    /// Whether the sidecar can find out which process holds a connection.
    pub owners_visible: bool,
}

/// How a program runs what it has to do. See [`Server::asyncio`] and its sisters for what each stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Server {
    /// As the report has it.
    pub name: &'static str,
    /// How many things can run at a time.
    pub cores: u32,
    /// Whether what is ready first runs first, rather than any of what is ready.
    pub in_order: bool,
    /// The longest that something runs while others are ready, in nanoseconds.
    pub quantum: u64,
    /// From being woken to being ready: what the operating system's scheduler takes.
    pub wake: Span,
    /// CPU time to take up a request or a response, besides what the program does with it.
    pub resume: Span,
    /// How many requests are worked on at a time; further ones wait, in order, although the sidecar has seen them.
    pub workers: Option<u32>,
    /// Whether each worker is a process with connections of its own.
    pub processes: bool,
    /// Calls are made by a second pool of so many threads, for which they wait in order.
    pub executor: Option<u32>,
    /// How often everything stands still, and for how long: the garbage collector.
    pub pauses: Option<(Span, Span)>,
    /// Until a new connection is there. In Node it goes by a pool of threads that resolves names.
    pub connect: Span,
}

/// What is done for one kind of request.
#[derive(Clone, Debug)]
pub struct Route {
    /// How often it is called from outside, relative to the others.
    pub weight: f64,
    /// Until its body is complete; none if it comes with the head.
    pub upload: Option<Span>,
    /// Whether it is taken up before its body is complete.
    pub streams: bool,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// One thing that a program does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Uses a core.
    Work(Span),
    /// Waits for something that is not seen: a disk, a lock, a database.
    Wait(Span),
    /// Makes a call and waits for it, by index into [`Service::callees`].
    Call(usize),
    /// Does all of these at a time and waits for all.
    All(Vec<Vec<Step>>),
    /// Sends the response's head now, and the rest at the end.
    Head,
    /// Does these beside the rest; the response does not wait for them.
    Detach(Vec<Step>),
    /// Does these one to so many times, each number as often.
    Repeat(usize, Vec<Step>),
    /// Does these in this share of cases.
    Maybe(f64, Vec<Step>),
}

/// Someone who is called, in one way.
#[derive(Clone, Copy, Debug)]
pub struct Callee {
    /// Who answers.
    pub target: Target,
    /// By what connections.
    pub transport: Transport,
    /// Which values of the request its calls carry.
    pub echo: Echo,
    /// In what share of cases it fails at once and is called again after a pause, up to twice.
    pub fails: f64,
}

/// Who answers a call.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Someone without a sidecar, after this time.
    Backend(Span),
    /// Another service of the workload, by index, with one of its routes.
    Service(usize, usize),
}

/// How requests share connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP/1.1, kept: each carries one exchange at a time, and the last one used is used first.
    Pooled,
    /// HTTP/1.1, one for each exchange.
    PerCall,
    /// HTTP/2: one for all.
    Multiplexed,
}

/// Which values a call carries that the request that caused it carries or was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// None.
    Nothing,
    /// `x-request-id`, which is the request's own.
    RequestId,
    /// The user's session, which several requests in flight may share.
    Session,
    /// An identifier from the path, which several requests in flight may share.
    PathId,
    /// An identifier that the response of the previous call brought.
    Introduced,
}

/// What messages carry that makes it harder, or only seems to make it easier.
#[derive(Clone, Copy, Debug)]
pub struct Values {
    /// How many users there are.
    pub users: usize,
    /// How many things there are that paths name; the first ones are asked for most.
    pub things: usize,
    /// Background calls name things too.
    pub timers_name_things: bool,
    /// The service asks for an access token in one request's call, and then sends it with calls of all requests.
    pub shared_access_token: bool,
}

/// What a program does by itself, again and again.
#[derive(Clone, Debug)]
pub struct Timer {
    /// From one time to the next.
    pub every: Span,
    /// What it does.
    pub steps: Vec<Step>,
}

const MICROS: f64 = 1e3;
const MILLIS: f64 = 1e6;

impl Server {
    /// Python's asyncio: one thread, what is ready runs in order and to its next `await`.
    ///
    /// Left out: a callback takes two turns of the loop to reach its coroutine, which keeps the order.
    pub const fn asyncio() -> Self {
        Self {
            name: "asyncio",
            cores: 1,
            in_order: true,
            quantum: u64::MAX,
            wake: Span::Fixed(5.0 * MICROS),
            resume: Span::LogNormal(60.0 * MICROS, 0.3),
            workers: None,
            processes: false,
            executor: None,
            pauses: None,
            connect: Span::LogNormal(150.0 * MICROS, 0.3),
        }
    }

    /// Node.js: as asyncio, with less work for each callback, and pauses of a few milliseconds; new connections wait for
    /// names, which four threads resolve in any order.
    pub const fn node() -> Self {
        Self {
            name: "node",
            resume: Span::LogNormal(25.0 * MICROS, 0.3),
            connect: Span::LogNormal(250.0 * MICROS, 0.6),
            pauses: Some((
                Span::Exponential(300.0 * MILLIS),
                Span::LogNormal(2.0 * MILLIS, 0.5),
            )),
            ..Self::asyncio()
        }
    }

    /// Python threads: as many as there are requests, of which one runs at a time, any of those that are ready, for at
    /// most 5 ms if others want to (`sys.getswitchinterval`).
    pub const fn threads() -> Self {
        Self {
            name: "threads",
            cores: 1,
            in_order: false,
            quantum: 5_000_000,
            wake: Span::LogNormal(40.0 * MICROS, 0.8),
            resume: Span::LogNormal(80.0 * MICROS, 0.3),
            workers: None,
            processes: false,
            executor: None,
            pauses: None,
            connect: Span::LogNormal(150.0 * MICROS, 0.5),
        }
    }

    /// gunicorn's sync workers: eight processes with one request each; the others wait to be accepted.
    pub const fn prefork() -> Self {
        Self {
            name: "prefork",
            cores: 4,
            in_order: false,
            quantum: 3_000_000,
            wake: Span::LogNormal(40.0 * MICROS, 0.8),
            resume: Span::LogNormal(80.0 * MICROS, 0.3),
            workers: Some(8),
            processes: true,
            executor: None,
            pauses: None,
            connect: Span::LogNormal(150.0 * MICROS, 0.5),
        }
    }

    /// Go: a goroutine for each request on four cores, run in no order that can be relied on, preempted after 10 ms.
    pub const fn go() -> Self {
        Self {
            name: "go",
            cores: 4,
            in_order: false,
            quantum: 10_000_000,
            wake: Span::LogNormal(10.0 * MICROS, 0.8),
            resume: Span::LogNormal(20.0 * MICROS, 0.3),
            workers: None,
            processes: false,
            executor: None,
            pauses: None,
            connect: Span::LogNormal(100.0 * MICROS, 0.5),
        }
    }

    /// A Java servlet container: a pool of 32 threads on four cores, which all stop for the garbage collector.
    pub const fn java() -> Self {
        Self {
            name: "java",
            cores: 4,
            in_order: false,
            quantum: 3_000_000,
            wake: Span::LogNormal(30.0 * MICROS, 0.8),
            resume: Span::LogNormal(30.0 * MICROS, 0.4),
            workers: Some(32),
            processes: false,
            executor: None,
            pauses: Some((
                Span::Exponential(800.0 * MILLIS),
                Span::LogNormal(8.0 * MILLIS, 0.6),
            )),
            connect: Span::LogNormal(120.0 * MICROS, 0.5),
        }
    }

    /// As [`Server::java`], where a second pool of four threads makes the calls, so that they leave in the order in which
    /// they got there.
    pub const fn java_executor() -> Self {
        Self {
            name: "java-executor",
            executor: Some(4),
            ..Self::java()
        }
    }

    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::asyncio(),
        Self::node(),
        Self::threads(),
        Self::prefork(),
        Self::go(),
        Self::java(),
        Self::java_executor(),
    ];
}

/// Milliseconds in nanoseconds.
pub const fn millis(millis: f64) -> f64 {
    millis * MILLIS
}
