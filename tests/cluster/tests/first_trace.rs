//! What an administrator does first: install with Helm, annotate, look.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;
use std::fs;

use cluster::admin::{Own, eventually, is_injected, repository};
use cluster::installed::{self, traces};

const BANK: &str = "bank";
const TRACED: [&str; 6] = ["edge", "cashier", "account", "customer", "transaction", "balance"];

#[test]
fn whoever_annotates_the_banks_deployments_sees_connected_traces_through_all_of_it() {
    installed::with("");
    let bank = Own::new(BANK, "pod-security.kubernetes.io/enforce=privileged");
    let manifest = fs::read_to_string(repository().join("manifests/demo/bank.yaml")).unwrap();
    cluster::admin::apply(BANK, &manifest);
    for service in TRACED {
        bank.rolled_out(&format!("deployment/{service}"));
    }
    assert!(
        bank.pods("app.kubernetes.io/part-of=bank")
            .iter()
            .all(|pod| !is_injected(pod)),
        "nobody has asked yet"
    );

    for service in TRACED {
        bank.tell(&format!("annotate deployment {service} meshtrace.io/inject=true"));
    }
    for service in TRACED {
        bank.rolled_out(&format!("deployment/{service}"));
        let pods = bank.pods(&format!("app.kubernetes.io/name={service}"));
        assert!(!pods.is_empty() && pods.iter().all(is_injected), "{service}");
    }

    // the bank's own load runs all the time
    let trace = eventually("a trace through at least four services, whole", || {
        let traces = traces("edge")?;
        let whole = traces.iter().find(|trace| {
            let services: BTreeSet<&str> = trace.iter().map(|span| &*span.service).collect();
            let ids: BTreeSet<&str> = trace.iter().map(|span| &*span.id).collect();
            let roots = trace.iter().filter(|span| span.parent.is_none()).count();
            let connected = |parent: &String| ids.contains(&**parent);
            services.len() >= 4
                && roots == 1
                && trace
                    .iter()
                    .filter_map(|span| span.parent.as_ref())
                    .all(connected)
        });
        let widest = traces.iter().map(Vec::len).max().unwrap_or_default();
        whole
            .cloned()
            .ok_or(format!("{} traces, the widest of {widest} spans", traces.len()))
    });
    let edge = trace.iter().find(|span| span.service == "edge").unwrap();
    assert_eq!(edge.tag("k8s.namespace.name"), Some(BANK), "{edge:?}");
    assert_eq!(edge.tag("k8s.deployment.name"), Some("edge"), "{edge:?}");
    assert_eq!(
        edge.tag("k8s.node.name"),
        bank.pods("app.kubernetes.io/name=edge")[0]["spec"]["nodeName"].as_str()
    );
}
