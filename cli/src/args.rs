//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "meshtrace",
    version,
    about = "See how requests move through your services",
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the services of a mesh.yaml on this machine, traced
    #[command(after_long_help = UP)]
    Up {
        /// The file that describes the mesh
        #[arg(default_value = "mesh.yaml")]
        file: PathBuf,
        /// Run the same mesh without sidecars and collector, to compare
        #[arg(long)]
        untraced: bool,
        /// Show what happens to the services, not what they print
        #[arg(long, short)]
        quiet: bool,
    },
    /// List traces, the latest or the slowest first
    #[command(after_long_help = TRACES)]
    Traces {
        /// Only traces with a span of this service
        #[arg(long, short)]
        service: Option<String>,
        /// ... of this name, such as "GET /accounts/{id}"
        #[arg(long, short)]
        operation: Option<String>,
        /// ... that says this, such as http.response.status_code=500; repeat for more
        #[arg(long = "tag", short, value_name = "KEY=VALUE", value_parser = tag)]
        tags: Vec<(String, String)>,
        /// ... that took at least this long, such as 300ms
        #[arg(long, value_name = "DURATION")]
        min_duration: Option<String>,
        /// ... that took at most this long
        #[arg(long, value_name = "DURATION")]
        max_duration: Option<String>,
        /// ... that is not older than this, such as 15m
        #[arg(long, value_name = "DURATION")]
        since: Option<String>,
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
        /// The slowest traces first, instead of the latest
        #[arg(long)]
        slowest: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Which collector to ask
        #[command(flatten)]
        place: Place,
    },
    /// Show one trace
    #[command(after_long_help = TRACE)]
    Trace {
        /// Its id, or the beginning of it
        id: String,
        /// How to show it
        #[arg(long, value_enum, default_value_t = Shape::Waterfall)]
        format: Shape,
        /// Which links to follow: with `exact`, spans whose parent was inferred stand on their own
        #[arg(long, value_enum, default_value_t = LinkChoice::All)]
        links: LinkChoice,
        /// Print the collector's JSON
        #[arg(long, conflicts_with = "format")]
        json: bool,
        /// Which collector to ask
        #[command(flatten)]
        place: Place,
    },
    /// List services with their rates, errors and latency
    Services {
        /// What to look at
        #[command(flatten)]
        now: Now,
    },
    /// List operations, those that take most time first
    Top {
        /// Only those of this service
        #[arg(long, short)]
        service: Option<String>,
        /// What comes first
        #[arg(long, value_enum, default_value_t = TopOrder::Time)]
        order: TopOrder,
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
        /// What to look at
        #[command(flatten)]
        now: Now,
    },
    /// List who calls whom, with rates, errors and latency
    Graph {
        /// What to look at
        #[command(flatten)]
        now: Now,
    },
    /// List workloads with what their sidecars tell of themselves: losses, added latency, CPU, memory; and what to do
    Mesh {
        /// What to look at
        #[command(flatten)]
        now: Now,
    },
    /// Say why a workload has a sidecar or none, or why its traces are not connected
    #[command(after_long_help = WHY)]
    Why {
        /// A workload or pod of the cluster (deploy/NAME, sts/, ds/, rs/, job/, cronjob/, pod/); with --propagation, a
        /// service by its name
        #[arg(required_unless_present = "propagation")]
        subject: Option<String>,
        /// How calls got their parents, of the one service or of all
        #[arg(long)]
        propagation: bool,
        /// The workload's namespace [default: kubectl's]
        #[arg(long, short, value_parser = object_name)]
        namespace: Option<String>,
        /// What to look at
        #[command(flatten)]
        now: Now,
    },
    /// Check whether a cluster is ready for meshtrace, and whether meshtrace works in it
    #[command(after_long_help = CHECK)]
    Check {
        /// Check what an installation needs, before there is one
        #[arg(long)]
        pre: bool,
        /// Check again until there is no error, for so long, such as 2m
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        wait: Option<Duration>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Which cluster to check
        #[command(flatten)]
        cluster: Cluster,
    },
    /// Open a way to the pages of the collector in a cluster, until Ctrl-C
    #[command(after_long_help = DASHBOARD)]
    Dashboard {
        /// The port of this machine where they are [default: any free one]
        #[arg(long)]
        port: Option<u16>,
        /// Open them in the browser
        #[arg(long)]
        open: bool,
        /// Which cluster's collector
        #[command(flatten)]
        cluster: Cluster,
    },
    /// Follow spans as they arrive
    #[command(after_long_help = TAIL)]
    Tail {
        /// Only spans of this service
        #[arg(long, short)]
        service: Option<String>,
        /// ... of this name
        #[arg(long, short)]
        operation: Option<String>,
        /// ... that say this: KEY=VALUE, KEY>NUMBER, KEY; repeat for more
        #[arg(long = "where", value_name = "CONDITION")]
        conditions: Vec<String>,
        /// ... that failed
        #[arg(long)]
        errors: bool,
        /// ... that took at least this long
        #[arg(long, value_name = "DURATION")]
        min_duration: Option<String>,
        /// ... that begin a trace
        #[arg(long)]
        roots: bool,
        /// Print JSON, a line for each
        #[arg(long)]
        json: bool,
        /// Which collector to ask
        #[command(flatten)]
        place: Place,
    },
    /// Write one trace, or the features of many, as a file to standard output
    #[command(after_long_help = EXPORT)]
    Export {
        /// The trace's id, or the beginning of it
        #[arg(required_unless_present = "features")]
        id: Option<String>,
        /// What kind of file
        #[arg(long, value_enum, default_value_t = FileFormat::Otlp)]
        format: FileFormat,
        /// Not one trace, but a table with a row for each trace of a search: its spans by operation, depth, errors and more
        #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["id", "format"])]
        features: Option<TableFormat>,
        /// Only traces with a span of this service
        #[arg(long, short, requires = "features")]
        service: Option<String>,
        /// ... that says this: KEY=VALUE, KEY>NUMBER, KEY; repeat for more
        #[arg(long = "where", value_name = "CONDITION", requires = "features")]
        conditions: Vec<String>,
        /// ... that is not older than this, such as 15m
        #[arg(long, value_name = "DURATION", requires = "features")]
        since: Option<String>,
        /// At most so many traces [default: 1000]
        #[arg(long, short = 'n', requires = "features")]
        limit: Option<usize>,
        /// Which collector to ask
        #[command(flatten)]
        place: Place,
    },
    /// Hand traces of OTLP or Jaeger JSON files to the collector
    Import {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Which collector to ask
        #[command(flatten)]
        place: Place,
    },
    /// Put the sidecar into the pods of manifests
    #[command(after_long_help = INJECT)]
    Inject {
        /// Which manifests
        #[command(flatten)]
        manifests: Manifests,
        /// Where the sidecars send their spans
        #[arg(
            long,
            value_name = "URL",
            default_value = contract::installed::COLLECTOR,
            value_parser = inject::decide::collector
        )]
        collector: String,
        /// The sidecar's image [default: that of this version]
        #[arg(long)]
        image: Option<String>,
        /// The cluster is older than Kubernetes 1.29, which brought native sidecars
        #[arg(long)]
        before_1_29: bool,
    },
    /// Take the sidecar out of the pods of manifests
    #[command(after_long_help = UNINJECT)]
    Uninject {
        /// Which manifests
        #[command(flatten)]
        manifests: Manifests,
    },
    /// Send one request and look for its trace: whether what leaves this pod is traced
    Probe {
        /// Which collector to ask, and to look in
        #[command(flatten)]
        place: Place,
    },
    #[doc(hidden)]
    #[command(name = crate::up::enter::COMMAND, hide = true)]
    Enter,
    #[doc(hidden)]
    #[command(name = crate::up::init::COMMAND, hide = true)]
    Init,
}

