//! `meshtrace`: the admin's hand.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Parser;
use cli::args::{Cli, Command, LinkChoice, Manifests, Now, Shape};
use cli::manifest::{self, Way};
use cli::query::{self, Api, Format, Question, Search, View};
use cli::style::Style;
use cli::up;
use inject::decide::Site;
use tokio::runtime::Runtime;

/// Characters in a line where there is no terminal to ask.
const USUAL_WIDTH: usize = 120;

fn main() -> ExitCode {
    match Cli::parse().command {
        // these two have to begin with one thread, so before there is a runtime
        Command::Enter => up::enter::run(),
        Command::Init => up::init::run(),
        command => match run(command) {
            Ok(code) => code,
            Err(error) => {
                up::console::complain(error.as_ref());
                ExitCode::FAILURE
            }
        },
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
fn run(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let variable = |name: &str| environment.get(name).cloned();
    // https://no-color.org: any value but the empty one
    let colour = variable("NO_COLOR").is_none_or(|value| value.is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Up {
            file,
            untraced,
            quiet,
        } => {
            let path = variable("PATH").unwrap_or_default();
            let options = up::Options {
                file,
                untraced,
                quiet,
                colour,
                path,
            };
            Ok(runtime.block_on(up::up(&options))?)
        }
        Command::Traces {
            service,
            operation,
            tags,
            min_duration,
            max_duration,
            since,
            limit,
            slowest,
            json,
            place,
        } => {
            let search = Search {
                service,
                operation,
                tags,
                min_duration,
                max_duration,
                since,
                limit,
                slowest,
            };
            let api = Api::at(&place.collector)?;
            let style = Style {
                colour: colour && io::stdout().is_terminal(),
            };
            show(&runtime.block_on(query::traces(&api, &search, json, style))?)
        }
        Command::Trace {
            id,
            format,
            links,
            json,
            place,
        } => {
            let exact = links == LinkChoice::Exact;
            let format = match format {
                _ if json => Format::Json,
                Shape::Waterfall => Format::Waterfall,
                Shape::Log => Format::Log,
            };
            let style = Style {
                colour: colour && io::stdout().is_terminal(),
            };
            let view = View {
                width: width(),
                style,
            };
            let api = Api::at(&place.collector)?;
            show(&runtime.block_on(query::trace(&api, &id, format, exact, view))?)
        }
        Command::Probe { place } => {
            let api = Api::at(&place.collector)?;
            show(&runtime.block_on(query::probe::probe(&api))?)
        }
        Command::Services { now } => ask(&runtime, &Question::Services, &now, colour),
        Command::Top {
            service,
            order,
            limit,
            now,
        } => {
            let order = order.name();
            let question = Question::Top {
                service,
                order,
                limit,
            };
            ask(&runtime, &question, &now, colour)
        }
        Command::Graph { now } => ask(&runtime, &Question::Graph, &now, colour),
        // there is nothing else that can be asked about yet, and clap requires the flag
        Command::Why { workload, now, .. } => {
            ask(&runtime, &Question::Propagation { workload }, &now, colour)
        }
        Command::Tail {
            service,
            operation,
            conditions,
            errors,
            min_duration,
            roots,
            json,
            place,
        } => {
            let said = [
                ("service", &service),
                ("operation", &operation),
                ("minDuration", &min_duration),
            ];
            let said = said
                .iter()
                .filter_map(|(key, value)| Some((*key, value.as_deref()?)));
            let said = said.chain(conditions.iter().map(|condition| ("where", condition.as_str())));
            let said = said.chain(errors.then_some(("status", "error")));
            let said: Vec<_> = said.chain(roots.then_some(("roots", "true"))).collect();
            let api = Api::at(&place.collector)?;
            let style = Style {
                colour: colour && io::stdout().is_terminal(),
            };
            let print = |line: &str| match io::stdout().write_all(line.as_bytes()) {
                Ok(()) => ControlFlow::Continue(()),
                // the reader has seen enough
                Err(_) => ControlFlow::Break(()),
            };
            runtime.block_on(query::tail(&api, &said, json, style, print))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Export { id, format, place } => {
            let api = Api::at(&place.collector)?;
            let file = runtime.block_on(query::export(&api, &id, format.name()))?;
            write(&file)
        }
        Command::Import { files, json, place } => {
            let api = Api::at(&place.collector)?;
            for path in &files {
                let name = path.display();
                let file = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
                let done = runtime.block_on(query::import(&api, file, json));
                let text = done.map_err(|error| format!("{name}: {error}"))?;
                show(&match json {
                    true => text,
                    false => format!("{name}: {text}"),
                })?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Inject {
            manifests,
            collector,
            image,
            before_1_29,
        } => {
            let usual = Site::usual(env!("CARGO_PKG_VERSION"));
            let site = Site {
                image: image.unwrap_or(usual.image),
                collector,
                native_sidecars: !before_1_29,
                asked: true,
                ..usual
            };
            change(&manifests, Way::Inject(&site))
        }
        Command::Uninject { manifests } => change(&manifests, Way::Uninject),
        Command::Enter | Command::Init => Err(io::Error::other("not from here").into()),
    }
}

fn ask(
    runtime: &Runtime,
    question: &Question,
    now: &Now,
    colour: bool,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let api = Api::at(&now.place.collector)?;
    let style = Style {
        colour: colour && io::stdout().is_terminal(),
    };
    let asked = query::now(&api, question, &now.window, now.json, style);
    show(&runtime.block_on(asked)?)
}

/// Manifests to standard output, reports to standard error.
fn change(manifests: &Manifests, way: Way<'_>) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let name = manifests.file.display();
    let text = match manifests.file.as_os_str() == "-" {
        true => io::read_to_string(io::stdin()),
        false => fs::read_to_string(&manifests.file),
    };
    let text = text.map_err(|error| format!("{name}: {error}"))?;
    let done = manifest::all(&text, way, &manifests.namespace).map_err(|problems| {
        let lines: Vec<_> = problems
            .iter()
            .map(|problem| format!("{name}: {problem}"))
            .collect();
        lines.join("\n")
    })?;
    for report in &done.reports {
        let line = match manifests.json {
            true => serde_json::to_string(report)?,
            false => report.to_string(),
        };
        writeln!(io::stderr(), "{line}")?;
    }
    show(&done.text)
}

fn show(text: &str) -> Result<ExitCode, Box<dyn std::error::Error>> {
    write(text.as_bytes())
}

fn write(bytes: &[u8]) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match io::stdout().write_all(bytes) {
        // the reader has seen enough: head(1), say
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        written => Ok(written.map(|()| ExitCode::SUCCESS)?),
    }
}

fn width() -> usize {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        // a terminal that does not know says 0
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => USUAL_WIDTH,
    }
}
