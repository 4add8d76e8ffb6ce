//! The program as it is started.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn without_a_cluster_it_says_so_and_ends() {
    let output = Command::new(env!("CARGO_BIN_EXE_meshtrace-operator"))
        .env_clear()
        .env("KUBECONFIG", "/nowhere/config")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.starts_with("meshtrace-operator: "), "{complaint}");
    assert!(complaint.contains("kubeconfig"), "{complaint}");
}

#[test]
fn a_mistake_in_its_configuration_is_told_before_anything_else() {
    let output = Command::new(env!("CARGO_BIN_EXE_meshtrace-operator"))
        .env_clear()
        .env("MESHTRACE_OPERATOR_WEBHOOK", "9443")
        .output()
        .unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains("MESHTRACE_OPERATOR_WEBHOOK: `9443` is not an address"),
        "{complaint}"
    );
}
