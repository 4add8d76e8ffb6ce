//! From text to documents.

use serde_json::Value;

/// One document of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'t> {
    /// The line `---` that it begins with, if it does.
    pub(super) separator: &'t str,
    /// The rest of it.
    pub(super) body: &'t str,
}

/// Takes a stream apart. All the parts, one after the other, are the stream.
pub(super) fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut separator, mut body_at, mut at) = ("", 0, 0);
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if is_separator(line) {
            let body = text.get(body_at..at).unwrap_or_default();
            parts.push(Part { separator, body });
            (separator, body_at) = (line, end);
        }
        at = end;
    }
    let body = text.get(body_at..).unwrap_or_default();
    parts.push(Part { separator, body });
    parts.retain(|part| !part.separator.is_empty() || !part.body.trim().is_empty());
    parts
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---")
        .map(str::trim_start)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
}

/// What a document says, with merge keys resolved; `null` where it says nothing.
///
/// # Errors
/// It is not YAML, or not what JSON could say.
pub(super) fn value(body: &str) -> Result<Value, String> {
    let mut value: serde_yaml::Value =
        serde_yaml::from_str(body).map_err(|error| format!("not YAML: {error}"))?;
    value.apply_merge().map_err(|error| error.to_string())?;
    serde_json::to_value(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_stream_are_the_stream() {
        for text in [
            "",
            "a: 1",
            "---\na: 1\n---\n\n--- # b\nb: |\n  ---\n",
            "a: 1\n---\n",
        ] {
            let parts = split(text);
            let together: String = parts
                .iter()
                .flat_map(|part| [part.separator, part.body])
                .collect();
            assert_eq!(together, text);
        }
        assert_eq!(split("a: 1\n---\nb: |\n  ---\n").len(), 2);
    }
}
