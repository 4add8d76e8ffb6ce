//! A [`Plan`] as text for `nft -f` and for `iptables-restore`. Pure; the golden files of `tests/redirect_rules.rs`
//! show what comes out.
//!
//! Both rulesets say the same in the same order. What they rely on:
//!
//! - Only a SYN is matched. Connections that are open when the rules arrive are unknown to conntrack, which would take
//!   their next packet for a new connection and tear them out of the application's hands.
//! - A destination that is local is the pod talking to itself, by whatever address: it never leaves the pod, so it is
//!   neither inbound nor outbound. This also covers what the sidecar and the application say to each other. What comes
//!   in and is not for a local address is only passing through.
//! - The kernel decides once for a connection, on its way out if it is ours, so that inbound rules do not see the pod
//!   talking to itself. That nothing on `lo` is inbound is said all the same, for packets that got there otherwise.
//! - Link-local IPv6 destinations mean nothing without their interface, which the original destination does not tell.

use std::fmt::Display;

use ipnet::IpNet;

use super::Tool;
use super::plan::{Plan, Ports};

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

const LINK_LOCAL: &str = "fe80::/10";
const INBOUND_CHAIN: &str = "MESHTRACE_INBOUND";
const OUTBOUND_CHAIN: &str = "MESHTRACE_OUTBOUND";
const CHAINS: [&str; 2] = [INBOUND_CHAIN, OUTBOUND_CHAIN];

/// One transaction that empties the namespace of our table, whether it is there or not.
pub const NFT_REMOVE: &str = "table inet meshtrace\ndelete table inet meshtrace\n";

/// One transaction that puts this plan in place of any earlier one.
pub fn nft(plan: &Plan) -> String {
    let uid = plan.uid.map(|uid| format!("meta skuid {uid} return"));
    let mark = plan.mark.map(|mark| format!("meta mark {mark:#x} return"));
    let cidrs = |keyword, family| {
        nft_return(
            keyword,
            plan.outbound_cidrs_excluded
                .iter()
                .filter(|net| family_of(net) == family),
        )
    };

    let inbound = [
        Some("iifname \"lo\" return".into()),
        Some("fib daddr type != local return".into()),
        Some(format!("ip6 daddr {LINK_LOCAL} return")),
        nft_return("tcp dport", plan.own_ports()),
        nft_return("tcp dport", &plan.inbound_ports_excluded),
        Some(nft_redirect(plan.inbound_port)),
    ];
    let outbound = [
        uid,
        mark,
        Some("fib daddr type local return".into()),
        Some(format!("ip6 daddr {LINK_LOCAL} return")),
        cidrs("ip daddr", Family::V4),
        cidrs("ip6 daddr", Family::V6),
        nft_return("tcp dport", &plan.outbound_ports_excluded),
        Some(nft_redirect(plan.outbound_port)),
    ];
    format!(
        "{NFT_REMOVE}table inet meshtrace {{\n{}\n{}}}\n",
        nft_chain("inbound", "prerouting", inbound.into_iter().flatten()),
        nft_chain("outbound", "output", outbound.into_iter().flatten()),
    )
}

fn nft_chain(name: &str, hook: &str, rules: impl Iterator<Item = String>) -> String {
    let head = format!("\tchain {name} {{\n\t\ttype nat hook {hook} priority -100; policy accept;\n");
    rules.fold(head, |text, rule| text + "\t\t" + &rule + "\n") + "\t}\n"
}

fn nft_return(matching: &str, values: impl IntoIterator<Item = impl Display>) -> Option<String> {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    (!values.is_empty()).then(|| format!("{matching} {{ {} }} return", values.join(", ")))
}

fn nft_redirect(port: u16) -> String {
    format!("tcp flags & (fin | syn | rst | ack) == syn redirect to :{port}")
}