/// Which collector to ask.
#[derive(Args, Debug)]
pub struct Place {
    /// Its query API, or that of any Jaeger
    #[arg(
        long,
        value_name = "URL",
        env = "MESHTRACE_QUERY",
        default_value = "http://127.0.0.1:16686"
    )]
    pub collector: String,
    /// Ask the collector in the cluster instead, through `kubectl port-forward`
    #[arg(long = "cluster")]
    pub in_cluster: bool,
    /// Which cluster
    #[command(flatten)]
    pub cluster: Cluster,
}

/// Which cluster, and where in it meshtrace is.
#[derive(Args, Debug)]
#[command(next_help_heading = "Cluster")]
pub struct Cluster {
    /// The context of the kubeconfig [default: kubectl's]
    #[arg(long)]
    pub context: Option<String>,
    /// The kubeconfig [default: kubectl's]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace in which meshtrace is installed
    #[arg(long, value_name = "NAMESPACE", default_value = contract::installed::NAMESPACE, value_parser = object_name)]
    pub meshtrace_namespace: String,
}

/// What happens now.
#[derive(Args, Debug)]
pub struct Now {
    /// How far back, 10s to 1h
    #[arg(long, value_name = "DURATION", default_value = "15m")]
    pub window: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Which collector to ask
    #[command(flatten)]
    pub place: Place,
}

