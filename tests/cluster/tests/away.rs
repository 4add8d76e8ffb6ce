//! What happens to applications while a part of meshtrace is away: nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use cluster::admin::{Own, eventually, is_injected, tell};
use cluster::installed::{self, traces};
use cluster::web::{self, Caller};
use serde_json::json;

#[test]
fn pods_start_without_a_sidecar_while_the_operator_is_away_and_get_one_when_it_is_back() {
    let meshtrace = installed::with("");
    let own = Own::new("operator-away", "");
    meshtrace.tell("scale --replicas 0 deployment/meshtrace-operator");
    // it goes on answering for a while after it was told to stop
    meshtrace.tell("wait --for=delete pod --selector app.kubernetes.io/component=operator --timeout 120s");

    web::serve(&own, 1, &json!({"meshtrace.io/inject": "true"}));
    let pods = own.pods("app=web");
    assert!(!pods.is_empty() && !pods.iter().any(is_injected), "{pods:?}");

    installed::with("");
    tell("kubectl --namespace operator-away annotate deployment web meshtrace.io/sampling=1");
    own.rolled_out("deployment/web");
    eventually("pods with a sidecar only", || {
        let pods = own.pods("app=web");
        let all = !pods.is_empty() && pods.iter().all(is_injected);
        all.then_some(()).ok_or_else(|| own.state())
    });
}

#[test]
fn no_request_fails_while_the_collector_is_away_and_spans_come_again_when_it_is_back() {
    let meshtrace = installed::with("");
    let own = Own::new("collector-away", "");
    web::serve(
        &own,
        1,
        &json!({"meshtrace.io/inject": "true", "meshtrace.io/service-name": "web-collector-away"}),
    );
    assert!(own.pods("app=web").iter().all(is_injected));
    let caller = Caller::begin(&own);

    meshtrace.tell("scale --replicas 0 statefulset/meshtrace-collector");
    meshtrace.tell("wait --for=delete pod/meshtrace-collector-0 --timeout 120s");
    caller.has_more_answers();
    // pods start as well
    own.tell("rollout restart deployment/web");
    own.rolled_out("deployment/web");
    assert!(own.pods("app=web").iter().all(is_injected));
    caller.has_more_answers();

    installed::with("");
    eventually("spans again", || {
        let found = traces("web-collector-away")?;
        (!found.is_empty())
            .then_some(())
            .ok_or_else(|| "no trace".to_owned())
    });
    caller.was_always_answered();
}

#[test]
fn no_request_fails_while_an_injected_deployment_is_restarted_under_load() {
    installed::with("");
    let own = Own::new("restarted", "");
    web::serve(&own, 2, &json!({"meshtrace.io/inject": "true"}));
    let before = own.pods("app=web");
    assert!(before.iter().all(is_injected));
    let caller = Caller::begin(&own);
    own.tell("rollout restart deployment/web");
    own.rolled_out("deployment/web");
    // the old ones are gone for good, and with them whatever could still have gone wrong
    for pod in before {
        let name = pod["metadata"]["name"].as_str().unwrap();
        own.tell(&format!("wait --for=delete pod/{name} --timeout 120s"));
    }
    caller.has_more_answers();
    caller.was_always_answered();
}
