//! DESIGN.md's dependency table, held against what cargo says of the workspace.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Programs. What two of them must agree on is a wall.
const ROOMS: [&str; 4] = [
    "meshtrace",
    "meshtrace-collector",
    "meshtrace-operator",
    "meshtrace-sidecar",
];

/// Walls that lean on no other wall.
const FREE_STANDING: [&str; 5] = ["span", "causality", "contract", "process", "settings"];

/// Reads of Kubernetes' API.
const KUBERNETES: [&str; 4] = ["kube", "kube-client", "kube-runtime", "k8s-openapi"];

/// Protobuf types.
const PROTOBUF: [&str; 3] = ["prost", "tonic-prost", "opentelemetry-proto"];

/// Everything of the workspace, as cargo sees it, without asking any registry.
fn workspace() -> Metadata {
    MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .no_deps()
        .exec()
        .unwrap()
}

/// The dependencies that are in what is shipped, under their own names.
fn shipped(package: &Package) -> BTreeSet<&str> {
    let dependencies = package.dependencies.iter();
    dependencies
        .filter(|it| it.kind != DependencyKind::Development)
        .map(|it| &*it.name)
        .collect()
}

/// Those of `package` that are shipped and in `names`.
fn leans_on<'p>(package: &'p Package, names: &[&str]) -> Vec<&'p str> {
    shipped(package)
        .into_iter()
        .filter(|name| names.contains(name))
        .collect()
}

#[test]
fn rooms_never_import_each_other() {
    for package in workspace().workspace_packages() {
        let imported = leans_on(package, &ROOMS);
        assert!(
            imported.is_empty(),
            "{} imports {imported:?}: what two rooms agree on is a crate in crates/",
            package.name
        );
    }
}

#[test]
fn span_causality_contract_process_and_settings_import_nothing_of_ours() {
    let workspace = workspace();
    let packages = workspace.workspace_packages();
    let ours: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for name in FREE_STANDING {
        let package = packages
            .iter()
            .find(|package| package.name.as_str() == name)
            .unwrap();
        let imported = leans_on(package, &ours);
        assert!(imported.is_empty(), "{name} imports {imported:?}");
    }
}

#[test]
fn only_otlp_and_settings_name_protobuf_types() {
    // - bench: its sink stands for a collector that is not ours, so it reads what arrives by the standard's own types
    // - stories: are tests, whose collectors and gRPC services are not ours either
    let exempt = ["otlp", "settings", "bench", "stories"];
    for package in workspace().workspace_packages() {
        let imported = leans_on(package, &PROTOBUF);
        assert!(
            imported.is_empty() || exempt.contains(&package.name.as_str()),
            "{} imports {imported:?}: spans travel by the crate otlp, settings by the crate settings",
            package.name
        );
    }
}

#[test]
fn only_the_operator_names_kubernetes() {
    for package in workspace().workspace_packages() {
        let imported = leans_on(package, &KUBERNETES);
        assert!(
            imported.is_empty() || package.name.as_str() == "meshtrace-operator",
            "{} imports {imported:?}: only the operator speaks with Kubernetes",
            package.name
        );
    }
}

#[test]
fn every_crate_has_the_workspaces_version_edition_and_lints() {
    let workspace = workspace();
    for package in workspace.workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        for inherited in [
            "version.workspace = true",
            "edition.workspace = true",
            "rust-version.workspace = true",
            "license.workspace = true",
            "publish.workspace = true",
            "[lints]\nworkspace = true",
        ] {
            assert!(
                manifest.contains(inherited),
                "{}: `{inherited}` is missing",
                package.manifest_path
            );
        }
    }
}

#[test]
fn every_dependency_is_declared_once_in_the_workspace() {
    for package in workspace().workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        let tables = manifest
            .split("\n[")
            .filter(|table| table.split(']').next().unwrap().ends_with("dependencies"));
        let lines = tables
            .flat_map(|table| table.lines().skip(1))
            .filter(|line| line.contains(" = ") && !line.starts_with('#'));
        for line in lines {
            assert!(
                line.contains("workspace = true"),
                "{}: `{line}`: versions stand in the workspace's Cargo.toml",
                package.manifest_path
            );
        }
    }
}
