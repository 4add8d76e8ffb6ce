//! The operator's configuration: flags, or variables where the cluster sets them. Read once, all problems together.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use contract::{installed, operator_env, port};
use inject::decide::collector;
use nix::unistd::gethostname;
use process::config::flags::{self, Setting, setting};
use process::config::{DURATION_ALLOWED, Problems, list, parse_duration, parsed, text};

/// The shortest life of a certificate: it has to be signed, published and shown by all replicas in a third of it.
const SHORTEST: Duration = Duration::from_secs(30);

/// The subcommand that prints the definitions of our custom resources.
pub const CRDS: &str = "crds";

/// What the operator will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the API server asks.
    pub webhook: SocketAddr,
    /// Metrics and probes.
    pub admin: SocketAddr,
    /// What its Service and its webhook configuration are called.
    pub name: String,
    /// The namespace that it is in.
    pub namespace: String,
    /// Further namespaces that are never touched.
    pub exclude: Vec<String>,
    /// Who this replica is among the others.
    pub identity: String,
    /// How long the webhook's certificate lasts.
    pub certificate_lifetime: Duration,
    /// The sidecar's image.
    pub image: String,
    /// Where sidecars send their spans.
    pub collector: String,
    /// Where sidecars ask for settings.
    pub settings: SocketAddr,
    /// Where sidecars are told to ask for them. `None`: they are told nothing.
    pub settings_url: Option<String>,
    /// What is logged.
    pub log: String,
}

/// The subcommand that deletes the webhook configuration instead of serving it.
pub const FORGET: &str = "forget";

/// The subcommand that takes away what Helm leaves.
pub const SWEEP: &str = "sweep";

/// Its flag: also the definitions of our custom resources, where there are no such resources.
pub const DEFINITIONS: &str = "definitions";

fn settings() -> [Setting; 12] {
    let version = env!("CARGO_PKG_VERSION");
    [
        setting(
            "webhook",
            "--webhook",
            "MESHTRACE_OPERATOR_WEBHOOK",
            "ADDRESS",
            format!("[::]:{}", port::WEBHOOK),
            "Where the API server asks about pods",
        ),
        setting(
            "admin",
            "--admin",
            "MESHTRACE_OPERATOR_ADMIN",
            "ADDRESS",
            format!("[::]:{}", port::OPERATOR_ADMIN),
            "Where /metrics, /live and /ready are answered",
        ),
        setting(
            "name",
            "--name",
            "MESHTRACE_OPERATOR_NAME",
            "NAME",
            "meshtrace-operator",
            "What its Service and its webhook configuration are called",
        ),
        setting(
            "namespace",
            "--namespace",
            "MESHTRACE_OPERATOR_NAMESPACE",
            "NAMESPACE",
            installed::NAMESPACE,
            "The namespace that it is in",
        ),
        setting(
            "exclude",
            "--exclude",
            operator_env::EXCLUDE,
            "NAMESPACES",
            "",
            "Further namespaces that the API server does not ask about, separated by commas",
        ),
        setting(
            "identity",
            "--identity",
            "MESHTRACE_OPERATOR_IDENTITY",
            "NAME",
            host_name(),
            "Who this replica is among the others: the name of its pod",
        ),
        setting(
            "certificate-lifetime",
            "--certificate-lifetime",
            "MESHTRACE_OPERATOR_CERTIFICATE_LIFETIME",
            "DURATION",
            "30d",
            "How long the webhook's certificate lasts; it is replaced at two thirds of that",
        ),
        setting(
            "image",
            "--image",
            operator_env::IMAGE,
            "IMAGE",
            format!("{}:{version}", installed::SIDECAR_IMAGE),
            "The sidecar's image, unless an annotation names another one",
        ),
        setting(
            "collector",
            "--collector",
            operator_env::COLLECTOR,
            "URL",
            installed::COLLECTOR,
            "Where sidecars send their spans",
        ),
        setting(
            "settings",
            "--settings",
            "MESHTRACE_OPERATOR_SETTINGS",
            "ADDRESS",
            format!("[::]:{}", port::SETTINGS),
            "Where sidecars ask for settings while they run",
        ),
        setting(
            "settings-url",
            "--settings-url",
            operator_env::SETTINGS_URL,
            "URL",
            installed::OPERATOR,
            "Where sidecars are told to ask for settings; empty for nowhere",
        ),
        setting(
            "log",
            "--log",
            "MESHTRACE_OPERATOR_LOG",
            "FILTER",
            "info",
            "What is logged: error, warn, info, debug, trace, or target=level, separated by commas",
        ),
    ]
}

