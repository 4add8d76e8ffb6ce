//! Hands rulesets to the tools of the machine, in the network namespace of the calling thread.
//!
//! nft does IPv4 and IPv6 in one transaction. iptables needs one for each, and IPv6 without nat in the kernel is no
//! reason to leave IPv4 alone. A tool that fails has changed nothing, so the next one can be tried.

use std::fmt;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

use clap::ValueEnum;

use super::plan::Plan;
use super::rules::{self, Family};
use super::{RedirectError, Tool};

/// Characters of a tool's complaint that are passed on.
const LONGEST_COMPLAINT: usize = 1000;

/// Something that a tool was asked to do and did not.
#[derive(Debug, thiserror::Error)]
#[error("{program}, to {step}: {failure}")]
pub struct Attempt {
    /// The program that was run.
    pub program: &'static str,
    /// What for.
    pub step: Step,
    /// What became of it.
    pub failure: Failure,
}

/// What a tool is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To see the rules that are there.
    Read,
    /// To put ours in their place.
    Install,
    /// To remove ours, which are there.
    Remove,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Read => "read the rules",
            Step::Install => "install the rules",
            Step::Remove => "remove the rules",
        })
    }
}

/// How a tool failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is not on the `PATH`.
    #[error("not installed")]
    Missing,
    /// It could not be run, or not be spoken to.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It ended with an error. The beginning of what it printed about that.
    #[error("{0}")]
    Refused(String),
}

/// What an install has done.
#[derive(Debug)]
pub struct Installed {
    /// The tool that has done it.
    pub tool: Tool,
    /// What did not work and could be done without.
    pub warnings: Vec<String>,
}

/// Installs the plan's rules with `choice`, or with the first tool that works. They replace what an earlier install
/// left; only `iptables` and `iptables-legacy` do not look for each other's rules. On an error nothing has changed.
pub fn install(plan: &Plan, choice: Option<Tool>) -> Result<Installed, RedirectError> {
    let mut failures: Vec<Attempt> = Vec::new();
    let is_candidate = |tool: &&Tool| choice.is_none_or(|choice| choice == **tool);
    for &tool in Tool::value_variants().iter().filter(is_candidate) {
        match tool.install(plan) {
            Ok(warnings) => {
                let passed_over = failures.iter().map(ToString::to_string);
                let left_over = tool.superseded().iter().filter_map(|other| other.remove().err());
                let left_over = left_over
                    .filter(Attempt::was_made)
                    .map(|attempt| attempt.to_string());
                let warnings = passed_over.chain(warnings).chain(left_over).collect();
                return Ok(Installed { tool, warnings });
            }
            Err(attempt) => failures.push(attempt),
        }
    }
    Err(because(failures))
}

/// Removes the rules, whichever tool has installed them, and returns the tools that are sure now that none are left.
/// It is fine if there were none. A tool that cannot even read rules is one that this kernel does not support, so it
/// has not left any; but there has to be one that can.
pub fn remove() -> Result<Vec<Tool>, RedirectError> {
    let mut sure = Vec::new();
    let mut failures = Vec::new();
    for tool in Tool::value_variants() {
        match tool.remove() {
            Ok(()) => sure.push(*tool),
            Err(attempt) => failures.push(attempt),
        }
    }
    let left_over = |attempt: &Attempt| attempt.step == Step::Remove || attempt.was_not_permitted();
    if sure.is_empty() || failures.iter().any(left_over) {
        return Err(because(failures));
    }
    Ok(sure)
}

fn because(mut failures: Vec<Attempt>) -> RedirectError {
    failures.retain(Attempt::was_made);
    match failures.iter().position(Attempt::was_not_permitted) {
        Some(index) => RedirectError::NotPermitted(failures.swap_remove(index)),
        None if failures.is_empty() => RedirectError::NoTool,
        None => RedirectError::Refused(failures),
    }
}

impl Tool {
    /// Installs the rules, and says what had to be left out.
    fn install(self, plan: &Plan) -> Result<Vec<String>, Attempt> {
        let Some((v4, v6)) = self.iptables() else {
            run("nft", &["-f", "-"], Step::Install, &rules::nft(plan))?;
            return Ok(Vec::new());
        };
        v4.install(plan, Family::V4)?;
        let refused = v6.install(plan, Family::V6).err();
        let warning = |attempt| format!("IPv6 connections are not redirected, so not traced: {attempt}");
        Ok(refused.into_iter().map(warning).collect())
    }

