//! The API server's documents: `AdmissionReview` of `admission.k8s.io/v1`.
//!
//! Only the envelope is typed. The objects stay as they came, so that nothing of them is lost.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use inject::decide::{Namespace, Site};
use inject::pod::{Metadata, Texts};
use inject::report::{Outcome, Report};
use inject::review::admit;
use inject::workload::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// A question of the API server.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    api_version: String,
    kind: String,
    request: Request,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    uid: String,
    kind: GroupVersionKind,
    operation: String,
    #[serde(default)]
    sub_resource: String,
    #[serde(default)]
    namespace: String,
    /// `null` when it is deleted.
    #[serde(default)]
    object: Value,
    /// `null` when it is made.
    #[serde(default)]
    old_object: Value,
}

#[derive(Debug, Deserialize)]
struct GroupVersionKind {
    #[serde(default)]
    group: String,
    version: String,
    kind: String,
}

/// The answer to a question.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    /// Base64 of a JSON Patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
}

/// A document that is no question.
#[derive(Debug, thiserror::Error)]
pub enum NotAReview {
    /// It cannot be read.
    #[error("not a review: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It is something else, or another version.
    #[error("`{0}` is not `{KIND}` of `{API_VERSION}`: let the webhook's admissionReviewVersions be [v1]")]
    Other(String),
}

impl Review {
    /// Reads a question.
    ///
    /// # Errors
    /// It is none of this version.
    pub fn read(body: &[u8]) -> Result<Self, NotAReview> {
        let review: Self = serde_json::from_slice(body)?;
        if (review.api_version.as_str(), review.kind.as_str()) == (API_VERSION, KIND) {
            Ok(review)
        } else {
            Err(NotAReview::Other(format!(
                "{} of {}",
                review.kind, review.api_version
            )))
        }
    }

    /// The namespace of the object.
    pub fn namespace(&self) -> &str {
        &self.request.namespace
    }

    /// The labels of the object.
    pub fn labels(&self) -> Texts {
        Metadata::of(&self.request.object).labels
    }

    /// The answer, which always allows; and what there is to say, unless the object is none of ours.
    pub fn answer(&self, namespace: &Namespace, site: &Site) -> (Answer, Option<Report>) {
        let request = &self.request;
        let mut response = Response {
            uid: request.uid.clone(),
            allowed: true,
            ..Response::default()
        };
        let report = self.ours().map(|(kind, old)| {
            let review = admit(kind, &request.object, old, namespace, site);
            if !review.patch.is_empty() {
                response.patch_type = Some("JSONPatch");
                response.patch = Some(STANDARD.encode(json!(review.patch).to_string()));
            }
            response.warnings = warnings(&review.report);
            response.audit_annotations = audit(&review.report);
            review.report
        });
        let answer = Answer {
            api_version: API_VERSION,
            kind: KIND,
            response,
        };
        (answer, report)
    }

    /// The kind, and what it was before, where this is about making a pod, or making or changing a workload.
    fn ours(&self) -> Option<(Kind, Option<&Value>)> {
        let request = &self.request;
        let GroupVersionKind { group, version, kind } = &request.kind;
        let api_version = match group.as_str() {
            "" => version.clone(),
            group => format!("{group}/{version}"),
        };
        let kind = Kind::named(&api_version, kind).filter(|_| request.sub_resource.is_empty())?;
        match (request.operation.as_str(), kind) {
            ("CREATE", _) => Some((kind, None)),
            ("UPDATE", Kind::Pod) => None,
            ("UPDATE", _) => Some((kind, Some(&request.old_object))),
            _ => None,
        }
    }
}

/// What kubectl shows to whoever has made or changed the object.
fn warnings(report: &Report) -> Vec<String> {
    let problems = report.problems.iter().map(ToString::to_string);
    let skipped = report.outcome == Outcome::Skipped;
    let reasons = report
        .reasons
        .iter()
        .filter(|reason| skipped && reason.is_worth_telling());
    let reasons = reasons.map(|reason| format!("no sidecar: {}", reason.sentence()));
    let notes = report.notes.iter().cloned();
    let all = problems.chain(reasons).chain(notes);
    all.map(|line| format!("meshtrace: {line}")).collect()
}

/// What the API server's audit log keeps.
fn audit(report: &Report) -> BTreeMap<&'static str, String> {
    let mut audit = BTreeMap::from([("outcome", report.outcome.name().to_owned())]);
    if !report.reasons.is_empty() {
        let names: Vec<&str> = report.reasons.iter().map(|reason| reason.name()).collect();
        audit.insert("reasons", names.join(","));
    }
    audit
}