/// The command line, for `--help` and for parsing.
pub fn command() -> Command {
    Command::new("meshtrace-operator")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Decides which pods of a cluster get a sidecar, and puts it there.")
        .subcommand(Command::new(CRDS).about("Print the definitions of our custom resources, to be applied"))
        .args(flags::arguments(settings()))
        .subcommand(
            Command::new(FORGET).about("Delete the webhook configuration, before all else is uninstalled"),
        )
        .subcommand(
            Command::new(SWEEP)
                .about("Take our labels off namespaces, after all else was uninstalled")
                .arg(
                    Arg::new(DEFINITIONS)
                        .long(DEFINITIONS)
                        .action(ArgAction::SetTrue)
                        .help("Also delete the definitions of our custom resources, if there are no such resources"),
                ),
        )
}

impl Config {
    /// Checks what was said on the command line and in the environment.
    ///
    /// # Errors
    /// Everything that is wrong, each with the flag or variable that says it and with what is allowed.
    pub fn read(matches: &ArgMatches) -> Result<Self, Problems> {
        let document = flags::document("meshtrace-operator", settings(), matches);
        let mut root = document.root();
        // What does not parse is among the problems, so that what stands in for it is never used.
        let mut address = |key| {
            root.required(key, parsed("an address with a port, such as [::]:9443"))
                .unwrap_or(SocketAddr::from(([0; 4], 0)))
        };
        let (webhook, admin) = (address("webhook"), address("admin"));
        let asked = address("settings");
        let lifetime = root.required("certificate-lifetime", |value| lifetime(&text(value)?));
        let exclude = root.optional("exclude", list(text));
        let collector = root.required("collector", |value| collector(&text(value)?));
        let settings_url = root.required("settings-url", |value| match text(value)?.as_str() {
            "" => Ok(None),
            url => inject::decide::collector(url).map(Some),
        });
        let mut word = |key| root.required(key, text).unwrap_or_default();
        let config = Self {
            webhook,
            admin,
            name: word("name"),
            namespace: word("namespace"),
            identity: word("identity"),
            exclude: exclude.unwrap_or_default(),
            certificate_lifetime: lifetime.unwrap_or_default(),
            image: word("image"),
            collector: collector.unwrap_or_default(),
            settings: asked,
            settings_url: settings_url.flatten(),
            log: word("log"),
        };
        root.finish();
        document.finish()?;
        Ok(config)
    }
}

/// In a pod, the pod's name.
fn host_name() -> String {
    let name = gethostname().ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_default()
}

fn lifetime(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|lifetime| *lifetime >= SHORTEST)
        .ok_or_else(|| {
            format!(
                "`{text}` is not {DURATION_ALLOWED} of at least {} s",
                SHORTEST.as_secs()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Config, Problems> {
        let matches = command().try_get_matches_from([&["meshtrace-operator"], arguments].concat());
        Config::read(&matches.unwrap())
    }

    #[test]
    fn the_defaults_are_where_it_is_usually_installed() {
        let config = read(&[]).unwrap();
        assert_eq!(config.namespace, "meshtrace");
        assert_eq!(config.webhook.port(), port::WEBHOOK);
    }

    #[test]
    fn all_problems_come_together_each_with_its_flag() {
        let wrong = [
            "--webhook=9443",
            "--admin=here",
            "--collector=there",
            "--certificate-lifetime=1s",
        ];
        let problems = read(&wrong).unwrap_err();
        assert_eq!(problems.list().len(), 4);
        assert!(problems.list()[0].starts_with("--webhook: `9443` is not an address"));
    }

    #[test]
    fn no_variable_is_one_that_kubernetes_sets_for_a_service() {
        for setting in settings() {
            let rest = setting.variable.strip_prefix("MESHTRACE_OPERATOR_").unwrap();
            assert!(
                !rest.starts_with("PORT") && !rest.starts_with("SERVICE"),
                "{rest}"
            );
        }
    }
}
