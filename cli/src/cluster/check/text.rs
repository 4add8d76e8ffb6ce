//! Findings as a person reads them.

use super::Report;
use super::finding::{Finding, Status, counted};
use crate::style::{Look, Style, plain};

pub(super) fn text(report: &Report, style: Style) -> String {
    let mut text = String::new();
    let mut group = None;
    for finding in &report.findings {
        let own = finding.check.group();
        if group != Some(own) {
            let space = if group.is_some() { "\n" } else { "" };
            text += &format!("{space}{}\n", style.paint(Look::Strong, own.heading()));
            group = Some(own);
        }
        text += &one(finding, style);
    }
    let count = |status| report.findings.iter().filter(|it| it.status == status).count();
    let (look, whole) = match (count(Status::Error), count(Status::Warning)) {
        (0, 0) => (Look::Good, "all is as it should be".to_owned()),
        (0, warnings) => (Look::Strong, counted(warnings, "warning")),
        (errors, 0) => (Look::Bad, counted(errors, "error")),
        (errors, warnings) => (
            Look::Bad,
            format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
        ),
    };
    text + &format!("\n{}\n", style.paint(look, whole))
}

fn one(finding: &Finding, style: Style) -> String {
    let (look, sign) = match finding.status {
        Status::Ok => (Look::Good, "✓"),
        Status::Warning => (Look::Strong, "!"),
        Status::Error => (Look::Bad, "✗"),
    };
    let mut text = format!(
        "{} {} {}\n",
        style.paint(look, sign),
        plain(&finding.what),
        style.paint(Look::Faint, format_args!("({})", finding.check.name()))
    );
    for object in &finding.objects {
        text += &format!("    {}\n", plain(object));
    }
    if finding.more > 0 {
        text += &format!("    and {} more\n", finding.more);
    }
    if let Some(todo) = &finding.todo {
        text += &format!("  → {}\n", plain(todo));
    }
    text
}
