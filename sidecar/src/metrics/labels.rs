//! The values that labels take: closed sets.

use causality::{Certainty, Method};

use crate::record::Link;
use crate::tap::End;

/// How many ways there are to find a parent, and not to.
pub(super) const LINKS: usize = 2 * Method::ALL.len() + 1;

/// Where a way stands in [`link_labels`]: the exact ones, the inferred ones, and those without a parent.
pub(super) fn link_index(link: Link) -> usize {
    const METHODS: usize = Method::ALL.len();
    match link {
        Link::Propagated => Method::Propagated as usize,
        Link::Found(Certainty::Exact, method) => method as usize,
        // what is propagated is not inferred
        Link::Found(Certainty::Inferred(_), method) => METHODS - 1 + method as usize,
        Link::Unknown(_) => 2 * METHODS - 1,
        Link::Provisional => 2 * METHODS,
    }
}

/// The kind and method of each way, as labels have them.
pub(super) fn link_labels() -> [[&'static str; 2]; LINKS] {
    let found = |certainty| {
        let methods = Method::ALL
            .into_iter()
            .filter(|method| *method != Method::Propagated);
        methods.map(move |method| Link::Found(certainty, method))
    };
    let all = [Link::Propagated, Link::Unknown(None), Link::Provisional]
        .into_iter()
        .chain(found(Certainty::Exact))
        .chain(found(Certainty::Inferred(0.0)));
    let mut labels = [["", ""]; LINKS];
    for link in all {
        let method = match link {
            Link::Propagated => Method::Propagated.name(),
            Link::Found(_, method) => method.name(),
            Link::Unknown(_) | Link::Provisional => "none",
        };
        if let Some(place) = labels.get_mut(link_index(link)) {
            *place = [link.kind(), method];
        }
    }
    labels
}

/// Which way a connection goes, seen from the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the pod: its requests become SERVER spans.
    Inbound,
    /// Out of the pod: its requests become CLIENT spans.
    Outbound,
}

impl Direction {
    /// Both of them.
    pub(super) const BOTH: [Self; 2] = [Self::Inbound, Self::Outbound];

    /// What belongs to this one of a pair in the order of `BOTH`.
    pub(super) fn of<T>(self, pair: &[T; 2]) -> &T {
        let [inbound, outbound] = pair;
        match self {
            Self::Inbound => inbound,
            Self::Outbound => outbound,
        }
    }

    /// As it stands in labels and log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Why a connection could not be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The destination did not accept it.
    Dial,
    /// It is not known where it was going.
    NoDestination,
    /// It was made to the sidecar itself.
    Loop,
}

impl Refusal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dial => "dial",
            Self::NoDestination => "no_destination",
            Self::Loop => "loop",
        }
    }
}

/// Why a request that was seen has no span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrecorded {
    /// Its trace is not sampled.
    NotSampled,
    /// It is a probe that succeeded.
    Probe,
    /// There is no collector to send spans to.
    NoCollector,
    /// More requests were open on its connection than are remembered.
    TooManyOpen,
}

impl Unrecorded {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [
        Self::NotSampled,
        Self::Probe,
        Self::NoCollector,
        Self::TooManyOpen,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotSampled => "not_sampled",
            Self::Probe => "probe",
            Self::NoCollector => "no_collector",
            Self::TooManyOpen => "too_many_open",
        }
    }
}

/// How a request ended, in one word. The order is that of `OUTCOMES`.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    Informational,
    Success,
    Redirection,
    ClientError,
    ServerError,
    Other,
    ClientReset,
    ServerReset,
    Refused,
    Unseen,
    Cancelled,
}

/// Their names.
pub(super) const OUTCOMES: [&str; 11] = [
    "1xx",
    "2xx",
    "3xx",
    "4xx",
    "5xx",
    "other",
    "client_reset",
    "server_reset",
    "refused",
    "unseen",
    "cancelled",
];

impl Outcome {
    /// From how the exchange ended, and the status if there was one.
    pub(super) fn of(end: Option<End>, status: Option<u16>) -> Self {
        match (end, status) {
            (None, _) => Self::Cancelled,
            (Some(End::ClientReset), _) => Self::ClientReset,
            (Some(End::ServerReset), _) => Self::ServerReset,
            (Some(End::Refused), _) => Self::Refused,
            (Some(End::Unseen), _) => Self::Unseen,
            (Some(End::Complete | End::Upgraded), Some(status)) => match status {
                100..=199 => Self::Informational,
                200..=299 => Self::Success,
                300..=399 => Self::Redirection,
                400..=499 => Self::ClientError,
                500..=599 => Self::ServerError,
                _ => Self::Other,
            },
            (Some(End::Complete | End::Upgraded), None) => Self::Other,
        }
    }
}
