//! Looking into documents.

use serde_json::Value;

/// Whether nothing is at `path`, or `null`.
pub(crate) fn is_absent(document: &Value, path: &str) -> bool {
    document.pointer(path).is_none_or(Value::is_null)
}

/// The names of the items of the list at `path`.
pub(crate) fn names_at<'d>(document: &'d Value, path: &str) -> Vec<Option<&'d str>> {
    let items = document.pointer(path).and_then(Value::as_array);
    let name = |item: &'d Value| item.get("name").and_then(Value::as_str);
    items.into_iter().flatten().map(name).collect()
}
