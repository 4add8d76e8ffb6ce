//! For each annotation: what is said at which level, and what wins.

use inject::annotations::{CARRIED, KEYS, Level};
use inject::pod::Texts;
use serde::Serialize;

/// One key that somebody says something about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The whole key: `meshtrace.io/sampling`.
    pub key: String,
    /// What holds.
    pub value: String,
    /// Where that stands.
    pub level: String,
    /// What is said farther away, and therefore does not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instead_of: Vec<Other>,
}

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Other {
    /// What is said.
    pub value: String,
    /// Where.
    pub level: String,
}

/// What is said of each key by a pod (or the template of pods), its workload and its namespace. What the template has
/// from its workload counts as the workload's.
pub(super) fn levels(pod: &Texts, workload: &Texts, namespace: &Texts) -> Vec<Said> {
    let carried: Vec<&str> = pod
        .get(CARRIED)
        .into_iter()
        .flat_map(|names| names.split(','))
        .collect();
    let said = |name: &str, key: &str| {
        let is_copy = carried.contains(&name) && pod.get(key) == workload.get(key);
        let levels = [
            (Level::Pod, pod.get(key).filter(|_| !is_copy)),
            (Level::Workload, workload.get(key)),
            (Level::Namespace, namespace.get(key)),
        ];
        let mut said = levels
            .into_iter()
            .filter_map(|(level, value)| Some((level.to_string(), value?.clone())));
        let (level, value) = said.next()?;
        Some(Said {
            key: key.to_owned(),
            value,
            level,
            instead_of: said.map(|(level, value)| Other { value, level }).collect(),
        })
    };
    KEYS.iter()
        .filter_map(|key| said(key.name, &key.full()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        let pair = |(key, value): &(&str, &str)| (format!("meshtrace.io/{key}"), (*value).to_owned());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_nearest_wins_and_what_it_wins_over_is_told() {
        let said = levels(
            &texts(&[("sampling", "0.5"), ("mode", "trace"), ("carried", "inject,mode")]),
            &texts(&[("inject", "true"), ("mode", "trace"), ("sampling", "0.1")]),
            &texts(&[("inject", "false"), ("sampling", "1")]),
        );
        let told: Vec<_> = said
            .iter()
            .map(|said| {
                let others: Vec<_> = said.instead_of.iter().map(|it| it.value.as_str()).collect();
                (
                    said.key.as_str(),
                    said.value.as_str(),
                    said.level.as_str(),
                    others,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("meshtrace.io/inject", "true", "workload", vec!["false"]),
                ("meshtrace.io/mode", "trace", "workload", vec![]),
                ("meshtrace.io/sampling", "0.5", "pod", vec!["0.1", "1"]),
            ]
        );
    }
}