/// Which links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LinkChoice {
    /// All of them, inferred ones marked
    All,
    /// Not those that were inferred
    Exact,
}

/// Which operations come first.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TopOrder {
    /// The most time, all together
    Time,
    /// The most calls
    Calls,
    /// The most failures
    Errors,
    /// The largest 95th percentile
    P95,
    /// The largest 99th percentile
    P99,
}

impl TopOrder {
    /// As the collector has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Calls => "calls",
            Self::Errors => "errors",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }
}

/// What kind of file a trace is written as.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FileFormat {
    /// OTLP JSON
    Otlp,
    /// What Jaeger UI uploads
    Jaeger,
    /// A line for every REQ, IN, OUT and REP
    Text,
    /// One page that opens offline
    Html,
}

impl FileFormat {
    /// As the collector has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::Jaeger => "jaeger",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

/// What kind of file a table is written as.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TableFormat {
    /// A column for every operation
    Csv,
    /// A list of operations in each row
    Parquet,
    /// What the collector says
    Json,
}

impl TableFormat {
    /// As the collector has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Json => "json",
        }
    }
}

/// Which manifests.
#[derive(Args, Debug)]
pub struct Manifests {
    /// A file of YAML or JSON documents; `-` is standard input
    pub file: PathBuf,
    /// The namespace of documents that do not say theirs
    #[arg(long, short, default_value = "default")]
    pub namespace: String,
    /// Report in JSON, a line for every document with pods
    #[arg(long)]
    pub json: bool,
}

/// How one trace is shown.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shape {
    /// A line for every span, with a bar for its time
    Waterfall,
    /// A line for every event: REQ, IN, OUT, REP, ERR
    Log,
}

/// Reads what Kubernetes takes for a name: RFC 1123's letters, digits, dashes and dots.
///
/// # Errors
/// It is none.
pub fn object_name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let (first, last) = (text.bytes().next(), text.bytes().last());
    match text.len() <= 253 && text.bytes().all(fits) && ends(first) && ends(last) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "`{text}` is not the name of an object: lowercase letters, digits, `-` and `.`"
        )),
    }
}

