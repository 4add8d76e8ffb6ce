//! What is said of an outbound call's parent, and how it was found.

/// How the parent of an outbound call was found; `mesh.link.method` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// The application forwarded the context.
    Propagated,
    /// No other request was in flight, and calls of that kind are not made without one.
    Single,
    /// The call carries a value that, of the requests in flight, only this one carried or was given.
    Echo,
    /// The same process holds both connections, and has no other request in flight.
    Process,
    /// Of the requests in flight, only this one is at a stage in which it can make this call.
    Stage,
    /// It is by far the most probable, by what was learned of when which route calls what.
    Learned,
    /// It is so in by far the most probable assignment of all calls of a window to all its requests.
    Joint,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Propagated,
        Self::Single,
        Self::Echo,
        Self::Process,
        Self::Stage,
        Self::Learned,
        Self::Joint,
    ];

    /// As attributes and labels have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Propagated => "propagated",
            Self::Single => "single",
            Self::Echo => "echo",
            Self::Process => "process",
            Self::Stage => "stage",
            Self::Learned => "learned",
            Self::Joint => "joint",
        }
    }
}

/// How sure it is. There is no third kind: what is not known has no link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Certainty {
    /// It cannot be otherwise.
    Exact,
    /// It is right in this share of cases, above 0 and below 1.
    Inferred(f64),
}

impl Certainty {
    /// The share of cases in which it is right.
    pub fn confidence(self) -> f64 {
        match self {
            Self::Exact => 1.0,
            Self::Inferred(confidence) => confidence,
        }
    }
}

/// An outbound call's parent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link<P> {
    /// What the request that caused it was begun with.
    pub parent: P,
    /// How sure that is.
    pub certainty: Certainty,
    /// How it was found.
    pub method: Method,
}

/// Why an outbound call has no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unknown {
    /// No request was in flight that can have caused it: a timer, a refresh, a program that starts.
    Background,
    /// Several can have caused it, and none is probable enough.
    Ambiguous,
    /// Requests may have come in that cannot be seen.
    Unseen,
    /// More requests or calls were open at a time than are remembered.
    TooMany,
    /// Finding out would have taken more than the budget.
    Budget,
}

impl Unknown {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Background,
        Self::Ambiguous,
        Self::Unseen,
        Self::TooMany,
        Self::Budget,
    ];

    /// As attributes and labels have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Ambiguous => "ambiguous",
            Self::Unseen => "unseen",
            Self::TooMany => "too_many",
            Self::Budget => "budget",
        }
    }
}

/// What is said of an outbound call at the moment at which it leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision<P> {
    /// This is its parent; the call can carry its trace.
    Link(Link<P>),
    /// Nothing yet. Once its window has closed, [`crate::Engine::resolve`] says the last word.
    Open,
    /// Nothing, and nothing will be said later.
    Unknown(Unknown),
}

/// The last word on a call that was [`Decision::Open`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolved<P, C> {
    /// What the call was made with.
    pub call: C,
    /// Its parent, or why it has none.
    pub link: Result<Link<P>, Unknown>,
}
