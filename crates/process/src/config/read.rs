//! How single values are read: each function says what is wrong in words that follow the value's place.

use std::str::FromStr;

use serde_yaml::Value;

/// Reads a scalar as text.
///
/// # Errors
/// It is a map or a list.
pub fn text(value: &Value) -> Result<String, String> {
    scalar(value).ok_or_else(|| "has to be a single value".to_owned())
}

/// Reads `true` or `false`.
///
/// # Errors
/// It is neither.
pub fn boolean(value: &Value) -> Result<bool, String> {
    parsed("`true` or `false`")(value)
}

/// Reads a scalar by its [`FromStr`]; `allowed` says in the error what is.
pub fn parsed<T: FromStr>(allowed: &'static str) -> impl Fn(&Value) -> Result<T, String> {
    move |value| {
        let text = text(value)?;
        text.trim()
            .parse()
            .map_err(|_| format!("`{text}` is not {allowed}"))
    }
}

/// Reads a list, or, as environment variables have it, one text with commas; every item through `item`.
pub fn list<T>(item: impl Fn(&Value) -> Result<T, String>) -> impl Fn(&Value) -> Result<Vec<T>, String> {
    move |value| match value {
        Value::Sequence(items) => items.iter().map(&item).collect(),
        Value::Null => Ok(Vec::new()),
        _ => text(value)?
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| item(&Value::String(part.to_owned())))
            .collect(),
    }
}

/// A scalar as text; `None` for a map or a list.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
