//! From what the user said to what will be done: every argument checked, all problems at once. Pure.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;

use super::RedirectArgs;

/// Which connections go where. Made by [`Plan::check`] only, so what it holds makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) inbound_port: u16,
    pub(super) outbound_port: u16,
    pub(super) admin_port: u16,
    /// The sidecar's own user, unless a mark alone tells its connections apart.
    pub(super) uid: Option<u32>,
    pub(super) mark: Option<u32>,
    /// In order, without overlaps.
    pub(super) inbound_ports_excluded: Vec<Ports>,
    /// In order, without overlaps.
    pub(super) outbound_ports_excluded: Vec<Ports>,
    /// In order, without overlaps: IPv4 first.
    pub(super) outbound_cidrs_excluded: Vec<IpNet>,
}

/// One argument that cannot be used: which, and why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {why}")]
pub struct Problem {
    /// The option, as it is typed.
    pub option: &'static str,
    /// What is wrong with it and what would be right.
    pub why: String,
}

impl Plan {
    /// Checks the arguments and reports all that is wrong with them.
    ///
    /// Ports are 1 to 65535 and the three of the sidecar differ. The mark is not 0, which is the mark of every packet
    /// that nobody has marked. A CIDR has no bits set behind its prefix, and an address alone stands for itself.
    pub fn check(args: &RedirectArgs) -> Result<Plan, Vec<Problem>> {
        let mut check = Check { problems: Vec::new() };
        let plan = Plan {
            inbound_port: check
                .one("--inbound-port", &args.inbound_port, port)
                .unwrap_or_default(),
            outbound_port: check
                .one("--outbound-port", &args.outbound_port, port)
                .unwrap_or_default(),
            admin_port: check
                .one("--admin-port", &args.admin_port, port)
                .unwrap_or_default(),
            uid: check.one("--uid", &args.uid, uid).flatten(),
            mark: args
                .mark
                .as_ref()
                .and_then(|text| check.one("--mark", text, mark)),
            inbound_ports_excluded: merge(check.all(
                "--exclude-inbound-ports",
                &args.exclude_inbound_ports,
                ports,
            )),
            outbound_ports_excluded: merge(check.all(
                "--exclude-outbound-ports",
                &args.exclude_outbound_ports,
                ports,
            )),
            outbound_cidrs_excluded: IpNet::aggregate(&check.all(
                "--exclude-outbound-cidrs",
                &args.exclude_outbound_cidrs,
                cidr,
            )),
        };
        check.distinct(&[
            ("--inbound-port", plan.inbound_port),
            ("--outbound-port", plan.outbound_port),
            ("--admin-port", plan.admin_port),
        ]);
        if args.uid.trim() == "none" && args.mark.is_none() {
            check.problem(
                "--uid",
                "`none` leaves nothing to tell the sidecar's connections apart: give --mark as well",
            );
        }
        if check.problems.is_empty() {
            Ok(plan)
        } else {
            Err(check.problems)
        }
    }

    /// The ports of the sidecar itself, in order.
    pub(super) fn own_ports(&self) -> Vec<Ports> {
        merge(
            [self.inbound_port, self.outbound_port, self.admin_port]
                .map(|port| Ports(port..=port))
                .into(),
        )
    }
}

/// One port, or a range of them. The same text in `nft` and on the command line: `22`, `9000-9100`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ports(pub(super) RangeInclusive<u16>);

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.start(), self.0.end()) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// The problems so far.
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn problem(&mut self, option: &'static str, why: impl Into<String>) {
        self.problems.push(Problem {
            option,
            why: why.into(),
        });
    }

    fn one<T>(
        &mut self,
        option: &'static str,
        text: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = text.trim();
        match parse(text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problem(option, format!("`{text}` {why}"));
                None
            }
        }
    }

    /// An empty item is skipped, so that an empty list can be written as such.
    fn all<T>(
        &mut self,
        option: &'static str,
        texts: &[String],
        parse: fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        texts
            .iter()
            .filter(|text| !text.trim().is_empty())
            .filter_map(|text| self.one(option, text, parse))
            .collect()
    }

    /// No two options have the same port. Port 0 has been complained about already.
    fn distinct(&mut self, ports: &[(&'static str, u16)]) {
        for (index, (option, port)) in ports.iter().enumerate() {
            let earlier = ports
                .iter()
                .take(index)
                .find(|(_, other)| other == port && *port != 0);
            if let Some((other, _)) = earlier {
                self.problem(
                    option,
                    format!("`{port}` is the port of {other} too: choose another"),
                );
            }
        }
    }
}

fn port(text: &str) -> Result<u16, String> {
    match u16::from_str(text) {
        Ok(port) if port != 0 => Ok(port),
        _ => Err("is not a port from 1 to 65535".into()),
    }
}

fn ports(text: &str) -> Result<Ports, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (port(first), port(last)) {
        (Ok(first), Ok(last)) if first <= last => Ok(Ports(first..=last)),
        (Ok(first), Ok(last)) => Err(format!("ends before it begins: write {last}-{first}")),
        _ => Err("is neither a port from 1 to 65535 nor a range of them such as 9000-9100".into()),
    }
}

fn uid(text: &str) -> Result<Option<u32>, String> {
    if text == "none" {
        return Ok(None);
    }
    // the highest number means "no user" to the kernel
    match u32::from_str(text) {
        Ok(uid) if uid != u32::MAX => Ok(Some(uid)),
        _ => Err("is neither a numeric user id nor `none`".into()),
    }
}

fn mark(text: &str) -> Result<u32, String> {
    let mark = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => u32::from_str(text),
    };
    match mark {
        Ok(mark) if mark != 0 => Ok(mark),
        Ok(_) => Err("is the mark of every packet that nobody has marked: choose another".into()),
        Err(_) => Err("is not a 32-bit number such as 1 or 0x1".into()),
    }
}

fn cidr(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = IpAddr::from_str(text) {
        return Ok(IpNet::from(address));
    }
    match IpNet::from_str(text) {
        Ok(net) if net == net.trunc() => Ok(net),
        Ok(net) => Err(format!("has bits set behind its prefix: write {}", net.trunc())),
        Err(_) => Err("is neither an address nor a CIDR such as 10.0.0.0/8 or fd00::/8".into()),
    }
}

/// In order, with what overlaps or touches made one: `nft` refuses sets whose intervals overlap.
fn merge(mut ranges: Vec<Ports>) -> Vec<Ports> {
    ranges.sort_by_key(|Ports(range)| *range.start());
    let mut merged: Vec<Ports> = Vec::with_capacity(ranges.len());
    for Ports(range) in ranges {
        match merged.last_mut() {
            Some(Ports(last)) if *range.start() <= last.end().saturating_add(1) => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => merged.push(Ports(range)),
        }
    }
    merged
}
