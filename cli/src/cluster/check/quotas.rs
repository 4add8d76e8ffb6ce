//! Whether the quotas and limits of a namespace leave room for sidecars. Pure.
//!
//! | what was seen, where pods ask for a sidecar | so |
//! |---|---|
//! | a ResourceQuota counts limits, which a sidecar has none of, and no LimitRange gives it some | error: pods are refused |
//! | a LimitRange demands more of a container than a sidecar asks for | error: pods are refused |
//! | less is left of a quota's requests than the pods still need that have no sidecar yet | warning |

use std::collections::BTreeMap;

use inject::pod::Metadata;
use serde_json::Value;

use super::Fact;
use super::finding::{Check, Finding};
use super::quantity::quantity;
use crate::cluster::facts::{items, text};

/// What the sidecars of a namespace ask for: of one, and of all that are still to come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Need {
    /// CPU (cores) and memory (bytes) of the smallest.
    pub(super) smallest: Option<[f64; 2]>,
    /// CPU and memory of all those that are still to come.
    pub(super) missing: [f64; 2],
}

/// CPU and memory, by their names in quotas and limits.
const RESOURCES: [&str; 2] = ["cpu", "memory"];

/// The quotas and limits of the cluster, and what the sidecars of each namespace need.
pub(super) fn quotas(
    quotas: &Fact<Vec<Value>>,
    limits: &Fact<Vec<Value>>,
    needs: &BTreeMap<String, Need>,
) -> Finding {
    let (quotas, limits) = match (quotas, limits) {
        (Ok(quotas), Ok(limits)) => (quotas, limits),
        (Err(error), _) | (_, Err(error)) => return Check::Quotas.unknown(error),
    };
    let mut refused = Vec::new();
    let mut narrow = Vec::new();
    for (namespace, need) in needs {
        let here = |object: &&Value| Metadata::of(object).namespace == *namespace;
        let limits: Vec<_> = limits.iter().filter(here).collect();
        for (resource, smallest) in RESOURCES.iter().zip(need.smallest.unwrap_or_default()) {
            if let Some(least) = least(&limits, resource).filter(|least| *least > smallest) {
                refused.push(format!(
                    "{namespace}: a LimitRange wants each container to ask for at least {} of {resource}",
                    written(resource, least)
                ));
            }
        }
        for quota in quotas.iter().filter(here) {
            let name = Metadata::of(quota).name;
            for (resource, missing) in RESOURCES.iter().zip(need.missing) {
                let limit = format!("limits.{resource}");
                if amount(quota, "hard", &limit).is_some() && !given(&limits, resource) {
                    refused.push(format!("{namespace}: the quota {name} counts {limit}"));
                }
                if left(quota, resource).is_some_and(|left| left < missing) {
                    narrow.push(format!(
                        "{namespace}: the quota {name} has too little {resource} left"
                    ));
                }
            }
        }
    }
    if !refused.is_empty() {
        return Check::Quotas
            .error(
                "quotas or limits refuse pods with a sidecar",
                "give containers limits by a LimitRange (a sidecar has none of its own), and let meshtrace.io/cpu and \
                 meshtrace.io/memory ask for what is demanded",
            )
            .of(refused);
    }
    if !narrow.is_empty() {
        return Check::Quotas
            .warning(
                "quotas leave too little for the sidecars that are still to come",
                "raise them, or lower meshtrace.io/cpu and meshtrace.io/memory",
            )
            .of(narrow);
    }
    Check::Quotas.ok("quotas leave room for the sidecars")
}

/// How much of it a quota has.
fn amount(quota: &Value, which: &str, resource: &str) -> Option<f64> {
    let amounts = quota.pointer("/status")?.get(which)?;
    quantity(amounts.get(resource)?.as_str()?)
}

/// What is left of the requests that a quota allows. `cpu` stands for `requests.cpu`.
fn left(quota: &Value, resource: &str) -> Option<f64> {
    let names = [format!("requests.{resource}"), resource.to_owned()];
    let left = |name: &String| {
        let hard = amount(quota, "hard", name)?;
        Some(hard - amount(quota, "used", name).unwrap_or(0.0))
    };
    names.iter().filter_map(left).reduce(f64::min)
}

fn containers<'v>(limits: &[&'v Value]) -> Vec<&'v Value> {
    let all = limits.iter().flat_map(|range| items(range, "/spec/limits"));
    all.filter(|limit| text(limit, "/type") == Some("Container"))
        .collect()
}

/// The least that each container has to ask for.
fn least(limits: &[&Value], resource: &str) -> Option<f64> {
    let least = |limit: &Value| quantity(text(limit, &format!("/min/{resource}"))?);
    containers(limits).into_iter().filter_map(least).reduce(f64::max)
}

/// Whether a container that has no limit is given one.
fn given(limits: &[&Value], resource: &str) -> bool {
    let has = |limit: &&Value, kind| limit.pointer(&format!("/{kind}/{resource}")).is_some();
    containers(limits)
        .iter()
        .any(|limit| has(limit, "default") || has(limit, "max"))
}

fn written(resource: &str, amount: f64) -> String {
    match resource {
        "cpu" => format!("{}m", (amount * 1000.0).ceil()),
        _ => format!("{}Mi", (amount / f64::powi(1024.0, 2)).ceil()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::check::finding::Status;

    fn judge(quota: &Value, limit: &Value, pods: f64) -> Finding {
        let quota = json!({"metadata": {"namespace": "bank", "name": "all"}, "status": quota});
        let range = json!({"metadata": {"namespace": "bank"}, "spec": {"limits": [limit]}});
        let one = [0.01, 25_165_824.0];
        let need = Need {
            smallest: Some(one),
            missing: one.map(|it| it * pods),
        };
        quotas(
            &Ok(vec![quota]),
            &Ok(vec![range]),
            &BTreeMap::from([("bank".to_owned(), need)]),
        )
    }

    #[test]
    fn a_quota_on_limits_needs_a_limit_range() {
        let quota = json!({"hard": {"limits.cpu": "4"}, "used": {"limits.cpu": "1"}});
        let finding = judge(&quota, &json!({}), 1.0);
        assert_eq!(finding.status, Status::Error);
        assert_eq!(finding.objects, ["bank: the quota all counts limits.cpu"]);
        let given = json!({"type": "Container", "default": {"cpu": "1"}});
        assert_eq!(judge(&quota, &given, 1.0).status, Status::Ok);
    }

    #[test]
    fn a_limit_range_may_not_demand_more_than_a_sidecar_asks_for() {
        let demands = |memory: &str| {
            judge(
                &json!({}),
                &json!({"type": "Container", "min": {"memory": memory}}),
                0.0,
            )
        };
        assert_eq!(demands("24Mi").status, Status::Ok);
        assert_eq!(
            demands("100Mi").objects,
            ["bank: a LimitRange wants each container to ask for at least 100Mi of memory"]
        );
    }

    #[test]
    fn what_is_left_has_to_be_enough_for_those_that_are_missing() {
        let quota = json!({"hard": {"requests.cpu": "1", "memory": "1Gi"}, "used": {"requests.cpu": "980m", "memory": "0"}});
        assert_eq!(judge(&quota, &json!({}), 2.0).status, Status::Ok);
        let finding = judge(&quota, &json!({}), 3.0);
        assert_eq!(finding.status, Status::Warning);
        assert_eq!(finding.objects, ["bank: the quota all has too little cpu left"]);
    }
}