fn tag(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or("it is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

const TRACES: &str = "\
Examples:
  meshtrace traces
  meshtrace traces --service edge --slowest --limit 5
  meshtrace traces --cluster
  meshtrace traces --tag error=true --since 15m
  meshtrace traces --operation 'POST /accounts/{id}/deposit' --min-duration 300ms --json";

const TRACE: &str = "\
The waterfall has a line for every span: its service and name (an arrow stands before calls to others), how long it
took, and when. Behind the bar stands what went wrong, and how a span was joined to its parent where the application
did not pass a context on: exact, inferred (with its confidence), unknown.

Examples:
  meshtrace trace 4bf92f35
  meshtrace trace 4bf92f3577b34da6a3ce929d0e0e4736 --format log
  meshtrace trace 4bf92f35 --json | jq '.spans | length'";

const WHY: &str = "\
Two questions. `why deploy/NAME` asks the cluster whether the workload's pods get a sidecar: all reasons if they do not, what
is said on the pod, the workload and the namespace and what wins, what its pods have now, and what to do. It decides by the
operator's own code, and changes nothing. `why --propagation` asks the collector (--collector, or --cluster) how calls got
their parents, and what would connect more of them.

Of a workload or pod it ends with
  0  it gets a sidecar, and all its pods are as they should be
  1  the question could not be answered
  3  it gets none
  4  it gets one, and there is something to do first, such as a restart

Examples:
  meshtrace why deploy/account -n bank
  meshtrace why pod/account-5d7c9-x2x7p -n bank --json
  meshtrace why --propagation --cluster
  meshtrace why --propagation edge --window 1h";

const CHECK: &str = "\
Every finding is ok (✓), a warning (!) or an error (✗) with what to do, and has a name that stays the same. All is asked with
your own kubectl and your rights; nothing is changed. Whether the webhook answers is tried by a dry run of one pod.

Ends with 1 if anything is an error.

Examples:
  meshtrace check --pre          # before helm install
  meshtrace check --wait 2m      # after it
  meshtrace check --json | jq '.findings[] | select(.status != \"ok\")'";

const DASHBOARD: &str = "\
Prints the address once the collector answers there. Where its pod ends, the way is opened again to the next one, at the
same address. Needs kubectl, and the right to port-forward in meshtrace's namespace.

Examples:
  meshtrace dashboard
  meshtrace dashboard --open --context production";

const EXPORT: &str = "\
Examples:
  meshtrace export 4bab35 --format html > trace.html
  meshtrace export --features parquet --service edge --since 1h > features.parquet";

const TAIL: &str = "\
Examples:
  meshtrace tail
  meshtrace tail --service edge --errors
  meshtrace tail --where 'http.response.status_code>=500' --min-duration 300ms --json";

const INJECT: &str = "\
Writes the manifests to standard output and to standard error what became of them. Deployments, StatefulSets, DaemonSets,
ReplicaSets, Jobs, CronJobs, Pods and Lists of them get a sidecar, unless they or their namespace say
meshtrace.io/inject: \"false\"; the other annotations meshtrace.io/* hold too. Whatever else is in the documents stays as
it is, to the letter. A Namespace among them counts for the others.

No operator is needed for this. Where one runs it leaves these pods alone.

Ends with 1, and writes no manifest, when a document cannot be read or changed.

Examples:
  meshtrace inject - < bank.yaml | kubectl apply -f -
  kubectl get deploy -o yaml | meshtrace inject - | kubectl apply -f -
  meshtrace inject bank.yaml --collector http://collector.observe:4317 | diff bank.yaml -";

const UNINJECT: &str = "\
What `meshtrace inject` has put there goes, and nothing else. Pods that the operator injects have nothing in their manifest:
remove the annotation meshtrace.io/inject, or set it to \"false\".

Example:
  kubectl get deploy account -o yaml | meshtrace uninject - | kubectl apply -f -";

const UP: &str = "\
Every service runs in a network namespace of its own, with the redirect rules and the sidecar that it would have in a
pod, and finds the others by name. It needs no change and no tracing library. Nothing outlives the command.

A mesh.yaml:

  services:
    shop:
      command: [python3, shop.py]   # or one line for the shell
      port: 8080                    # where it listens: it is ready then
      publish: 8080                 # reach it at 127.0.0.1:8080; also ADDRESS:PORT
      env: {STOCK: 'stock:8080'}
    stock:
      command: node stock.js
      workdir: stock                # relative to the file
      port: 8080
      replicas: 2                   # stock-0 and stock-1; `stock` is both
      restart: on-failure           # never (default), on-failure, always
      sidecar: {sampling: 10%}      # also routes, propagate, opaque_ports, ...
    load:
      command: ./load.sh
      traced: false
  sidecar: {capture_headers: [x-request-id]}   # for every service
  collector: {publish: 16686}       # enabled: false for none
  ip: dual                          # names stand for IPv4 (default) or both

It runs as root (and the services then too), and without root where user namespaces are allowed. The services reach
each other, not the outside. Programs that stand beside meshtrace are found as if they were on PATH.

Ends with 0 when every service ended well or Ctrl-C stopped it; 1 when a service failed for good, or the mesh could
not be started; 130 on a second Ctrl-C, which does not wait for the services to stop.

Examples:
  meshtrace up demo/bank/mesh.yaml
  meshtrace up --quiet
  meshtrace up --untraced     # what do the same services do without us?";
