//! A trace as one page that opens offline: no script, nothing from elsewhere, every text escaped.

use std::fmt::{self, Display, Write};

use otlp::model::Attribute;
use span::TraceId;

use crate::analysis::link::{LinkKind, link};
use crate::analysis::reading::Reading;
use crate::analysis::skew::signed;
use crate::tags;

const STYLE: &str = "\
:root{color-scheme:light dark;font:14px/1.4 system-ui,sans-serif}body{margin:1.5rem;max-width:110rem}\
h1{font-size:1.1rem}summary{display:grid;grid-template-columns:minmax(12rem,26rem) 6rem 1fr;gap:.5rem;cursor:pointer;\
padding:.1rem 0}summary:hover{background:color-mix(in srgb,currentColor 8%,transparent)}\
.name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.took{text-align:right;font-variant-numeric:tabular-nums}\
.lane{position:relative}.bar{position:absolute;top:.2rem;bottom:.2rem;min-width:2px;border-radius:2px;background:#4a7fb5}\
.critical .bar{background:#1d4f82}.error .bar{background:#b8322a}.error .name{color:#b8322a}\
.inferred .bar{background:none;border:1px dashed currentColor}table{margin:.3rem 0 .8rem 2rem;border-collapse:collapse}\
td{padding:.05rem .8rem .05rem 0;vertical-align:top;word-break:break-all}td:first-child{white-space:nowrap;opacity:.7}";

/// The page.
pub fn page(id: TraceId, reading: &Reading<'_>) -> String {
    let mut page = String::new();
    // writing to a String cannot fail
    write(&mut page, id, reading).unwrap_or_default();
    page
}

fn write(page: &mut String, id: TraceId, reading: &Reading<'_>) -> fmt::Result {
    let nodes = reading.tree.nodes();
    let errors = nodes.iter().filter(|node| node.span.is_error()).count();
    write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Trace {id}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style>\
         <h1>Trace {id}</h1><p>{} spans, {errors} failed, {} · confidence {}</p>",
        nodes.len(),
        Millis(reading.duration()),
        reading.confidence,
    )?;
    if !reading.gaps.is_empty() {
        page.push_str("<ul>");
        for gap in &reading.gaps {
            let at = reading.tree.get(gap.node).map_or("", |node| node.span.service());
            write!(page, "<li>{}: {}</li>", Text(at), Text(&gap.text(&reading.tree)))?;
        }
        page.push_str("</ul>");
    }
    for place in 0..nodes.len() {
        span_of(page, reading, place)?;
    }
    page.push_str("</html>\n");
    Ok(())
}

fn span_of(page: &mut String, reading: &Reading<'_>, place: usize) -> fmt::Result {
    let Some(node) = reading.tree.get(place) else {
        return Ok(());
    };
    let span = node.span;
    let link = link(span);
    let whole = reading.duration().max(1) as f64;
    let (start, end) = reading.times.of(place);
    let share = |nanos: i64| (nanos as f64 / whole * 100.0).clamp(0.0, 100.0);
    let left = share(start.saturating_sub(signed(reading.start())));
    let width = share(end.saturating_sub(start)).min(100.0 - left);
    let mut classes = Vec::new();
    for (class, holds) in [
        ("error", span.is_error()),
        (
            "critical",
            reading.critical_times.get(place).is_some_and(|time| *time > 0),
        ),
        (
            "inferred",
            link.is_some_and(|link| link.kind == LinkKind::Inferred),
        ),
    ] {
        if holds {
            classes.push(class);
        }
    }
    write!(
        page,
        "<details class=\"{}\"><summary><span class=\"name\" style=\"padding-left:{}rem\">{} {}</span>\
         <span class=\"took\">{}</span><span class=\"lane\"><span class=\"bar\" style=\"left:{left:.3}%;\
         width:{width:.3}%\"></span></span></summary><table>",
        classes.join(" "),
        node.depth.min(20),
        Text(span.service()),
        Text(&span.name),
        Millis(span.duration()),
    )?;
    if let Some(link) = link {
        let kind = link.kind.name();
        write!(
            page,
            "<tr><td>link</td><td>{kind}, confidence {}</td></tr>",
            link.confidence
        )?;
    }
    for (key, value) in tags::derived(span) {
        row(page, key, &tags::text(&value))?;
    }
    rows(page, &span.attributes)?;
    rows(page, &span.resource.attributes)?;
    for event in &span.events {
        let offset = signed(event.time).saturating_sub(signed(span.start));
        row(
            page,
            "event",
            &format!("{} at {:.3} ms", event.name, offset as f64 / 1e6),
        )?;
        rows(page, &event.attributes)?;
    }
    page.push_str("</table></details>");
    Ok(())
}

fn rows(page: &mut String, attributes: &[Attribute]) -> fmt::Result {
    attributes
        .iter()
        .try_for_each(|attribute| row(page, &attribute.key, &tags::text(&attribute.value)))
}

fn row(page: &mut String, key: &str, value: &str) -> fmt::Result {
    write!(page, "<tr><td>{}</td><td>{}</td></tr>", Text(key), Text(value))
}

/// Text that stands in a page and is nothing but text there.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '&' => f.write_str("&amp;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

struct Millis(u64);

impl Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ms", self.0 as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixtures::*;

    #[test]
    fn a_page_holds_every_span_and_no_markup_of_theirs() {
        let evil = "<script>alert('x')</script>";
        let spans: Vec<_> = [
            span("edge", 1, 1).with(|span| span.name = evil.to_owned()),
            span("bank", 1, 2).with(|span| span.attributes.push(text("\"onload=", evil))),
        ]
        .into_iter()
        .map(Arc::new)
        .collect();
        let page = page(trace_id(1), &Reading::new(&spans));
        assert_eq!(page.matches("<details").count(), 2);
        assert!(!page.contains("<script") && !page.contains("http"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
        assert!(page.contains("&quot;onload="));
    }
}
