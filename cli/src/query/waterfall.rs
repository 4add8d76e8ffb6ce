//! One trace in the terminal: the tree of its spans, and a bar for the time of each.

use super::model::{Kind, Trace};
use super::text::{duration, fit, plain, time};
use super::tree::{Node, tree};
use crate::style::{Look, Style};

/// The room that there is.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Characters in a line.
    pub width: usize,
    /// Colours or none.
    pub style: Style,
}

const WIDTHS: std::ops::RangeInclusive<usize> = 60..=240;
/// The deepest tree that is drawn as one; deeper spans stand at this depth.
const DEEPEST: usize = 12;
const DURATION: usize = 10;

/// A heading, then a line for every span.
pub(super) fn waterfall(trace: &Trace, view: View) -> String {
    let style = view.style;
    let width = view.width.clamp(*WIDTHS.start(), *WIDTHS.end());
    let nodes = tree(trace);
    let labels: Vec<_> = nodes.iter().map(label).collect();
    let longest = labels
        .iter()
        .map(|label| label.chars().count())
        .max()
        .unwrap_or(0);
    let label_width = longest.min(width / 2);
    let bar_width = width.saturating_sub(label_width + DURATION + 4);

    let mut text = heading(trace, style);
    let services: Vec<_> = trace.services().into_iter().collect();
    for (node, label) in nodes.iter().zip(&labels) {
        let nth = services
            .iter()
            .position(|service| *service == node.span.service)
            .unwrap_or(0);
        let took = duration(node.span.duration);
        let bar = bar(node, trace, bar_width);
        let mut line = format!(
            "{} {took:>DURATION$} {}",
            style.paint(Look::Nth(nth), fit(label, label_width)),
            style.paint(
                if node.span.is_error() {
                    Look::Bad
                } else {
                    Look::Nth(nth)
                },
                bar
            ),
        );
        for note in notes(node, style) {
            line = format!("{line} {note}");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn heading(trace: &Trace, style: Style) -> String {
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let facts = [
        counted(trace.spans.len(), "span"),
        counted(trace.services().len(), "service"),
        counted(trace.errors(), "error"),
        duration(trace.duration()),
        format!("{} UTC", time(trace.start())),
    ];
    let confidence = trace
        .confidence()
        .map(|confidence| format!("confidence {confidence:.3}"));
    let facts: Vec<_> = facts.into_iter().chain(confidence).collect();
    format!(
        "{}\n{}\n\n",
        style.paint(Look::Strong, &trace.id),
        facts.join(" · ")
    )
}

/// The branches that lead to a span, its service, and what it did. An arrow stands before what was asked of others.
fn label(node: &Node<'_>) -> String {
    let mut branches = String::new();
    if let Some((own, above)) = node.last.split_last() {
        for last in above.iter().take(DEEPEST) {
            branches += if *last { "  " } else { "│ " };
        }
        branches += if *own { "└ " } else { "├ " };
    }
    let arrow = if node.span.kind == Kind::Asks { "→ " } else { "" };
    format!(
        "{branches}{} {arrow}{}",
        plain(&node.span.service),
        plain(&node.span.name)
    )
}

/// The span's time within the trace's, at least one character wide.
fn bar(node: &Node<'_>, trace: &Trace, width: usize) -> String {
    let whole = u128::from(trace.duration().max(1));
    let place = |micros: u64| {
        let scaled = u128::from(micros) * width as u128 / whole;
        usize::try_from(scaled).unwrap_or(width).min(width)
    };
    let before = place(node.span.start.saturating_sub(trace.start())).min(width.saturating_sub(1));
    let length = place(node.span.duration).max(1).min(width - before);
    format!(
        "{}{}{}",
        " ".repeat(before),
        "█".repeat(length),
        " ".repeat(width - before - length)
    )
}

/// What a reader has to know before trusting the line.
fn notes(node: &Node<'_>, style: Style) -> impl Iterator<Item = String> {
    let failure = node
        .span
        .failure()
        .map(|failure| style.paint(Look::Bad, format_args!("✗ {}", plain(failure))));
    let link = node
        .span
        .link()
        .map(|link| style.paint(Look::Faint, format_args!("link {}", plain(&link))));
    let orphan = node
        .orphan
        .then(|| style.paint(Look::Faint, "its parent is not here"));
    [failure, link, orphan].into_iter().flatten()
}
