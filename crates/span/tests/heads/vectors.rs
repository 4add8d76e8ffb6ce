//! The cases of the W3C Trace Context specification and of its test suite, as data: what a sender may write, and what
//! we must make of it.
//!
//! A line is `expected`, `why`, and the fields of the head, separated by tabs. `\xNN` stands for a byte, `\t` for a
//! tab. `{valid}` stands for a good traceparent, and `{n*text}` for n times that text.

use span::read;

use crate::head::Head;

const VALID: &str = "00-12345678901234567890123456789012-1234567890123456-01";

#[test]
fn traceparents_are_taken_or_refused_as_the_specification_says() {
    for case in cases(include_str!("../data/traceparent.tsv")) {
        let fields = case.head.fields();
        let seen = read(&fields);
        let made = match seen.parent() {
            Some(_) => "continued",
            None if seen.malformed().is_empty() => "absent",
            None => "malformed",
        };
        assert_eq!(made, case.expected, "{}", case.why);
    }
}

#[test]
fn tracestates_are_taken_or_ignored_as_the_specification_says() {
    for case in cases(include_str!("../data/tracestate.tsv")) {
        let fields = case.head.fields();
        let seen = read(&fields);
        let made = seen.parent().and_then(|parent| parent.tracestate);
        let expected = (case.expected != "ignored").then_some(case.expected);
        assert_eq!(
            made.map(|tracestate| tracestate.to_string()),
            expected,
            "{}",
            case.why
        );
    }
}

struct Case {
    expected: String,
    why: &'static str,
    head: Head,
}

fn cases(table: &'static str) -> impl Iterator<Item = Case> {
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let mut columns = line.split('\t');
        let (expected, why) = (columns.next().unwrap(), columns.next().unwrap());
        let fields = columns.map(|field| {
            let (name, value) = field.split_once(": ").unwrap();
            // a field's value comes without the white space around it
            (bytes(name), bytes(value).trim_ascii().to_vec())
        });
        Case {
            expected: String::from_utf8(bytes(expected)).unwrap(),
            why,
            head: Head(fields.collect()),
        }
    })
}

fn bytes(text: &str) -> Vec<u8> {
    let mut text = text.replace("{valid}", VALID);
    while let Some((before, rest)) = text.split_once('{') {
        let (repeat, after) = rest.split_once('}').unwrap();
        let (count, unit) = repeat.split_once('*').unwrap();
        text = format!("{before}{}{after}", unit.repeat(count.parse().unwrap()));
    }
    let mut bytes = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        rest = match escape.strip_prefix('x') {
            Some(digits) => {
                bytes.push(u8::from_str_radix(&digits[..2], 16).unwrap());
                &digits[2..]
            }
            None => {
                bytes.push(b'\t');
                escape.strip_prefix('t').unwrap()
            }
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
