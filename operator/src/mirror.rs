//! The label of a namespace that says what its annotation says.
//!
//! An admin annotates a Namespace with `meshtrace.io/inject: "true"`. Webhooks are chosen by labels, so that the API server
//! does not ask about the pods of namespaces that have not opted in. The leader therefore keeps a label of the same key,
//! by server-side apply, under a name of its own ([`MANAGER`]): so the API server itself knows whose label it is.
//!
//! | the annotation | the label | so |
//! |---|---|---|
//! | asks | is not there | set it to `true` |
//! | asks | is `true`, whoever has set it | leave it |
//! | asks | is something else, and ours | set it to `true` |
//! | asks | is something else, and not ours | leave it, and tell: it keeps us from being asked |
//! | does not ask | is ours | remove it |
//! | does not ask | is not ours | leave it; it means nothing by itself |

use inject::annotations::{self, Level, Wanted};
use inject::decide::Namespace;
use serde_json::Value;

/// Under which name our label is applied.
pub const MANAGER: &str = "meshtrace-operator";
/// The key, of the annotation and of the label.
pub const KEY: &str = "meshtrace.io/inject";
/// What the webhook's `namespaceSelector` looks for.
pub const ASKS: &str = "true";

/// The label of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Whether we have set it.
    pub is_ours: bool,
    /// Since when the API server asks about the namespace's pods, in seconds since 1970, as far as it is known.
    pub since: Option<i64>,
}

/// What is to be done about a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Set it.
    Set,
    /// Take ours away.
    Remove,
    /// Nothing.
    Leave,
    /// Nothing, but it is not as it should be.
    Taken,
}

impl Mark {
    /// Reads it from an object's `managedFields`: who manages which field, and when they last changed any.
    pub fn read(managed_fields: &[(Option<&str>, Option<i64>, &Value)]) -> Self {
        let path = ["f:metadata", "f:labels", &format!("f:{KEY}")];
        let has = |fields: &Value| {
            path.iter()
                .try_fold(fields, |fields, key| fields.get(key))
                .is_some()
        };
        let mut managers = managed_fields.iter().filter(|(_, _, fields)| has(fields));
        let owner = managers
            .clone()
            .find(|(manager, ..)| *manager == Some(MANAGER))
            .or_else(|| managers.next());
        Self {
            is_ours: owner.is_some_and(|(manager, ..)| *manager == Some(MANAGER)),
            since: owner.and_then(|(_, time, _)| *time),
        }
    }
}

/// Whether a namespace asks for sidecars.
pub fn asks(namespace: &Namespace) -> bool {
    annotations::read(&[(Level::Namespace, &namespace.annotations)])
        .0
        .inject
        == Wanted::Yes
}

/// What is to be done about a namespace's label.
pub fn step(namespace: &Namespace, mark: &Mark) -> Step {
    match (asks(namespace), namespace.labels.get(KEY)) {
        (true, Some(value)) if value == ASKS => Step::Leave,
        (true, Some(_)) if !mark.is_ours => Step::Taken,
        (true, _) => Step::Set,
        (false, Some(_)) if mark.is_ours => Step::Remove,
        (false, _) => Step::Leave,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn namespace(annotation: Option<&str>, label: Option<&str>) -> Namespace {
        let texts = |value: Option<&str>| value.map(|value| (KEY.to_owned(), value.to_owned()));
        Namespace {
            name: "bank".to_owned(),
            annotations: texts(annotation).into_iter().collect(),
            labels: texts(label).into_iter().collect(),
            ..Namespace::default()
        }
    }

    #[test]
    fn the_label_follows_the_annotation_and_is_never_taken_from_anybody() {
        for (annotation, label, is_ours, expected) in [
            (Some("true"), None, false, Step::Set),
            (Some("true"), Some("true"), false, Step::Leave),
            (Some("true"), Some("true"), true, Step::Leave),
            (Some("true"), Some("no"), true, Step::Set),
            (Some("true"), Some("no"), false, Step::Taken),
            (Some("false"), Some("true"), true, Step::Remove),
            (Some("yes"), Some("true"), true, Step::Remove),
            (None, Some("true"), true, Step::Remove),
            (None, Some("true"), false, Step::Leave),
            (None, None, false, Step::Leave),
        ] {
            let mark = Mark { is_ours, since: None };
            let step = step(&namespace(annotation, label), &mark);
            assert_eq!(step, expected, "{annotation:?} {label:?} {is_ours}");
        }
    }

    #[test]
    fn whose_a_label_is_stands_in_the_managed_fields() {
        let fields = json!({"f:metadata": {"f:labels": {"f:meshtrace.io/inject": {}}}});
        let others = json!({"f:metadata": {"f:labels": {"f:team": {}}}});
        let ours = Mark {
            is_ours: true,
            since: Some(7),
        };
        assert_eq!(
            Mark::read(&[
                (Some("kubectl"), Some(3), &others),
                (Some(MANAGER), Some(7), &fields)
            ]),
            ours
        );
        assert_eq!(
            Mark::read(&[
                (Some("kubectl"), Some(3), &fields),
                (Some(MANAGER), Some(7), &fields)
            ]),
            ours
        );
        let anothers = Mark {
            is_ours: false,
            since: Some(3),
        };
        assert_eq!(
            Mark::read(&[
                (Some("kubectl"), Some(3), &fields),
                (Some(MANAGER), Some(7), &others)
            ]),
            anothers
        );
        assert_eq!(Mark::read(&[]), Mark::default());
    }
}
