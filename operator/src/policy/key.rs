//! What a policy can say, key by key: where it holds, which annotation says the same, and what is wrong with it.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;
use serde_json::{Value, json};
use span::Ratio;

use super::spec::TracePolicySpec;

/// A key of a policy. Of each, one policy has the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `mode`
    Mode,
    /// `edge`
    Edge,
    /// `sampling`
    Sampling,
    /// `propagate`
    Propagate,
    /// `propagateInferred`
    PropagateInferred,
    /// `requestId`
    RequestId,
    /// `redaction.query`
    RedactQuery,
    /// `captureHeaders`
    CaptureHeaders,
    /// `routes`
    Routes,
    /// `opaquePorts`
    OpaquePorts,
    /// `log`
    Log,
    /// `skip.inboundPorts`
    SkipInboundPorts,
    /// `skip.outboundPorts`
    SkipOutboundPorts,
    /// `skip.outboundCIDRs`
    SkipOutboundCidrs,
}

/// Where a key's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// To running sidecars, under this key of their configuration.
    Live(&'static str),
    /// Into pods when they are made.
    AtInjection,
}

impl Key {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Mode,
        Self::Edge,
        Self::Sampling,
        Self::Propagate,
        Self::PropagateInferred,
        Self::RequestId,
        Self::RedactQuery,
        Self::CaptureHeaders,
        Self::Routes,
        Self::OpaquePorts,
        Self::Log,
        Self::SkipInboundPorts,
        Self::SkipOutboundPorts,
        Self::SkipOutboundCidrs,
    ];

    /// As it stands in a policy's `spec`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Edge => "edge",
            Self::Sampling => "sampling",
            Self::Propagate => "propagate",
            Self::PropagateInferred => "propagateInferred",
            Self::RequestId => "requestId",
            Self::RedactQuery => "redaction.query",
            Self::CaptureHeaders => "captureHeaders",
            Self::Routes => "routes",
            Self::OpaquePorts => "opaquePorts",
            Self::Log => "log",
            Self::SkipInboundPorts => "skip.inboundPorts",
            Self::SkipOutboundPorts => "skip.outboundPorts",
            Self::SkipOutboundCidrs => "skip.outboundCIDRs",
        }
    }

    /// Where its value goes.
    pub fn holds(self) -> Holds {
        match self {
            Self::Mode => Holds::Live("mode"),
            Self::Edge => Holds::Live("edge"),
            Self::Sampling => Holds::Live("sampling"),
            Self::Propagate => Holds::Live("propagate"),
            Self::PropagateInferred => Holds::Live("propagate_inferred"),
            Self::RequestId => Holds::Live("request_id"),
            Self::RedactQuery => Holds::Live("redact_query"),
            Self::CaptureHeaders => Holds::Live("capture_headers"),
            Self::Routes => Holds::Live("routes"),
            Self::OpaquePorts => Holds::Live("opaque_ports"),
            Self::Log => Holds::Live("log"),
            Self::SkipInboundPorts | Self::SkipOutboundPorts | Self::SkipOutboundCidrs => Holds::AtInjection,
        }
    }

    /// The annotation that says the same and wins, behind its prefix.
    pub fn annotation(self) -> Option<&'static str> {
        match self {
            Self::Mode => Some("mode"),
            Self::Edge => Some("edge"),
            Self::Sampling => Some("sampling"),
            Self::Propagate => Some("propagate"),
            Self::CaptureHeaders => Some("capture-headers"),
            Self::OpaquePorts => Some("opaque-ports"),
            Self::Log => Some("log-level"),
            Self::SkipInboundPorts => Some("skip-inbound-ports"),
            Self::SkipOutboundPorts => Some("skip-outbound-ports"),
            Self::SkipOutboundCidrs => Some("skip-outbound-cidrs"),
            Self::PropagateInferred | Self::RequestId | Self::RedactQuery | Self::Routes => None,
        }
    }
}

impl TracePolicySpec {
    /// What it says under a key, as the sidecar's configuration has it, or, for what holds at injection, as a list of
    /// texts.
    pub fn said(&self, key: Key) -> Option<Value> {
        let skip = self.skip.as_ref();
        match key {
            Key::Mode => value(self.mode.as_ref()),
            Key::Edge => value(self.edge.as_ref()),
            Key::Sampling => value(self.sampling.as_ref()),
            Key::Propagate => value(self.propagate.as_ref()),
            Key::PropagateInferred => value(self.propagate_inferred.as_ref()),
            Key::RequestId => value(self.request_id.as_ref()),
            Key::RedactQuery => value(self.redaction.as_ref()?.query.as_ref()),
            Key::CaptureHeaders => value(self.capture_headers.as_ref()),
            Key::Routes => value(self.routes.as_ref()),
            Key::OpaquePorts => value(self.opaque_ports.as_ref()),
            Key::Log => value(self.log.as_ref()),
            Key::SkipInboundPorts => Some(ports(skip?.inbound_ports.as_deref()?)),
            Key::SkipOutboundPorts => Some(ports(skip?.outbound_ports.as_deref()?)),
            Key::SkipOutboundCidrs => value(skip?.outbound_cidrs.as_ref()),
        }
    }

    /// What is wrong with it that the API server did not see, each with its key and what is allowed. A policy with
    /// anything wrong counts for nothing.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(text) = &self.sampling
            && text.parse::<Ratio>().is_err()
        {
            problems.push(format!(
                "sampling: `{text}` is not a share, \"0\" to \"1\" or \"0%\" to \"100%\""
            ));
        }
        for key in [Key::SkipInboundPorts, Key::SkipOutboundPorts] {
            for text in texts(self.said(key)) {
                if inject::annotations::ports(&text).is_none() {
                    let name = key.name();
                    problems.push(format!(
                        "{name}: `{text}` is not a port, 1 to 65535, or a range such as `9000-9100`"
                    ));
                }
            }
        }
        for text in texts(self.said(Key::SkipOutboundCidrs)) {
            if inject::annotations::network(&text).is_none() {
                let name = Key::SkipOutboundCidrs.name();
                problems.push(format!(
                    "{name}: `{text}` is not an address, or a network such as `10.0.0.0/8` without bits behind its prefix"
                ));
            }
        }
        if let Some(text) = &self.log
            && let Err(error) = process::logs::check(text)
        {
            problems.push(format!("log: {error}"));
        }
        problems
    }
}

/// The items of a list of texts.
pub fn texts(list: Option<Value>) -> Vec<String> {
    let items = match list {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let text = |item: Value| item.as_str().map(str::to_owned);
    items.into_iter().filter_map(text).collect()
}

/// Every part of a policy is plain data, which always is a value.
fn value(said: Option<&impl Serialize>) -> Option<Value> {
    serde_json::to_value(said?).ok()
}

fn ports(said: &[IntOrString]) -> Value {
    let text = |port: &IntOrString| match port {
        IntOrString::Int(port) => port.to_string(),
        IntOrString::String(text) => text.clone(),
    };
    json!(said.iter().map(text).collect::<Vec<_>>())
}
