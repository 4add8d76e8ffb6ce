//! Values as YAML that every reader understands alike: YAML 1.1, where `on` is true and `1:30` is ninety, and YAML 1.2.

use serde_json::Value;

/// Words that some reader takes for something else than text.
const WORDS: [&str; 11] = [
    "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf",
];

/// `key: value`, on lines that are indented by `indent` from the second on, without the end of the last one.
pub(super) fn entry(key: &str, value: &Value, indent: usize) -> String {
    let key = text(key);
    match value {
        Value::Object(map) if !map.is_empty() => {
            format!("{key}:\n{}{}", pad(indent + 2), block(value, indent + 2))
        }
        Value::Array(list) if !list.is_empty() => {
            format!("{key}:\n{}{}", pad(indent + 2), block(value, indent + 2))
        }
        value => format!("{key}: {}", block(value, indent)),
    }
}

/// `- value`, on lines that are indented by `indent` from the second on, without the end of the last one.
pub(super) fn item(value: &Value, indent: usize) -> String {
    format!("- {}", block(value, indent + 2))
}

/// On one line, as JSON, which is YAML too.
pub(super) fn inline(value: &Value) -> String {
    value.to_string()
}

fn block(value: &Value, indent: usize) -> String {
    let between = format!("\n{}", pad(indent));
    match value {
        Value::Object(map) if !map.is_empty() => {
            // what it is called is what one looks for
            let (name, rest): (Vec<_>, Vec<_>) = map.iter().partition(|(key, _)| *key == "name");
            let entries = name.into_iter().chain(rest);
            let lines: Vec<_> = entries.map(|(key, value)| entry(key, value, indent)).collect();
            lines.join(&between)
        }
        Value::Array(list) if !list.is_empty() => {
            let lines: Vec<_> = list.iter().map(|value| item(value, indent)).collect();
            lines.join(&between)
        }
        Value::String(value) => text(value),
        value => inline(value),
    }
}

pub(super) fn pad(indent: usize) -> String {
    " ".repeat(indent)
}

/// Quoted, unless it can be nothing else than text.
fn text(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./-:=$(),@%".contains(c);
    let is_plain = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && value.chars().all(plain)
        && !value.ends_with(':')
        && !WORDS.contains(&value.to_ascii_lowercase().as_str());
    if is_plain {
        value.to_owned()
    } else {
        Value::from(value).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_for_readers_of_either_version() {
        for word in [
            "on", "Yes", "n", "0644", "1:30", "null", "", "~", "1e3", "a: b", "a #b", "- a", "10%", "a:",
        ] {
            assert_eq!(text(word), format!("\"{word}\""));
        }
        for word in ["10m", "24Mi"] {
            assert_eq!(text(word), format!("\"{word}\""), "begins like a number");
        }
        for word in [
            "account",
            "meshtrace/sidecar:0.1.0",
            "k8s.pod.name=$(POD),a=b",
            "RuntimeDefault",
        ] {
            assert_eq!(text(word), word);
        }
    }
}
