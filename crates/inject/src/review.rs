//! From a document to a patch and a report, in order, for each of the callers: the webhook admits pods and workloads, the
//! command line injects manifests and takes it back.

use json_patch::Patch;
use serde_json::Value;

use crate::annotations::{self, Level, SKIPPED};
use crate::carry::carry;
use crate::decide::{Decision, Namespace, Question, Site, decide};
use crate::patch::{self, Writer};
use crate::pod::{Metadata, Pod, Texts};
use crate::reason::Reason;
use crate::report::{Outcome, Report};
use crate::workload::{Kind, Owner};

/// What to do with a document, and what there is to say about it.
#[derive(Clone, Debug)]
pub struct Review {
    /// What to change. Empty where it stays as it is.
    pub patch: Patch,
    /// What became of it.
    pub report: Report,
}

/// What the webhook answers for a pod that is being made, or a workload that is being made or changed (`old` is what it
/// was). Workloads only have their annotations carried into their template; their pods are decided about when they are
/// made.
///
/// A pod that asked for a sidecar and gets none says why in its annotation [`SKIPPED`]; but those of the cluster itself,
/// and those that mirror a static pod, are not touched even for that.
pub fn admit(kind: Kind, object: &Value, old: Option<&Value>, namespace: &Namespace, site: &Site) -> Review {
    if kind == Kind::Pod {
        let mut review = inject(kind, object, namespace, site);
        let reasons = &review.report.reasons;
        let told = reasons.iter().any(|reason| reason.is_worth_telling());
        let untouchable = [Reason::SystemNamespace, Reason::MirrorPod];
        let touched = told && !reasons.iter().any(|reason| untouchable.contains(reason));
        if review.report.outcome == Outcome::Skipped && touched {
            let names: Vec<&str> = reasons.iter().map(|reason| reason.name()).collect();
            let mut writer = Writer::new(object);
            writer.annotate("", &[(SKIPPED, names.join(","))]);
            review.patch = writer.finish();
        }
        return review;
    }
    let metadata = Metadata::of(object);
    let template = object
        .pointer(kind.template())
        .map(Metadata::of)
        .unwrap_or_default();
    let (_, problems) = annotations::read(&[
        (Level::Pod, &template.annotations),
        (Level::Workload, &metadata.annotations),
    ]);
    let (patch, outcome, reasons) = match carry(kind, object, old) {
        Ok(patch) if patch.is_empty() => (patch, Outcome::Left, Vec::new()),
        Ok(patch) => (patch, Outcome::Carried, Vec::new()),
        Err(reason) => (Patch::default(), Outcome::Left, vec![reason]),
    };
    let object = name(kind, &metadata, namespace);
    Review {
        patch,
        report: Report {
            object,
            outcome,
            reasons,
            problems,
            notes: Vec::new(),
        },
    }
}

/// Puts the sidecar into a pod, or into the template of a workload.
pub fn inject(kind: Kind, object: &Value, namespace: &Namespace, site: &Site) -> Review {
    let at = kind.template();
    let metadata = Metadata::of(object);
    let object_name = name(kind, &metadata, namespace);
    let Some(Ok(pod)) = object.pointer(at).map(Pod::read) else {
        return skipped(object_name, vec![Reason::Unreadable]);
    };
    let none = Texts::new();
    let (owner, workload) = match kind {
        Kind::Pod => (Owner::of(&pod), &none),
        _ if metadata.controller().is_some() => return skipped(object_name, vec![Reason::Owned]),
        kind => {
            let name = metadata.name.clone();
            (Some(Owner { kind, name }), &metadata.annotations)
        }
    };
    let answer = decide(&Question {
        pod: &pod,
        owner: owner.as_ref(),
        workload,
        namespace,
        site,
    });
    let (patch, outcome, reasons) = match answer.decision {
        Decision::Inject(plan) => (patch::inject(object, at, &plan), Outcome::Injected, Vec::new()),
        Decision::Skip(reasons) => (Patch::default(), Outcome::Skipped, reasons),
    };
    Review {
        patch,
        report: Report {
            object: object_name,
            outcome,
            reasons,
            problems: answer.problems,
            notes: answer.notes,
        },
    }
}

/// Takes the sidecar back from a pod, or from the template of a workload, whoever has put it there.
pub fn uninject(kind: Kind, object: &Value, namespace: &Namespace) -> Review {
    let patch = patch::uninject(object, kind.template());
    let outcome = if patch.is_empty() {
        Outcome::Left
    } else {
        Outcome::Uninjected
    };
    Review {
        patch,
        report: Report {
            object: name(kind, &Metadata::of(object), namespace),
            outcome,
            reasons: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
        },
    }
}

fn skipped(object: String, reasons: Vec<Reason>) -> Review {
    Review {
        patch: Patch::default(),
        report: Report {
            object,
            outcome: Outcome::Skipped,
            reasons,
            problems: Vec::new(),
            notes: Vec::new(),
        },
    }
}

/// `Deployment bank/account`; a pod whose name is not made yet has that of its kind followed by `*`.
fn name(kind: Kind, metadata: &Metadata, namespace: &Namespace) -> String {
    let namespace = match (metadata.namespace.as_str(), namespace.name.as_str()) {
        ("", "") => String::new(),
        ("", known) | (known, _) => format!("{known}/"),
    };
    let name = match metadata.name.as_str() {
        "" => format!("{}*", metadata.generate_name),
        name => name.to_owned(),
    };
    format!("{} {namespace}{name}", kind.name())
}
