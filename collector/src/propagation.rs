//! The propagation report: how each workload's outbound calls got their parents, and what would make it better. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analysis::gaps::advice;
use crate::analysis::link::LinkKind;
use crate::live::Links;

/// From this share on, all of something is as good as all of it.
const NEARLY_ALL: f64 = 0.99;

/// What is said of one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Propagation {
    /// The workload.
    pub workload: String,
    /// All of its outbound calls.
    pub links: Links,
    /// What that means.
    pub verdict: Verdict,
    /// By whom it called, the most calls first.
    pub edges: Vec<(String, Links)>,
}

/// What a workload's links mean. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The application passes context on.
    Forwards,
    /// It does not, and its calls are joined all the same.
    Joined,
    /// Some calls stay without a known cause.
    Partly,
    /// All that has no cause was made on its own account.
    Background,
    /// It makes no calls.
    Silent,
}

impl Verdict {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forwards => "forwards",
            Self::Joined => "joined",
            Self::Partly => "partly",
            Self::Background => "background",
            Self::Silent => "silent",
        }
    }
}

/// The report on these calls, by caller and callee.
pub fn report(calls: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Links>>) -> Vec<Propagation> {
    let workloads = calls.into_iter().map(|(workload, callees)| {
        let mut links = Links::default();
        for of_callee in callees.values() {
            links.merge(of_callee);
        }
        let mut edges: Vec<_> = callees
            .into_iter()
            .map(|(callee, links)| (callee.to_string(), links))
            .collect();
        edges.sort_by_key(|(_, links)| Reverse(links.calls()));
        Propagation {
            workload: workload.to_string(),
            verdict: verdict(&links),
            links,
            edges,
        }
    });
    workloads.collect()
}

/// Calls without a cause that had one, as far as is known: not those that a program makes on its own account.
fn unexplained(links: &Links) -> u64 {
    let explained = ["background", "chosen"]
        .iter()
        .filter_map(|reason| links.details.get(&(LinkKind::Unknown, Arc::from(*reason))));
    links.of(LinkKind::Unknown).saturating_sub(explained.sum())
}

/// What these links mean.
pub fn verdict(links: &Links) -> Verdict {
    let unexplained = unexplained(links);
    let caused = links.calls() - links.of(LinkKind::Unknown) + unexplained;
    let share = |count: u64| count as f64 / caused as f64;
    if links.calls() == 0 {
        Verdict::Silent
    } else if caused == 0 {
        Verdict::Background
    } else if share(links.of(LinkKind::Propagated)) >= NEARLY_ALL {
        Verdict::Forwards
    } else if share(unexplained) > 1.0 - NEARLY_ALL {
        Verdict::Partly
    } else {
        Verdict::Joined
    }
}

/// What is so often said of links of that kind: dialects, methods or reasons, the most frequent first.
pub fn details(links: &Links, kinds: &[LinkKind]) -> Vec<(Arc<str>, u64)> {
    let mut counts: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for ((kind, detail), count) in &links.details {
        if kinds.contains(kind) {
            *counts.entry(Arc::clone(detail)).or_default() += count;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    counts
}

/// The mean confidence of those inferred.
pub fn mean_confidence(links: &Links) -> Option<f64> {
    let inferred = links.of(LinkKind::Inferred);
    (inferred > 0).then(|| (links.confidence / inferred as f64).clamp(0.0, 1.0))
}

impl Propagation {
    /// What is so, in words.
    pub fn text(&self) -> String {
        let links = &self.links;
        let of = |kind| links.of(kind);
        let counts = format!(
            "of {} calls {} carried a context, {} were joined exactly, {} by inference, and {} have no known cause",
            links.calls(),
            of(LinkKind::Propagated),
            of(LinkKind::Exact),
            of(LinkKind::Inferred),
            of(LinkKind::Unknown),
        );
        let meaning = match self.verdict {
            Verdict::Forwards => "the application passes context on",
            Verdict::Joined => "the application passes no context on, and its calls are joined all the same",
            Verdict::Partly => "some calls begin traces of their own",
            Verdict::Background => "what it calls, it calls on its own account",
            Verdict::Silent => return "it makes no calls".to_owned(),
        };
        format!("{meaning}: {counts}")
    }

    /// What would make it better, if anything would.
    pub fn fix(&self) -> Option<&'static str> {
        match self.verdict {
            Verdict::Forwards | Verdict::Background | Verdict::Silent => None,
            Verdict::Joined if self.links.of(LinkKind::Inferred) == 0 => None,
            Verdict::Joined => Some(
                "to make the inferred ones exact, have the application copy the traceparent header, or only x-request-id, \
                 from the request that it serves to the calls that it makes",
            ),
            Verdict::Partly => {
                let reasons = details(&self.links, &[LinkKind::Unknown]);
                let main = reasons
                    .iter()
                    .map(|(reason, _)| &**reason)
                    .find(|reason| !matches!(*reason, "background" | "chosen"));
                Some(advice(main))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(counts: [u64; 4], reasons: &[(&str, u64)]) -> Links {
        let details = reasons
            .iter()
            .map(|(reason, count)| ((LinkKind::Unknown, Arc::from(*reason)), *count));
        Links {
            counts,
            confidence: 0.99 * counts[2] as f64,
            details: details.collect(),
        }
    }

    #[test]
    fn a_verdict_says_what_links_mean() {
        for (counts, reasons, expected) in [
            ([0; 4], &[][..], Verdict::Silent),
            ([100, 0, 0, 0], &[], Verdict::Forwards),
            ([100, 0, 0, 50], &[("background", 50)], Verdict::Forwards),
            ([0, 60, 40, 0], &[], Verdict::Joined),
            ([0, 60, 40, 7], &[("background", 7)], Verdict::Joined),
            ([90, 5, 0, 5], &[("ambiguous", 5)], Verdict::Partly),
            ([0, 0, 0, 9], &[("background", 9)], Verdict::Background),
            ([0, 0, 0, 9], &[("background", 8)], Verdict::Partly),
        ] {
            assert_eq!(
                verdict(&links(counts, reasons)),
                expected,
                "{counts:?} {reasons:?}"
            );
        }
    }

    #[test]
    fn the_fix_is_that_of_the_most_frequent_reason_that_has_one() {
        let calls = BTreeMap::from([
            (
                Arc::from("ledger"),
                links(
                    [0, 10, 0, 12],
                    &[("background", 9), ("unseen", 2), ("ambiguous", 1)],
                ),
            ),
            (Arc::from("mail"), links([0, 20, 5, 0], &[])),
        ]);
        let report = report(BTreeMap::from([(Arc::from("bank"), calls)]));
        let bank = &report[0];
        assert_eq!(bank.verdict, Verdict::Partly);
        assert_eq!(bank.links.counts, [0, 30, 5, 12]);
        assert_eq!(bank.edges[0].0, "mail");
        assert!(bank.fix().unwrap().contains("TLS"), "{:?}", bank.fix());
        assert!(bank.text().contains("12 have no known cause"));
        assert!((mean_confidence(&bank.links).unwrap() - 0.99).abs() < 1e-9);
    }
}
