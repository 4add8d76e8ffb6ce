//! `meshtrace`: the admin's hand.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cli::args::{Cli, Cluster, Command, LinkChoice, Manifests, Now, Place, Shape};
use cli::cluster::kubectl::{Kubectl, Target};
use cli::cluster::{check, dashboard, forward, why};
use cli::manifest::{self, Way};
use cli::progress::Progress;
use cli::query::{self, Api, FeatureSearch, Format, Question, Search, View};
use cli::style::Style;
use cli::up;
use inject::decide::Site;
use tokio::runtime::Runtime;

/// Characters in a line where there is no terminal to ask.
const USUAL_WIDTH: usize = 120;
/// The exit code of what was stopped by a signal, as shells have it.
const INTERRUPTED: u8 = 130;
/// Traces of which features are asked for at most, unless it is said: as many as the collector reads at once.
const FEATURES: usize = 1000;

fn main() -> ExitCode {
    match Cli::parse().command {
        // these two have to begin with one thread, so before there is a runtime
        Command::Enter => up::enter::run(),
        Command::Init => up::init::run(),
        command => match run(command) {
            Ok(code) => code,
            // whoever has stopped it knows
            Err(error) if matches!(error.downcast_ref(), Some(forward::Error::Stopped)) => {
                ExitCode::from(INTERRUPTED)
            }
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
            let style = on_terminal(colour);
            let asked = reach(&place, async |api| {
                query::traces(&api, &search, json, style).await
            });
            show(&runtime.block_on(asked)?)
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
            let style = on_terminal(colour);
            let view = View {
                width: width(),
                style,
            };
            let asked = reach(&place, async |api| {
                query::trace(&api, &id, format, exact, view).await
            });
            show(&runtime.block_on(asked)?)
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
        Command::Mesh { now } => ask(&runtime, &Question::Mesh, &now, colour),
        Command::Why {
            subject: Some(subject),
            propagation: false,
            namespace,
            now,
        } => {
            let subject = subject.parse::<why::Subject>()?;
            let cluster = &now.place.cluster;
            let kubectl = kubectl(cluster);
            let asked = why::why(
                &kubectl,
                &subject,
                namespace.as_deref(),
                &cluster.meshtrace_namespace,
            );
            let explanation = runtime.block_on(asked)?;
            show(&match now.json {
                true => format!("{:#}\n", serde_json::to_value(&explanation)?),
                false => why::told(&explanation, on_terminal(colour)),
            })?;
            Ok(ExitCode::from(explanation.verdict.code()))
        }
        Command::Why { subject, now, .. } => {
            let workload = subject;
            ask(&runtime, &Question::Propagation { workload }, &now, colour)
        }
        Command::Check {
            pre,
            wait,
            json,
            cluster,
        } => {
            let kubectl = kubectl(&cluster);
            let options = check::Options {
                before: pre,
                namespace: cluster.meshtrace_namespace,
            };
            let progress = Progress::new();
            progress.say("checking …");
            let waiting = check::wait(&kubectl, &options, wait.unwrap_or_default(), |trouble, left| {
                progress.say(format_args!("waiting {} s: {}", left.as_secs(), trouble.what));
            });
            let report = runtime.block_on(waiting);
            drop(progress);
            show(&match json {
                true => format!("{:#}\n", serde_json::to_value(&report)?),
                false => report.text(on_terminal(colour)),
            })?;
            Ok(match report.trouble() {
                Some(_) => ExitCode::FAILURE,
                None => ExitCode::SUCCESS,
            })
        }
        Command::Dashboard { port, open, cluster } => {
            let kubectl = kubectl(&cluster);
            let say = |place: &str| {
                // without a terminal to read it the way is still open
                drop(writeln!(io::stdout(), "{place}"));
                if open {
                    dashboard::open(place);
                }
            };
            let open = dashboard::dashboard(&kubectl, &cluster.meshtrace_namespace, port, say);
            runtime.block_on(open)?;
            Ok(ExitCode::SUCCESS)
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
            let style = on_terminal(colour);
            let print = |line: &str| match io::stdout().write_all(line.as_bytes()) {
                Ok(()) => ControlFlow::Continue(()),
                // the reader has seen enough
                Err(_) => ControlFlow::Break(()),
            };
            let follow = reach(&place, async |api| {
                query::tail(&api, &said, json, style, print).await
            });
            runtime.block_on(follow)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Export {
            features: Some(features),
            service,
            conditions,
            since,
            limit,
            place,
            ..
        } => {
            let search = FeatureSearch {
                service: service.as_deref(),
                conditions: &conditions,
                since: since.as_deref(),
                limit: limit.unwrap_or(FEATURES),
            };
            let progress = Progress::new();
            progress.say("reading traces …");
            let asked = reach(&place, async |api| {
                query::features(&api, &search, features.name(), |bytes| {
                    progress.say(format_args!("reading traces … {bytes} bytes"));
                })
                .await
            });
            let table = runtime.block_on(asked);
            drop(progress);
            write(&table?)
        }
        Command::Export {
            id, format, place, ..
        } => {
            let id = id.unwrap_or_default();
            let progress = Progress::new();
            let asked = reach(&place, async |api| {
                query::export(&api, &id, format.name(), |bytes| {
                    progress.say(format_args!("reading the trace … {bytes} bytes"));
                })
                .await
            });
            let file = runtime.block_on(asked);
            drop(progress);
            write(&file?)
        }
        Command::Import { files, json, place } => {
            let work = reach(&place, async |api| import(&api, &files, json).await);
            runtime.block_on(work)?;
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
    let style = on_terminal(colour);
    let asked = reach(&now.place, async |api| {
        query::now(&api, question, &now.window, now.json, style).await
    });
    show(&runtime.block_on(asked)?)
}

/// Asks the collector that is meant: at its address, or in the cluster, where the way to it is open as long as it is asked.
async fn reach<T, E: Into<Box<dyn std::error::Error>>>(
    place: &Place,
    work: impl AsyncFnOnce(Api) -> Result<T, E>,
) -> Result<T, Box<dyn std::error::Error>> {
    if !place.in_cluster {
        return work(Api::at(&place.collector)?).await.map_err(Into::into);
    }
    let cluster = &place.cluster;
    let kubectl = kubectl(cluster);
    let through = forward::through(&kubectl, &cluster.meshtrace_namespace, async |address| {
        work(Api::at(&address)?).await.map_err(Into::into)
    });
    through.await?
}

fn kubectl(cluster: &Cluster) -> Kubectl {
    Kubectl::new(Target {
        context: cluster.context.clone(),
        kubeconfig: cluster.kubeconfig.clone(),
    })
}

fn on_terminal(colour: bool) -> Style {
    Style {
        colour: colour && io::stdout().is_terminal(),
    }
}

/// Hands each file to the collector, and says what became of it. Ends at the first that cannot be read or is refused.
async fn import(api: &Api, files: &[PathBuf], json: bool) -> Result<(), Box<dyn std::error::Error>> {
    for (index, path) in files.iter().enumerate() {
        let name = path.display();
        let file = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
        let progress = Progress::new();
        let (number, count, bytes) = (index + 1, files.len(), file.len());
        progress.say(format_args!(
            "importing {number} of {count}: {name}, {bytes} bytes …"
        ));
        let done = query::import(api, file, json).await;
        drop(progress);
        let text = done.map_err(|error| format!("{name}: {error}"))?;
        show(&match json {
            true => text,
            false => format!("{name}: {text}"),
        })?;
    }
    Ok(())
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
