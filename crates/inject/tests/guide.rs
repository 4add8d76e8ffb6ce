//! The guide's tables, held against the code.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use inject::annotations::KEYS;
use inject::reason::Reason;

const GUIDE: &str = include_str!("../../../docs/guides/kubernetes.md");

/// The first two cells of every row of the first table under a heading, the first without its backticks.
fn rows(heading: &str) -> Vec<(String, String)> {
    let section = GUIDE.split_once(&format!("{heading}\n")).unwrap().1;
    let section = section.split("\n#").next().unwrap();
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| `") && !line.contains('…'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
    })
    .collect()
}

#[test]
fn the_guide_has_every_annotation_and_what_it_allows() {
    let known = KEYS.map(|key| (key.name.to_owned(), key.allowed.to_owned()));
    assert_eq!(rows("## Annotations"), known);
}

#[test]
fn the_guide_has_every_reason_and_its_sentence() {
    let known = Reason::ALL.map(|reason| (reason.name().to_owned(), reason.sentence().to_owned()));
    assert_eq!(rows("## Why a pod has no sidecar"), known);
}
