//! One trace as a log of what happened, in the order of time: the view that Hailo's Phosphor had.
//!
//! | line | when |
//! |---|---|
//! | `REQ` | the caller sends a request |
//! | `IN` | the callee begins to work on it |
//! | `OUT` | the callee has answered, and how long that took it |
//! | `REP` | the caller has the answer, and how long that took altogether |
//! | `ERR` | what went wrong, behind the line that says where |

use super::model::{Kind, Trace};
use super::text::{duration, plain, time};
use super::tree::{Node, tree};
use crate::style::{Look, Style};

struct Event {
    micros: u64,
    lines: String,
}

/// The log.
pub(super) fn log(trace: &Trace, style: Style) -> String {
    let nodes = tree(trace);
    let mut events = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        // a span that is neither this one's parent nor further up is over, as far as the order of lines goes
        while let Some(inner) = open.pop_if(|inner| Some(*inner) != node.parent) {
            events.extend(end(&nodes, inner, style));
        }
        events.extend(begin(&nodes, index));
        open.push(index);
    }
    while let Some(inner) = open.pop() {
        events.extend(end(&nodes, inner, style));
    }
    // events of the same microsecond stay in the order of the tree
    events.sort_by_key(|event| event.micros);

    let mut text = format!("Tracing: {}\n\n", style.paint(Look::Strong, &trace.id));
    text.extend(events.into_iter().map(|event| event.lines));
    let unseen = nodes
        .iter()
        .filter(|node| node.span.kind == Kind::Internal)
        .count();
    if unseen > 0 {
        text += &format!("\n(spans inside services, which are no requests and not shown here: {unseen})\n");
    }
    text
}

fn begin(nodes: &[Node<'_>], index: usize) -> Option<Event> {
    let node = nodes.get(index)?;
    let what = match node.span.kind {
        Kind::Asks => "REQ",
        Kind::Answers => "IN",
        Kind::Internal => return None,
    };
    let micros = node.span.start;
    Some(Event {
        micros,
        lines: format!("{} -\n", line(micros, what, nodes, index)?),
    })
}

fn end(nodes: &[Node<'_>], index: usize, style: Style) -> Option<Event> {
    let node = nodes.get(index)?;
    let what = match node.span.kind {
        Kind::Asks => "REP",
        Kind::Answers => "OUT",
        Kind::Internal => return None,
    };
    let micros = node.span.end();
    let mut lines = format!(
        "{} - {}\n",
        line(micros, what, nodes, index)?,
        duration(node.span.duration)
    );
    // the callee knows best; the caller speaks only where the callee does not
    let told_below =
        node.span.kind == Kind::Asks && callee(nodes, index).is_some_and(|below| below.span.is_error());
    if let Some(failure) = node.span.failure().filter(|_| !told_below) {
        let failure = format!("ERR - {}: {}", plain(&node.span.service), plain(failure));
        lines = lines + &style.paint(Look::Bad, failure) + "\n";
    }
    Some(Event { micros, lines })
}

fn line(micros: u64, what: &str, nodes: &[Node<'_>], index: usize) -> Option<String> {
    let node = nodes.get(index)?;
    let parent = node.parent.and_then(|parent| nodes.get(parent));
    let (caller, callee) = match node.span.kind {
        Kind::Asks => {
            let server = callee(nodes, index).map(|below| below.span.service.as_str());
            (
                node.span.service.as_str(),
                server.or(node.span.tag("server.address")).unwrap_or("?"),
            )
        }
        _ => {
            let client = parent
                .map(|above| above.span.service.as_str())
                .or(node.span.tag("client.address"));
            let unknown = if node.orphan { "?" } else { "outside" };
            (client.unwrap_or(unknown), node.span.service.as_str())
        }
    };
    let instance = Some(node.span.instance())
        .filter(|name| !name.is_empty())
        .unwrap_or(&node.span.service);
    let link = node
        .span
        .link()
        .map(|link| format!(" ({} link)", plain(&link)))
        .unwrap_or_default();
    Some(format!(
        "{} [{}] {:5} {} → {} {}{link}",
        time(micros),
        plain(instance),
        format!("[{what}]"),
        plain(caller),
        plain(callee),
        plain(&node.span.name),
    ))
}

/// The other side of a call: the first span below that answers.
fn callee<'n, 't>(nodes: &'n [Node<'t>], index: usize) -> Option<&'n Node<'t>> {
    let below = nodes
        .iter()
        .skip(index + 1)
        .take_while(|node| node.parent.is_some_and(|parent| parent >= index));
    below
        .into_iter()
        .find(|node| node.parent == Some(index) && node.span.kind == Kind::Answers)
}
