//! The redirect at work: real rules of every tool in network namespaces of our own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod netns;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::Parser;
use netns::Rig;
use sidecar::redirect::{RedirectArgs, RedirectError, run};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    redirect: RedirectArgs,
}

fn arguments(text: &str) -> RedirectArgs {
    Cli::parse_from(std::iter::once("redirect").chain(text.split_whitespace())).redirect
}

impl Rig {
    fn redirect(&self, text: &str) -> Result<String, RedirectError> {
        self.pod.inside(|| run(&arguments(text)))
    }

    /// A rig with rules that `tool` has installed, unless that is not possible here.
    fn with_rules(tool: &str, options: &str) -> Option<Rig> {
        let rig = Rig::new()?;
        rig.install(tool, options).then_some(rig)
    }

    /// Whether this kernel can do what `tool` asks of it.
    fn install(&self, tool: &str, options: &str) -> bool {
        match self.redirect(&format!("install --tool {tool} {options}")) {
            Ok(_) => true,
            Err(RedirectError::Refused(why)) if tool == "iptables-legacy" => {
                eprintln!("SKIPPED: this kernel has no iptable_nat: {why:?}");
                false
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Each behaviour as a test of each tool.
macro_rules! with_every_tool {
    ($($behaviour:ident)*) => {
        with_tool!(nft "nft" $($behaviour)*);
        with_tool!(iptables "iptables" $($behaviour)*);
        with_tool!(iptables_legacy "iptables-legacy" $($behaviour)*);
    };
}

macro_rules! with_tool {
    ($module:ident $tool:literal $($behaviour:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $behaviour() {
                    super::$behaviour($tool);
                }
            )*
        }
    };
}

with_every_tool! {
    connections_into_the_pod_reach_the_sidecar_with_their_destination
    connections_out_of_the_pod_reach_the_sidecar_with_their_destination
    the_sidecar_connects_directly
    a_mark_connects_directly
    the_pod_talks_to_itself_directly
    the_ports_of_the_sidecar_are_reached_directly
    link_local_ipv6_is_left_alone
    packets_that_the_pod_only_forwards_are_left_alone
    excluded_ports_and_addresses_are_reached_directly
    connections_that_were_open_before_stay_with_the_application
    installing_twice_is_installing_once_and_keeps_connections
    installing_anew_replaces_the_exclusions
    removing_leaves_nothing_and_can_be_repeated
}

fn connections_into_the_pod_reach_the_sidecar_with_their_destination(tool: &str) {
    let Some(rig) = Rig::with_rules(tool, "") else {
        return;
    };
    assert_eq!(rig.across.ask("10.77.0.2:8080"), "inbound for 10.77.0.2:8080");
    assert_eq!(rig.across.ask("[fd77::2]:8080"), "inbound for [fd77::2]:8080");
}

fn connections_out_of_the_pod_reach_the_sidecar_with_their_destination(tool: &str) {
    let Some(rig) = Rig::with_rules(tool, "") else {
        return;
    };
    assert_eq!(rig.pod.ask("10.77.0.1:80"), "outbound for 10.77.0.1:80");
    assert_eq!(rig.pod.ask("[fd77::1]:80"), "outbound for [fd77::1]:80");
    assert_eq!(rig.pod.ask("[::ffff:10.77.0.1]:80"), "outbound for 10.77.0.1:80");
}

fn the_sidecar_connects_directly(tool: &str) {
    let Some(rig) = Rig::with_rules(tool, "") else {
        return;
    };
    assert_eq!(rig.pod.ask_as(7117, "10.77.0.1:80"), "across");
    assert_eq!(rig.pod.ask_as(7117, "[fd77::1]:80"), "across");
    assert_eq!(rig.pod.ask_as(7117, "10.77.0.2:8080"), "application");
    assert_eq!(rig.pod.ask_as(7118, "10.77.0.1:80"), "outbound for 10.77.0.1:80");
}

fn a_mark_connects_directly(tool: &str) {
    let Some(rig) = Rig::with_rules(tool, "--uid none --mark 0x1f") else {
        return;
    };
    assert_eq!(rig.pod.ask_marked(0x1f, "10.77.0.1:80"), "across");
    assert_eq!(rig.pod.ask_marked(0x1f, "[fd77::1]:80"), "across");
    assert_eq!(rig.pod.ask_marked(1, "10.77.0.1:80"), "outbound for 10.77.0.1:80");
    assert_eq!(rig.pod.ask_as(7117, "10.77.0.1:80"), "outbound for 10.77.0.1:80");
}

fn the_pod_talks_to_itself_directly(tool: &str) {
    let Some(rig) = Rig::with_rules(tool, "") else {
        return;
    };
    for address in [
        "127.0.0.1:8080",
        "127.3.2.1:8080",
        "[::1]:8080",
        "10.77.0.2:8080",
        "[fd77::2]:8080",
    ] {
        assert_eq!(rig.pod.ask(address), "application", "{address}");
    }
}

fn the_ports_of_the_sidecar_are_reached_directly(tool: &str) {
    let Some(rig) = Rig::with_rules(tool, "") else {
        return;
    };
    for (port, server) in [(15106, "inbound"), (15101, "outbound"), (15190, "admin")] {
        assert_eq!(rig.across.ask(&format!("10.77.0.2:{port}")), server);
        assert_eq!(rig.across.ask(&format!("[fd77::2]:{port}")), server);
    }
}

fn link_local_ipv6_is_left_alone(tool: &str) {
    let Some(rig) = Rig::with_rules(tool, "") else {
        return;
    };
    assert_eq!(
        rig.across.ask(&format!("[fe80::2%{}]:8080", rig.across.cable())),
        "application"
    );
    assert_eq!(
        rig.pod.ask(&format!("[fe80::1%{}]:80", rig.pod.cable())),
        "across"
    );
}

fn packets_that_the_pod_only_forwards_are_left_alone(tool: &str) {
    let Some(rig) = Rig::with_rules(tool, "") else {
        return;
    };
    let beyond = rig.behind_the_pod();
    assert_eq!(rig.across.ask("10.78.0.1:8080"), "beyond");
    assert_eq!(beyond.ask("10.77.0.1:80"), "across");
    assert_eq!(beyond.ask("10.78.0.2:8080"), "inbound for 10.78.0.2:8080");
}

fn excluded_ports_and_addresses_are_reached_directly(tool: &str) {
    let options = "--exclude-inbound-ports 22,9000-9100 --exclude-outbound-ports 3306 \
                   --exclude-outbound-cidrs 10.99.0.0/16,10.99.3.0/24,fd77::1";
    let Some(rig) = Rig::with_rules(tool, options) else {
        return;
    };
    assert_eq!(rig.across.ask("10.77.0.2:9090"), "application");
    assert_eq!(rig.across.ask("[fd77::2]:9090"), "application");
    assert_eq!(rig.across.ask("10.77.0.2:8080"), "inbound for 10.77.0.2:8080");

    assert_eq!(rig.pod.ask("10.77.0.1:3306"), "across");
    assert_eq!(rig.pod.ask("[fd77::1]:80"), "across");
    assert_eq!(rig.pod.ask("10.77.0.1:80"), "outbound for 10.77.0.1:80");
}

fn connections_that_were_open_before_stay_with_the_application(tool: &str) {
    let Some(rig) = Rig::new() else { return };
    let mut inbound = rig.across.connect("10.77.0.2:8080");
    let mut outbound = rig.pod.connect("[fd77::1]:80");
    if !rig.install(tool, "") {
        return;
    }
    assert_eq!(inbound.server, "application");
    assert_eq!(outbound.server, "across");
    assert!(inbound.works());
    assert!(outbound.works());
}

fn installing_twice_is_installing_once_and_keeps_connections(tool: &str) {
    let options = "--mark 7 --exclude-inbound-ports 22 --exclude-outbound-cidrs 192.168.0.0/16,fd80::/9";
    let Some(rig) = Rig::with_rules(tool, options) else {
        return;
    };
    let once = rig.pod.rules();
    let mut connection = rig.pod.connect("[fd77::1]:80");
    rig.redirect(&format!("install --tool {tool} {options}")).unwrap();
    assert_eq!(rig.pod.rules(), once);
    assert!(connection.works());
}

fn installing_anew_replaces_the_exclusions(tool: &str) {
    let Some(rig) = Rig::with_rules(tool, "--exclude-outbound-ports 80") else {
        return;
    };
    assert_eq!(rig.pod.ask("10.77.0.1:80"), "across");
    rig.redirect(&format!("install --tool {tool} --exclude-outbound-ports 3306"))
        .unwrap();
    assert_eq!(rig.pod.ask("10.77.0.1:80"), "outbound for 10.77.0.1:80");
}

fn removing_leaves_nothing_and_can_be_repeated(tool: &str) {
    let Some(rig) = Rig::with_rules(tool, "") else {
        return;
    };
    assert!(rig.pod.rules().to_lowercase().contains("meshtrace"));
    rig.redirect("remove").unwrap();
    assert!(
        !rig.pod.rules().to_lowercase().contains("meshtrace"),
        "{}",
        rig.pod.rules()
    );
    assert_eq!(rig.across.ask("10.77.0.2:8080"), "application");
    assert_eq!(rig.pod.ask("[fd77::1]:80"), "across");
    rig.redirect("remove").unwrap();
}

#[test]
fn a_namespace_without_ipv6_addresses_is_fine() {
    for tool in ["nft", "iptables"] {
        let Some(rig) = Rig::new() else { return };
        rig.pod
            .inside(|| fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap());
        let said = rig.redirect(&format!("install --tool {tool}")).unwrap();
        assert!(!said.contains("warning"), "{said}");
        assert_eq!(rig.across.ask("10.77.0.2:8080"), "inbound for 10.77.0.2:8080");
    }
}

#[test]
fn nft_is_preferred_and_replaces_what_iptables_has_installed() {
    let Some(rig) = Rig::with_rules("iptables", "") else {
        return;
    };
    assert!(rig.pod.rules().contains("MESHTRACE_INBOUND"));
    let said = rig.redirect("install").unwrap();
    assert!(said.starts_with("rules installed with nft:"), "{said}");
    assert!(!rig.pod.rules().contains("MESHTRACE"), "{}", rig.pod.rules());
    assert_eq!(rig.across.ask("10.77.0.2:8080"), "inbound for 10.77.0.2:8080");
}

#[test]
fn iptables_takes_over_where_nft_is_not_installed() {
    let Some(rig) = Rig::new() else { return };
    let without_nft = |tools: &Path| fs::remove_file(tools.join("nft")).unwrap();
    let said = rig
        .pod
        .inside_with_tools(without_nft, || run(&arguments("install")))
        .unwrap();
    assert!(said.starts_with("rules installed with iptables:"), "{said}");
    assert_eq!(rig.pod.ask("[fd77::1]:80"), "outbound for [fd77::1]:80");
}

#[test]
fn iptables_takes_over_where_the_kernel_refuses_nft_and_the_reason_is_told() {
    let Some(rig) = Rig::new() else { return };
    let refusing = |tools: &Path| refuse(&tools.join("nft"), "Error: Could not process rule: Not supported");
    let said = rig
        .pod
        .inside_with_tools(refusing, || run(&arguments("install")))
        .unwrap();
    assert!(said.starts_with("rules installed with iptables:"), "{said}");
    assert!(
        said.contains("nft, to install the rules: Error: Could not process rule: Not supported"),
        "{said}"
    );
    assert_eq!(rig.across.ask("10.77.0.2:8080"), "inbound for 10.77.0.2:8080");
}

#[test]
fn ipv4_is_redirected_alone_where_ipv6_has_no_nat_and_the_loss_is_told() {
    let Some(rig) = Rig::new() else { return };
    let refusing = |tools: &Path| refuse(&tools.join("ip6tables-restore"), "no nat table");
    let install = || run(&arguments("install --tool iptables"));
    let said = rig.pod.inside_with_tools(refusing, install).unwrap();
    assert!(
        said.contains("warning: IPv6 connections are not redirected"),
        "{said}"
    );
    assert!(said.contains("no nat table"), "{said}");
    assert_eq!(rig.across.ask("10.77.0.2:8080"), "inbound for 10.77.0.2:8080");
    assert_eq!(rig.across.ask("[fd77::2]:8080"), "application");
}

#[test]
fn without_any_tool_the_packages_to_install_are_named() {
    let Some(rig) = Rig::new() else { return };
    let none = |tools: &Path| {
        for tool in fs::read_dir(tools).unwrap() {
            fs::remove_file(tool.unwrap().path()).unwrap();
        }
    };
    let error = rig
        .pod
        .inside_with_tools(none, || run(&arguments("install")))
        .unwrap_err();
    assert!(matches!(error, RedirectError::NoTool), "{error}");
    assert!(error.to_string().ends_with("install nftables or iptables"));
}

#[test]
fn when_every_tool_fails_each_one_is_told_with_its_complaint() {
    let Some(rig) = Rig::new() else { return };
    let refusing = |tools: &Path| {
        refuse(&tools.join("nft"), "no nf_tables");
        refuse(&tools.join("iptables-restore"), "no nat here");
        fs::remove_file(tools.join("iptables-legacy-save")).unwrap();
    };
    let error = rig
        .pod
        .inside_with_tools(refusing, || run(&arguments("install")))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "netfilter refused; the node's kernel needs nf_tables with nat, or iptable_nat:\n  \
         - nft, to install the rules: no nf_tables\n  \
         - iptables-restore, to install the rules: no nat here"
    );
}

#[test]
fn rules_that_could_not_be_removed_are_not_said_to_be_gone() {
    let Some(rig) = Rig::with_rules("iptables", "") else {
        return;
    };
    let refusing = |tools: &Path| refuse(&tools.join("ip6tables-restore"), "busy");
    let error = rig
        .pod
        .inside_with_tools(refusing, || run(&arguments("remove")))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("ip6tables-restore, to remove the rules: busy"),
        "{error}"
    );
}

#[test]
fn without_net_admin_the_capability_is_named() {
    let Some(rig) = Rig::new() else { return };
    let error = rig
        .pod
        .inside_with_tools(powerless, || run(&arguments("install --tool nft")))
        .unwrap_err();
    assert!(matches!(error, RedirectError::NotPermitted(_)), "{error}");
    assert!(error.to_string().contains("NET_ADMIN"), "{error}");
}

#[test]
fn a_best_effort_without_net_admin_leaves_the_pod_as_it_is_and_writes_why() {
    let Some(rig) = Rig::new() else { return };
    let told = tempfile::NamedTempFile::new().unwrap();
    let install = format!("install --tool nft --best-effort {}", told.path().display());
    let done = rig
        .pod
        .inside_with_tools(powerless, || run(&arguments(&install)))
        .unwrap();
    assert!(done.starts_with("no rules installed"), "{done}");
    assert_eq!(rig.across.ask("10.77.0.2:8080"), "application");
    assert_eq!(rig.pod.ask("10.77.0.1:80"), "across");
    let told = fs::read_to_string(told.path()).unwrap();
    assert!(told.contains("NET_ADMIN"), "{told}");
}

#[test]
fn a_best_effort_that_cannot_be_told_of_is_one_all_the_same() {
    let Some(rig) = Rig::new() else { return };
    let install = "install --tool nft --best-effort /nowhere/told";
    let done = rig
        .pod
        .inside_with_tools(powerless, || run(&arguments(install)))
        .unwrap();
    assert!(
        done.contains("nobody else learns of this: /nowhere/told"),
        "{done}"
    );
}

#[test]
fn a_best_effort_that_succeeds_writes_nothing() {
    let Some(rig) = Rig::new() else { return };
    let told = tempfile::NamedTempFile::new().unwrap();
    let install = format!("install --tool nft --best-effort {}", told.path().display());
    rig.redirect(&install).unwrap();
    assert_eq!(rig.across.ask("10.77.0.2:8080"), "inbound for 10.77.0.2:8080");
    assert_eq!(fs::read_to_string(told.path()).unwrap(), "");
}

/// nft as whoever runs it without any capability.
fn powerless(tools: &Path) {
    fs::rename(tools.join("nft"), tools.join("real-nft")).unwrap();
    script(
        &tools.join("nft"),
        "exec setpriv --bounding-set -all /usr/sbin/real-nft \"$@\"",
    );
}

/// Puts a program that complains and fails in the place of a tool.
fn refuse(tool: &Path, complaint: &str) {
    fs::remove_file(tool).unwrap();
    script(tool, &format!("echo \"{complaint}\" >&2; exit 1"));
}

fn script(path: &Path, line: &str) {
    fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
