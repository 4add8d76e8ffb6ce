//! What is found of the collector. Pure.
//!
//! | check | what was seen | so |
//! |---|---|---|
//! | `collector-answers` | its API does not answer through the API server | error |
//! | `lost-spans` | sidecars have lost spans in the last fifteen minutes | warning, with the reasons |

use serde_json::Value;

use super::Fact;
use super::finding::{Check, Finding, counted};
use crate::cluster::facts::{items, text};
use crate::cluster::kubectl::Error;

/// The collector's answer to `/mesh`.
pub(super) fn answers(mesh: &Fact<Value>) -> Finding {
    match mesh {
        Ok(mesh) => {
            let workloads = counted(items(mesh, "/workloads").count(), "workload");
            Check::CollectorAnswers.ok(format!("the collector answers, with spans of {workloads}"))
        }
        Err(error @ Error::Forbidden(_)) => Check::CollectorAnswers.unknown(error),
        Err(error) => Check::CollectorAnswers.error(
            format!("the collector does not answer: {error}"),
            "look at the collector's log, and at what may keep the API server from its port 16686",
        ),
    }
}

/// What its workloads have lost, as far as the collector knows.
pub(super) fn lost(mesh: &Value) -> Finding {
    let lost: Vec<_> = items(mesh, "/workloads")
        .filter_map(|workload| {
            let name = text(workload, "/name")?;
            let reasons: Vec<_> = items(workload, "/losses").filter_map(reason).collect();
            (!reasons.is_empty()).then(|| format!("{name}: {}", reasons.join(", ")))
        })
        .collect();
    if lost.is_empty() {
        return Check::Lost.ok("no sidecar says that it has lost spans");
    }
    Check::Lost
        .warning(
            "sidecars have lost spans in the last fifteen minutes",
            "look at the collector's pages: Mesh says for each workload what helps",
        )
        .of(lost)
}

fn reason(counted: &Value) -> Option<String> {
    let count = counted.get("count")?.as_u64().filter(|count| *count > 0)?;
    Some(format!("{count} {}", text(counted, "/name")?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::check::finding::Status;

    #[test]
    fn losses_are_told_with_their_reasons() {
        let mesh = |losses: Value| json!({"workloads": [{"name": "account", "losses": losses}]});
        assert_eq!(lost(&mesh(Value::Null)).status, Status::Ok);
        assert_eq!(
            lost(&mesh(json!([{"name": "queue_full", "count": 0}]))).status,
            Status::Ok
        );
        let finding = lost(&mesh(json!([{"name": "queue_full", "count": 7}])));
        assert_eq!(finding.status, Status::Warning);
        assert_eq!(finding.objects, ["account: 7 queue_full"]);
    }

    #[test]
    fn a_collector_that_may_not_be_asked_may_be_well() {
        let forbidden = Err(Error::Forbidden("services/proxy".to_owned()));
        assert_eq!(answers(&forbidden).status, Status::Warning);
        let away = Err(Error::Refused("no endpoints available".to_owned()));
        assert_eq!(answers(&away).status, Status::Error);
    }
}
