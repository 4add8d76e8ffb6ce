//! An explanation in sentences.

use super::explain::{Explanation, Verdict};
use super::levels::Said;
use crate::cluster::pods::PodState;
use crate::style::{Look, Style, plain};

pub(super) fn text(explanation: &Explanation, style: Style) -> String {
    let (look, verdict) = match explanation.verdict {
        Verdict::Injected => (Look::Good, "gets a sidecar"),
        Verdict::InManifest => (Look::Good, "has a container of that name in its own manifest"),
        Verdict::Outdated => (
            Look::Strong,
            "gets a sidecar, but not all its pods are up to date",
        ),
        Verdict::NotCarried => (
            Look::Bad,
            "asks for a sidecar, but its pod template does not know",
        ),
        Verdict::Refused => (Look::Bad, "gets no sidecar"),
    };
    let mut text = format!("{} {}\n", explanation.object, style.paint(look, verdict));
    for reason in &explanation.reasons {
        text += &format!("  {reason}: {}\n", reason.sentence());
    }
    for problem in &explanation.problems {
        text += &format!("  warning: {}\n", plain(&problem.to_string()));
    }
    for note in &explanation.notes {
        text += &format!("  note: {}\n", plain(note));
    }
    let mut section = |heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text += &format!("\n{}\n", style.paint(Look::Faint, heading));
            for line in lines {
                text += &format!("  {line}\n");
            }
        }
    };
    section(
        "what is said (the nearest wins)",
        explanation.annotations.iter().map(said).collect(),
    );
    section("pods", explanation.pods.iter().map(|it| pod(it, style)).collect());
    if let Some(settings) = &explanation.settings {
        let heading = format!("settings, as the sidecar of {} has them", settings.pod);
        section(&heading, settings.lines.iter().map(|line| plain(line)).collect());
    }
    section("to do", explanation.todo.clone());
    text
}

fn said(said: &Said) -> String {
    let others: Vec<_> = said
        .instead_of
        .iter()
        .map(|other| format!("the {} says \"{}\"", other.level, other.value))
        .collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!("; {}", others.join(", ")),
    };
    plain(&format!(
        "{}: \"{}\" on the {}{others}",
        said.key, said.value, said.level
    ))
}

fn pod(pod: &PodState, style: Style) -> String {
    let has = match &pod.sidecar {
        None => "no sidecar".to_owned(),
        Some(sidecar) => {
            let version = sidecar.version.as_deref().unwrap_or("not ours");
            let restarts = match sidecar.restarts {
                0 => String::new(),
                restarts => format!(", restarted {restarts} times"),
            };
            format!("sidecar {version} {}{restarts}", sidecar.state)
        }
    };
    let skipped = match pod.skipped.is_empty() {
        true => String::new(),
        false => format!(", skipped: {}", pod.skipped.join(", ")),
    };
    let line = plain(&format!("{} {}: {has}{skipped}", pod.name, pod.phase));
    match &pod.outdated {
        Some(why) => style.paint(Look::Bad, format!("{line}; {}", plain(why))),
        None => line,
    }
}
