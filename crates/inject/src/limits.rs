//! What a namespace's ResourceQuotas and LimitRanges would refuse a pod for, once a sidecar is in it.
//!
//! The webhook is asked before them, so whoever puts a container into a pod has to know them. A LimitRange's defaults are
//! set again after the webhook, so they count for our containers too. What depends on the rest of the pod, or on which pods
//! a quota is for, is taken as refused: a pod without a sidecar is better than none.
//!
//! One thing cannot be known: whether what a quota has left is enough for the pod with a sidecar.

use serde_json::Value;

use crate::reason::Reason;

/// What a quota may ask to be given for each container. Ours give their requests for CPU and memory themselves.
const DEMANDS: [(&str, &str, &str); 4] = [
    ("limits.cpu", "default", "cpu"),
    ("limits.memory", "default", "memory"),
    ("limits.ephemeral-storage", "default", "ephemeral-storage"),
    (
        "requests.ephemeral-storage",
        "defaultRequest",
        "ephemeral-storage",
    ),
];

/// Suffixes of quantities, and what they multiply with.
const SUFFIXES: [(&str, f64); 16] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("", 1.0),
];

/// The ResourceQuotas and LimitRanges of a namespace, as documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// The quotas.
    pub quotas: Vec<Value>,
    /// The ranges.
    pub ranges: Vec<Value>,
}

impl Limits {
    /// Why a pod would be refused with containers that ask for this much CPU and memory and have no limits.
    pub fn refusal(&self, cpu: &str, memory: &str) -> Option<Reason> {
        let quota = self.quotas.iter().filter_map(|quota| quota.pointer("/spec/hard"));
        let unmet = quota.into_iter().any(|hard| {
            DEMANDS
                .iter()
                .any(|(key, default, resource)| hard.get(key).is_some() && !self.has(default, resource))
        });
        if unmet {
            return Some(Reason::ResourceQuota);
        }
        let asked = [("cpu", cpu), ("memory", memory)];
        let fits = self
            .items()
            .all(|item| asked.iter().all(|(resource, asked)| fits(item, resource, asked)));
        (!fits).then_some(Reason::LimitRange)
    }

    fn items(&self) -> impl Iterator<Item = &Value> {
        let lists = self
            .ranges
            .iter()
            .filter_map(|range| range.pointer("/spec/limits"));
        lists.filter_map(Value::as_array).flatten()
    }

    /// Whether containers that do not say it are given this.
    fn has(&self, default: &str, resource: &str) -> bool {
        self.items()
            .any(|item| kind(item) == "Container" && amount(item, default, resource).is_some())
    }
}

/// What one of a LimitRange's items bounds.
fn kind(item: &Value) -> &str {
    item.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn amount<'v>(item: &'v Value, field: &str, resource: &str) -> Option<&'v Value> {
    item.get(field)?.get(resource)
}

/// Whether one of a LimitRange's items takes a container that asks for this.
fn fits(item: &Value, resource: &str, asked: &str) -> bool {
    let bound = |field: &str| match amount(item, field, resource) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => quantity(text).map(Some).ok_or(()),
        Some(other) => other.as_f64().map(Some).ok_or(()),
    };
    let bounds = (
        bound("min"),
        bound("max"),
        bound("default"),
        bound("maxLimitRequestRatio"),
        quantity(asked),
    );
    let (Ok(min), Ok(max), Ok(default), Ok(ratio), Some(asked)) = bounds else {
        return false;
    };
    match kind(item) {
        "Container" => {
            let limit = default.or(max);
            min.is_none_or(|min| asked >= min)
                && max.is_none_or(|max| asked <= max)
                && limit.is_none_or(|limit| asked <= limit)
                && ratio.is_none_or(|ratio| limit.is_some_and(|limit| limit <= asked * ratio))
        }
        "Pod" => max.is_none() && ratio.is_none(),
        _ => true,
    }
}

/// A quantity as Kubernetes writes it: `100m`, `1.5Gi`, `1e3`.
fn quantity(text: &str) -> Option<f64> {
    let split = |(suffix, factor): &(&str, f64)| Some((text.strip_suffix(suffix)?, *factor));
    let (number, factor) = SUFFIXES.iter().find_map(split)?;
    let is_number = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    is_number
        .then(|| number.parse::<f64>().ok())?
        .map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(quota: &Value, range: &Value) -> Option<Reason> {
        let limits = Limits {
            quotas: vec![json!({"spec": {"hard": quota}})],
            ranges: vec![json!({"spec": {"limits": [range]}})],
        };
        limits.refusal("10m", "24Mi")
    }

    #[test]
    fn a_quota_on_limits_refuses_unless_a_limit_range_gives_them() {
        let none = json!({"type": "Container"});
        let cpu = json!({"type": "Container", "default": {"cpu": "1"}});
        let refused = Some(Reason::ResourceQuota);
        for (quota, range, expected) in [
            (json!({"limits.cpu": "4"}), &none, refused),
            (json!({"limits.memory": "4Gi"}), &none, refused),
            (json!({"requests.ephemeral-storage": "1Gi"}), &none, refused),
            (json!({"requests.cpu": "4", "memory": "1Gi"}), &none, None),
            (json!({"pods": "10"}), &none, None),
            (json!({"limits.cpu": "4"}), &cpu, None),
            (json!({"limits.memory": "4Gi"}), &cpu, refused),
        ] {
            assert_eq!(refusal(&quota, range), expected, "{quota} {range}");
        }
    }

    #[test]
    fn a_limit_range_refuses_what_is_too_little_too_much_or_too_far_from_its_limit() {
        for (mut range, fits) in [
            (json!({"min": {"cpu": "10m", "memory": "24Mi"}}), true),
            (json!({"min": {"memory": "25Mi"}}), false),
            (json!({"min": {"cpu": "0.011"}}), false),
            (json!({"max": {"cpu": "1"}}), true),
            (json!({"max": {"memory": "20e6"}}), false),
            (json!({"default": {"cpu": "5m"}}), false),
            (
                json!({"default": {"cpu": "100m"}, "maxLimitRequestRatio": {"cpu": "10"}}),
                true,
            ),
            (
                json!({"default": {"cpu": "101m"}, "maxLimitRequestRatio": {"cpu": 10}}),
                false,
            ),
            (json!({"maxLimitRequestRatio": {"cpu": "10"}}), false),
            (json!({"min": {"cpu": "some"}}), false),
            (json!({"type": "Pod", "max": {"cpu": "100"}}), false),
            (json!({"type": "Pod", "min": {"cpu": "100"}}), true),
            (
                json!({"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}}),
                true,
            ),
        ] {
            if range["type"].is_null() {
                range["type"] = json!("Container");
            }
            let expected = (!fits).then_some(Reason::LimitRange);
            assert_eq!(refusal(&json!({}), &range), expected, "{range}");
        }
    }

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, value) in [
            ("100m", 0.1),
            ("24Mi", 25_165_824.0),
            ("1.5k", 1500.0),
            ("1e3", 1000.0),
            ("2E", 2e18),
            ("0", 0.0),
        ] {
            assert_eq!(quantity(text), Some(value), "{text}");
        }
        for odd in ["", "Mi", "ten", "1 Gi", "inf", "NaN", "1KiB"] {
            assert_eq!(quantity(odd), None, "{odd}");
        }
    }
}
