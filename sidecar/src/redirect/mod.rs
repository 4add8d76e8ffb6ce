//! `meshtrace-sidecar redirect`: the netfilter rules that bring a pod's TCP connections to the sidecar.
//!
//! Three steps, a file each: [`plan`] checks what the user said, [`rules`] writes it as a ruleset, [`install`] hands
//! that to the tools of the machine. The rules cover what enters the pod and what leaves it. They never touch
//! connections of the pod to itself, connections of the sidecar, connections that were open before, or forwarded
//! packets; and nothing but TCP.

pub mod install;
pub mod plan;
pub mod rules;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use install::{Attempt, Installed};
use plan::{Plan, Problem};

/// What `meshtrace-sidecar redirect` can be asked to do. See [`Plan::check`] for the values that it accepts.
#[derive(Args, Clone, Debug)]
#[command(
    about = "Bring the TCP connections of this network namespace to the sidecar, or leave them alone again",
    after_long_help = "\
Works on the network namespace it is run in, IPv4 and IPv6, and needs NET_ADMIN there. Run it inside the pod: on a
host it would take the host's own traffic.

Redirected are new TCP connections that come in from outside, and new TCP connections that go out. Always left alone:
the pod talking to itself (127.0.0.0/8, ::1, its own addresses), link-local IPv6, the ports of the sidecar itself,
and connections that are already open.

Installing replaces whatever an earlier install left. `remove` is fine where nothing is installed; it cuts the
connections that the sidecar is carrying.

Examples:
  meshtrace-sidecar redirect
  meshtrace-sidecar redirect install --exclude-inbound-ports 22,9000-9100 --exclude-outbound-cidrs 10.96.0.1
  meshtrace-sidecar redirect show --tool iptables
  meshtrace-sidecar redirect remove"
)]
pub struct RedirectArgs {
    /// What to do.
    #[arg(value_enum, default_value_t = Action::Install, hide_default_value = true)]
    pub action: Action,

    /// The tool that installs the rules. By default the first that works of nft, iptables and iptables-legacy.
    #[arg(long, value_enum, value_name = "TOOL")]
    pub tool: Option<Tool>,

    /// Where the sidecar listens for connections into the pod.
    #[arg(long, value_name = "PORT", default_value_t = contract::port::INBOUND.to_string())]
    pub inbound_port: String,

    /// Where the sidecar listens for connections out of the pod.
    #[arg(long, value_name = "PORT", default_value_t = contract::port::OUTBOUND.to_string())]
    pub outbound_port: String,

    /// The sidecar's metrics and probes, which stay reachable directly.
    #[arg(long, value_name = "PORT", default_value_t = contract::port::ADMIN.to_string())]
    pub admin_port: String,

    /// The user id that the sidecar runs as; connections of this user are left alone. `none` where the sidecar shares
    /// its user id with the application and only --mark tells them apart.
    #[arg(long, value_name = "UID", default_value_t = contract::SIDECAR_UID.to_string())]
    pub uid: String,

    /// Connections whose packets carry this netfilter mark are left alone too: 1 or 0x1.
    #[arg(long, value_name = "MARK")]
    pub mark: Option<String>,

    /// Ports of the pod that are reached directly, separated by commas: 22,9000-9100.
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    pub exclude_inbound_ports: Vec<String>,

    /// Ports elsewhere that the pod reaches directly, separated by commas: 3306,9000-9100.
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    pub exclude_outbound_ports: Vec<String>,

    /// Addresses that the pod reaches directly, separated by commas: 169.254.169.254,10.96.0.0/12,fd00::/8.
    #[arg(long, value_name = "CIDRS", value_delimiter = ',')]
    pub exclude_outbound_cidrs: Vec<String>,

    /// Where the rules cannot be installed, write why to FILE and succeed all the same, so that the pod starts without
    /// them: /dev/termination-log, where Kubernetes reads it.
    #[arg(long, env = contract::env::BEST_EFFORT, value_name = "FILE")]
    pub best_effort: Option<PathBuf>,
}

/// The verbs of `redirect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// Install the rules, in place of those that are there (the default).
    Install,
    /// Remove the rules, whichever tool has installed them.
    Remove,
    /// Print the rules that would be installed, and change nothing.
    Show,
}

/// What speaks to the kernel's packet filter, the preferred one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// nft, of the package nftables.
    Nft,
    /// iptables and ip6tables, whichever variant the system has chosen.
    Iptables,
    /// iptables-legacy and ip6tables-legacy, for kernels without nf_tables.
    IptablesLegacy,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tool::Nft => "nft",
            Tool::Iptables => "iptables",
            Tool::IptablesLegacy => "iptables-legacy",
        })
    }
}

/// Does what was asked for in the network namespace of the calling thread, and says in words for people what was done.
/// With `--best-effort`, an install that fails has changed nothing and is no error.
pub fn run(args: &RedirectArgs) -> Result<String, RedirectError> {
    match (act(args), &args.best_effort) {
        (Err(error), Some(file)) if args.action == Action::Install => Ok(leave(&error, file)),
        (done, _) => done,
    }
}

/// Leaves the pod as it is, and tells why where others will look.
fn leave(error: &RedirectError, file: &Path) -> String {
    let told = match fs::write(file, error.to_string()) {
        Ok(()) => String::new(),
        Err(error) => format!(
            "\nwarning: nobody else learns of this: {}: {error}",
            file.display()
        ),
    };
    format!("no rules installed, so nothing is traced: {error}{told}")
}

fn act(args: &RedirectArgs) -> Result<String, RedirectError> {
    let plan = Plan::check(args).map_err(RedirectError::Arguments)?;
    match args.action {
        Action::Install => Ok(describe(&plan, &install::install(&plan, args.tool)?)),
        Action::Remove => Ok(format!(
            "no rules are left (made sure with {})",
            join(&install::remove()?)
        )),
        Action::Show => Ok(rules::show(&plan, args.tool.unwrap_or(Tool::Nft))),
    }
}

fn describe(plan: &Plan, installed: &Installed) -> String {
    let done = format!(
        "rules installed with {}: connections into the pod go to port {}, connections out of it to port {}",
        installed.tool, plan.inbound_port, plan.outbound_port
    );
    installed
        .warnings
        .iter()
        .fold(done, |text, warning| format!("{text}\nwarning: {warning}"))
}

fn join(items: &[impl fmt::Display]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum RedirectError {
    /// All that is wrong with the arguments.
    #[error("{}", list("the arguments cannot be used", .0))]
    Arguments(Vec<Problem>),
    /// No tool that could do it is on the `PATH`.
    #[error("no tool to change netfilter rules was found on the PATH: install nftables or iptables")]
    NoTool,
    /// The kernel does not let us.
    #[error("not permitted: run this with the NET_ADMIN capability, in the pod's network namespace ({0})")]
    NotPermitted(Attempt),
    /// What the tools that are there have tried in vain.
    #[error("{}", list("netfilter refused; the node's kernel needs nf_tables with nat, or iptable_nat", .0))]
    Refused(Vec<Attempt>),
}

fn list(heading: &str, items: &[impl fmt::Display]) -> String {
    items
        .iter()
        .fold(format!("{heading}:"), |text, item| format!("{text}\n  - {item}"))
}
