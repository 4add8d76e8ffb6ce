//! The values that labels take: closed sets.

use crate::tap::End;

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