    /// Removes what this tool has installed, if anything.
    fn remove(self) -> Result<(), Attempt> {
        if let Some((v4, v6)) = self.iptables() {
            return v4.remove().and_then(|()| v6.remove());
        }
        let tables = run("nft", &["list", "tables"], Step::Read, "")?;
        if !tables.lines().any(|table| table == "table inet meshtrace") {
            return Ok(());
        }
        run("nft", &["-f", "-"], Step::Remove, rules::NFT_REMOVE).map(drop)
    }

    /// The programs for IPv4 and IPv6, if this is a kind of iptables.
    fn iptables(self) -> Option<(Iptables, Iptables)> {
        let programs = |save, restore| Iptables { save, restore };
        match self {
            Tool::Nft => None,
            Tool::Iptables => Some((
                programs("iptables-save", "iptables-restore"),
                programs("ip6tables-save", "ip6tables-restore"),
            )),
            Tool::IptablesLegacy => Some((
                programs("iptables-legacy-save", "iptables-legacy-restore"),
                programs("ip6tables-legacy-save", "ip6tables-legacy-restore"),
            )),
        }
    }

    /// Whose rules this tool's rules replace. `iptables` may be another name of `iptables-legacy`, so that removing
    /// the rules of one might remove those of the other.
    fn superseded(self) -> &'static [Tool] {
        match self {
            Tool::Nft => &[Tool::Iptables, Tool::IptablesLegacy],
            Tool::Iptables | Tool::IptablesLegacy => &[Tool::Nft],
        }
    }
}

/// The programs of one variant of iptables, for one IP version.
struct Iptables {
    save: &'static str,
    restore: &'static str,
}

impl Iptables {
    fn install(&self, plan: &Plan, family: Family) -> Result<(), Attempt> {
        let rules = rules::iptables(plan, family, &self.read()?);
        self.change(Step::Install, &rules)
    }

    fn remove(&self) -> Result<(), Attempt> {
        match rules::iptables_remove(&self.read()?) {
            Some(rules) => self.change(Step::Remove, &rules),
            None => Ok(()),
        }
    }

    /// Without -t it looks only at the tables that exist, and makes none.
    fn read(&self) -> Result<String, Attempt> {
        run(self.save, &[], Step::Read, "")
    }

    /// Others may hold the lock of the tables for a moment: waits for it, 5 s at most.
    fn change(&self, step: Step, rules: &str) -> Result<(), Attempt> {
        run(self.restore, &["--noflush", "--wait", "5"], step, rules).map(drop)
    }
}

impl Attempt {
    fn was_made(&self) -> bool {
        !matches!(self.failure, Failure::Missing)
    }

    fn was_not_permitted(&self) -> bool {
        match &self.failure {
            Failure::Missing => false,
            Failure::Io(error) => error.kind() == io::ErrorKind::PermissionDenied,
            Failure::Refused(stderr) => {
                stderr.contains("not permitted") || stderr.contains("Permission denied")
            }
        }
    }
}

/// Runs a program of the machine with `input` and returns what it prints.
fn run(program: &'static str, args: &[&str], step: Step, input: &str) -> Result<String, Attempt> {
    let attempt = |failure| Attempt {
        program,
        step,
        failure,
    };
    let output = feed(program, args, input).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => attempt(Failure::Missing),
        _ => attempt(Failure::Io(error)),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said: String = stderr.trim().chars().take(LONGEST_COMPLAINT).collect();
    Err(attempt(Failure::Refused(if said.is_empty() {
        output.status.to_string()
    } else {
        said
    })))
}

fn feed(program: &str, args: &[&str], input: &str) -> io::Result<Output> {
    let mut child = Command::new(program)
        .args(args)
        // its complaints are searched for what the C library calls EPERM and EACCES
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // taken, so that it is closed when written
    let written = child
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    match written {
        // it gave up before it had read everything: what it says about that is the better error
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(output),
        written => written.map(|()| output),
    }
}