/// One transaction for `iptables-restore --noflush` (`ip6tables-restore` for IPv6) that puts this plan in place of any
/// earlier one. `saved` is what `iptables-save` prints now.
pub fn iptables(plan: &Plan, family: Family, saved: &str) -> String {
    let link_local = (family == Family::V6).then(|| format!("-d {LINK_LOCAL} -j RETURN"));
    let cidrs = plan
        .outbound_cidrs_excluded
        .iter()
        .filter(|net| family_of(net) == family);

    let mut inbound = vec![
        "-i lo -j RETURN".to_owned(),
        "-m addrtype ! --dst-type LOCAL -j RETURN".to_owned(),
    ];
    inbound.extend(link_local.clone());
    inbound.extend(plan.own_ports().iter().map(iptables_return));
    inbound.extend(plan.inbound_ports_excluded.iter().map(iptables_return));
    inbound.push(iptables_redirect(plan.inbound_port));

    let mut outbound = Vec::new();
    outbound.extend(
        plan.uid
            .map(|uid| format!("-m owner --uid-owner {uid} -j RETURN")),
    );
    outbound.extend(
        plan.mark
            .map(|mark| format!("-m mark --mark {mark:#x} -j RETURN")),
    );
    outbound.push("-m addrtype --dst-type LOCAL -j RETURN".to_owned());
    outbound.extend(link_local);
    outbound.extend(cidrs.map(|net| format!("-d {net} -j RETURN")));
    outbound.extend(plan.outbound_ports_excluded.iter().map(iptables_return));
    outbound.push(iptables_redirect(plan.outbound_port));

    // naming a chain makes it, or empties it
    let mut lines: Vec<String> = CHAINS.iter().map(|chain| format!(":{chain} - [0:0]")).collect();
    lines.extend(our_jumps(saved).map(|jump| format!("-D {jump}")));
    lines.push(format!("-I PREROUTING 1 -p tcp -j {INBOUND_CHAIN}"));
    lines.push(format!("-I OUTPUT 1 -p tcp -j {OUTBOUND_CHAIN}"));
    lines.extend(inbound.iter().map(|rule| format!("-A {INBOUND_CHAIN} {rule}")));
    lines.extend(outbound.iter().map(|rule| format!("-A {OUTBOUND_CHAIN} {rule}")));
    nat_transaction(&lines)
}

/// One transaction for `iptables-restore --noflush` that removes our chains, or nothing if `saved`, which is what
/// `iptables-save` prints now, has none of them.
pub fn iptables_remove(saved: &str) -> Option<String> {
    let is_there = |chain: &&&str| nat_table(saved).any(|line| line.starts_with(&format!(":{chain} ")));
    let chains: Vec<&&str> = CHAINS.iter().filter(is_there).collect();
    let mut lines: Vec<String> = our_jumps(saved).map(|jump| format!("-D {jump}")).collect();
    lines.extend(chains.iter().map(|chain| format!("-F {chain}")));
    lines.extend(chains.iter().map(|chain| format!("-X {chain}")));
    (!chains.is_empty()).then(|| nat_transaction(&lines))
}

fn nat_transaction(lines: &[String]) -> String {
    format!("*nat\n{}\nCOMMIT\n", lines.join("\n"))
}

/// The rules, for people, as `tool` would be given them in a namespace without any.
pub fn show(plan: &Plan, tool: Tool) -> String {
    match tool {
        Tool::Nft => nft(plan),
        Tool::Iptables | Tool::IptablesLegacy => format!(
            "# IPv4\n{}# IPv6\n{}",
            iptables(plan, Family::V4, ""),
            iptables(plan, Family::V6, "")
        ),
    }
}

/// The rules of other chains that jump into ours, as `-D` wants them.
fn our_jumps(saved: &str) -> impl Iterator<Item = &str> {
    nat_table(saved)
        .filter_map(|line| line.strip_prefix("-A "))
        .filter(|rule| {
            rule.split_once(" -j ")
                .is_some_and(|(_, target)| CHAINS.contains(&target))
        })
}

fn nat_table(saved: &str) -> impl Iterator<Item = &str> {
    let lines = saved.lines().map(str::trim_end);
    lines
        .skip_while(|line| *line != "*nat")
        .take_while(|line| *line != "COMMIT")
}

fn iptables_return(ports: &Ports) -> String {
    format!("-p tcp --dport {} -j RETURN", ports.to_string().replace('-', ":"))
}

fn iptables_redirect(port: u16) -> String {
    format!("-p tcp --syn -j REDIRECT --to-ports {port}")
}

fn family_of(net: &IpNet) -> Family {
    match net {
        IpNet::V4(_) => Family::V4,
        IpNet::V6(_) => Family::V6,
    }
}
