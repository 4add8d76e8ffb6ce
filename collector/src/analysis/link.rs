//! How a span's parent was found, as its sidecar says it.

use std::sync::Arc;

use otlp::model::{Attributes, Scalar, Span};

/// The attribute that holds a link's kind.
pub const KIND: &str = "meshtrace.link.kind";
/// The attribute that holds how sure an inferred link is, above 0 and below 1.
pub const CONFIDENCE: &str = "meshtrace.link.confidence";
/// The attribute that holds how a link was found.
pub const METHOD: &str = "meshtrace.link.method";
/// The attribute that holds why there is none.
pub const REASON: &str = "meshtrace.link.reason";
/// The attribute that holds the dialect of the headers in which the context came.
pub const DIALECT: &str = "meshtrace.link.dialect";

/// The kinds of links. A closed set: it labels metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LinkKind {
    /// The request carried its context.
    Propagated,
    /// It carried none, and its parent cannot be another one.
    Exact,
    /// It carried none, and its parent is the right one with some confidence.
    Inferred,
    /// It carried none, and its parent is not known.
    Unknown,
}

impl LinkKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Propagated, Self::Exact, Self::Inferred, Self::Unknown];

    /// As attributes, labels and JSON have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Propagated => "propagated",
            Self::Exact => "exact",
            Self::Inferred => "inferred",
            Self::Unknown => "unknown",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What a sidecar says of a span's parent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link<'a> {
    /// How it was found, in a word.
    pub kind: LinkKind,
    /// How probably it is the right one: 1 unless it was inferred.
    pub confidence: f64,
    /// How it was found, more precisely.
    pub method: Option<&'a str>,
    /// Why it is not known.
    pub reason: Option<&'a str>,
    /// In which headers it came.
    pub dialect: Option<&'a str>,
}

/// What the span says of its parent; none if it was made by something else than a sidecar.
pub fn link(span: &impl Attributes) -> Option<Link<'_>> {
    let kind = LinkKind::parse(span.text(KIND)?)?;
    let confidence = match kind {
        LinkKind::Inferred => confidence(span.scalar(CONFIDENCE)),
        LinkKind::Propagated | LinkKind::Exact | LinkKind::Unknown => 1.0,
    };
    Some(Link {
        kind,
        confidence,
        method: span.text(METHOD),
        reason: span.text(REASON),
        dialect: span.text(DIALECT),
    })
}

/// The probability that all links of these spans are right: the product of their confidences.
pub fn product<'a>(spans: impl IntoIterator<Item = &'a Span>) -> f64 {
    let links = spans.into_iter().filter_map(link);
    links.map(|link| link.confidence).product()
}

/// Takes their parents from the spans whose parents were inferred.
pub fn cut_inferred(spans: &mut [Arc<Span>]) {
    let is_inferred = |span: &Span| link(span).is_some_and(|link| link.kind == LinkKind::Inferred);
    for span in spans.iter_mut().filter(|span| is_inferred(span)) {
        Arc::make_mut(span).parent_id = None;
    }
}

/// An inference that does not say how sure it is, or says nonsense, is not sure at all.
fn confidence(value: Option<Scalar<'_>>) -> f64 {
    match value {
        Some(Scalar::Double(confidence)) if (0.0..=1.0).contains(&confidence) => confidence,
        Some(Scalar::Int(1)) => 1.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::*;

    #[test]
    fn a_traces_confidence_is_the_product_of_its_inferences() {
        let spans = [
            span("a", 1, 1),
            span("a", 1, 2).with(linked("exact", 0.2)),
            span("a", 1, 3).with(linked("inferred", 0.5)),
            span("a", 1, 4).with(linked("inferred", 0.25)),
            span("a", 1, 5).with(linked("unknown", 0.0)),
        ];
        assert!((product(&spans) - 0.125).abs() < 1e-12);
        assert!((product(&spans[..1]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn an_inference_that_does_not_say_how_sure_it_is_counts_as_not_sure_at_all() {
        for wrong in [f64::NAN, -0.1, 1.1] {
            let span = span("a", 1, 1).with(linked("inferred", wrong));
            assert_eq!(link(&span).unwrap().confidence, 0.0);
        }
        let none = span("a", 1, 1).with(|span| span.attributes.push(text(KIND, "inferred")));
        assert_eq!(link(&none).unwrap().confidence, 0.0);
        let other = span("a", 1, 1).with(|span| span.attributes.push(text(KIND, "guessed")));
        assert_eq!(link(&other), None);
    }
}
