//! `cluster`: a Kubernetes of one node, to test on or to play with.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::env::{self, join_paths, split_paths};
use std::ffi::OsString;
use std::iter::once;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Instant;

use clap::{Parser, Subcommand};
use cluster::failure::{Asked, Failure};
use cluster::namespaces::{Life, Namespaces};
use cluster::node::{self, Plan};
use cluster::place::Place;
use cluster::{needs, programs};

/// A Kubernetes of one node on this machine, in namespaces of its own
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder that holds everything of the node
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        default_value = "/var/tmp/meshtrace-cluster"
    )]
    at: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Build the programs that a node consists of, and keep them
    Build,
    /// Bring a node up and leave it running
    Up {
        /// Folders with archives of images (*.tar) to import
        #[arg(long, value_name = "FOLDER")]
        images: Vec<PathBuf>,
    },
    /// Take the node down, also one that was left behind
    Down,
    /// Run a command in the network of the node that is up, with KUBECONFIG and kubectl
    Enter {
        /// The command and its arguments
        #[arg(required = true, last = true)]
        command: Vec<OsString>,
    },
    /// Bring a node up, run a command in its network, take it down. With KUBECONFIG set: only run the command
    Run {
        /// Folders with archives of images (*.tar) to import
        #[arg(long, value_name = "FOLDER")]
        images: Vec<PathBuf>,
        /// The command and its arguments
        #[arg(required = true, last = true)]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match act(&arguments) {
        Ok(status) => ExitCode::from(code(status)),
        Err(Failure::Unfit(why)) => {
            println!("SKIPPED: cluster: {why}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("cluster: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn act(arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let place = &Place::at(&arguments.at)?;
    match &arguments.action {
        Action::Build => built().map(|_| ExitStatus::default()),
        Action::Up { images } => {
            bring_up(place, images, Life::OnItsOwn)?;
            say(&format!("export KUBECONFIG={}", place.kubeconfig().display()));
            Ok(ExitStatus::default())
        }
        Action::Down => node::down(place).map(|()| ExitStatus::default()),
        Action::Enter { command } => {
            let up = Namespaces::of(place);
            let up =
                up.ok_or_else(|| Failure::Unfit(format!("no node is up at {}", place.root().display())))?;
            enter(place, &up, command)
        }
        Action::Run { command, .. } if env::var_os("KUBECONFIG").is_some() => {
            let mut words = command.iter();
            status(Command::new(words.next().map_or("true".as_ref(), OsString::as_os_str)).args(words))
        }
        Action::Run { images, command } => {
            let up = bring_up(place, images, Life::OfThisThread)?;
            let result = enter(place, &up, command);
            node::down(place)?;
            result
        }
    }
}

fn built() -> Result<Vec<PathBuf>, Failure> {
    needs::check(&search_path())?;
    programs::ready(
        &programs::cache(|name| env::var_os(name).map(PathBuf::from))?,
        say,
    )
}

fn bring_up(place: &Place, images: &[PathBuf], life: Life) -> Result<Namespaces, Failure> {
    let programs = &built()?;
    let begin = Instant::now();
    let path = search_path();
    let up = node::up(
        &Plan {
            place,
            programs,
            images,
            path,
            life,
        },
        say,
    );
    match &up {
        Ok(_) => say(&format!("up after {:.1} s", begin.elapsed().as_secs_f64())),
        // what it said is in the failure already
        Err(_) => node::down(place)?,
    }
    up
}

/// Runs a command in the node's network, with what an administrator needs.
fn enter(place: &Place, node: &Namespaces, command: &[OsString]) -> Result<ExitStatus, Failure> {
    let mut words = command.iter();
    let mut inside = node.in_its_network(words.next().map_or("true".as_ref(), OsString::as_os_str));
    let path = join_paths(split_paths(&search_path()).chain(once(place.path("bin")))).unwrap_or_default();
    inside
        .args(words)
        .env("KUBECONFIG", place.kubeconfig())
        .env("PATH", path);
    status(&mut inside)
}

fn status(command: &mut Command) -> Result<ExitStatus, Failure> {
    let program = command.get_program().to_owned();
    command
        .status()
        .to(|| format!("run {}", Path::new(&program).display()))
}

/// What a shell would say of the end of a command.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn search_path() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

fn say(what: &str) {
    println!("cluster: {what}");
}
