//! Dialects: the ways in which a trace context travels in request headers.
//!
//! One file a dialect. Each says what its headers [carry](carried::Carried), and makes them say something else in
//! the shape they came in. None of them looks at another's headers: who wins is decided in one place, by [`Dialect`]'s
//! order.

pub(crate) mod b3;
pub(crate) mod carried;
pub(crate) mod datadog;
pub(crate) mod header;
pub(crate) mod headers;
pub(crate) mod jaeger;
pub(crate) mod opencensus;
pub(crate) mod opentracing;
mod set;
mod tracestate;
pub(crate) mod w3c;
pub(crate) mod xray;

use std::fmt;
use std::str::FromStr;

pub use set::DialectSet;
pub use tracestate::Tracestate;

/// A way to write a trace context into request headers.
///
/// The order is the order of precedence: the standard first, `b3` before `x-b3-*` as Zipkin has it, and last the two
/// that something between the services, a load balancer or a browser, may have added by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// `traceparent` and `tracestate`: W3C Trace Context level 2.
    W3c,
    /// `b3`: Zipkin's propagation in a single header.
    B3Single,
    /// `x-b3-traceid` and its companions: Zipkin's propagation in several headers.
    B3Multi,
    /// `uber-trace-id`: Jaeger's clients.
    Jaeger,
    /// `ot-tracer-traceid` and its companions: the basic tracers of OpenTracing.
    OpenTracing,
    /// `grpc-trace-bin`: OpenCensus' binary format, as gRPC carries it.
    OpenCensus,
    /// `x-amzn-trace-id`: AWS X-Ray and AWS load balancers.
    XRay,
    /// `x-datadog-trace-id` and its companions.
    Datadog,
}

impl Dialect {
    /// Every dialect, the one that wins first.
    pub const ALL: [Self; 8] = [
        Self::W3c,
        Self::B3Single,
        Self::B3Multi,
        Self::Jaeger,
        Self::OpenTracing,
        Self::OpenCensus,
        Self::XRay,
        Self::Datadog,
    ];

    /// The name in configuration and metrics: that of `OTEL_PROPAGATORS` where OpenTelemetry has one, except `w3c`.
    pub fn name(self) -> &'static str {
        match self {
            Self::W3c => "w3c",
            Self::B3Single => "b3",
            Self::B3Multi => "b3multi",
            Self::Jaeger => "jaeger",
            Self::OpenTracing => "ottrace",
            Self::OpenCensus => "opencensus",
            Self::XRay => "xray",
            Self::Datadog => "datadog",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no dialect's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a dialect: use one of {allowed}",
    allowed = Dialect::ALL.map(Dialect::name).join(", ")
)]
pub struct UnknownDialect(String);

impl FromStr for Dialect {
    type Err = UnknownDialect;

    /// From [`Dialect::name`]. OpenTelemetry's `tracecontext` is understood as `w3c`.
    fn from_str(name: &str) -> Result<Self, UnknownDialect> {
        match name {
            "tracecontext" => Ok(Self::W3c),
            _ => Self::ALL
                .into_iter()
                .find(|dialect| dialect.name() == name)
                .ok_or_else(|| UnknownDialect(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_is_found_by_its_name() {
        for dialect in Dialect::ALL {
            assert_eq!(dialect.name().parse(), Ok(dialect));
        }
        assert_eq!("tracecontext".parse(), Ok(Dialect::W3c));
    }

    #[test]
    fn an_unknown_name_is_told_what_is_allowed() {
        assert_eq!(
            "zipkin".parse::<Dialect>().unwrap_err().to_string(),
            "`zipkin` is not a dialect: use one of w3c, b3, b3multi, jaeger, ottrace, opencensus, xray, datadog"
        );
    }

    #[test]
    fn precedence_is_the_order_of_all() {
        assert!(Dialect::ALL.is_sorted());
    }
}
