//! Settings that are flags, each with an environment variable behind it, where a program has no configuration file.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use super::{Document, Variable};

/// One setting: its key in the document, how it is said, and what `--help` tells of it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// Its flag, `--` and all, as problems name it.
    pub flag: &'static str,
    /// Its environment variable. The flag wins.
    pub variable: &'static str,
    value: &'static str,
    default: String,
    help: &'static str,
}

/// A setting; `value` is what `--help` calls its value.
pub fn setting(
    key: &'static str,
    flag: &'static str,
    variable: &'static str,
    value: &'static str,
    default: impl Into<String>,
    help: &'static str,
) -> Setting {
    Setting {
        key,
        flag,
        variable,
        value,
        default: default.into(),
        help,
    }
}

/// The settings as arguments of a command line.
pub fn arguments(settings: impl IntoIterator<Item = Setting>) -> impl Iterator<Item = Arg> {
    settings.into_iter().map(|setting| {
        Arg::new(setting.key)
            .long(setting.flag.trim_start_matches('-'))
            .env(setting.variable)
            .value_name(setting.value)
            .default_value(setting.default)
            .help(setting.help)
    })
}

/// What was said, as a document of which every key has a value. Problems name the flag or the variable that says it.
pub fn document(
    program: &str,
    settings: impl IntoIterator<Item = Setting>,
    matches: &ArgMatches,
) -> Document {
    let said: Vec<(Variable, String)> = settings
        .into_iter()
        .filter_map(|setting| {
            let place = match matches.value_source(setting.key) {
                Some(ValueSource::EnvVariable) => setting.variable,
                _ => setting.flag,
            };
            let value = matches.get_one::<String>(setting.key)?.clone();
            Some(((place, setting.key), value))
        })
        .collect();
    Document::new(program, "", &said)
}
