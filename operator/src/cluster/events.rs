//! Writing what is to be told as Events of `events.k8s.io`, where `kubectl describe` shows them.
//!
//! An Event has a name made of what it says and of what about, so that a new leader, which does not know what the one before
//! has told, finds that it was told.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use crate::coverage::Coverage;
use crate::coverage::seen::Object;
use crate::coverage::tale::Tale;

/// How often is looked whether there is something to tell.
const LOOK: Duration = Duration::from_secs(1);
/// Of how many objects at most something is told at each look.
const MOST: usize = 20;
/// Who tells.
const CONTROLLER: &str = "meshtrace.io/operator";
/// Where Events are about what is in no namespace.
const NOWHERE: &str = "default";

/// Tells everything there is to tell, for as long as it is polled; `identity` is this replica's name.
pub async fn tell(client: &Client, identity: &str, coverage: &Coverage) {
    loop {
        for (object, tales) in coverage.untold(MOST) {
            let mut all_are_told = true;
            for tale in &tales {
                if let Err(error) = write(client, identity, &object, tale).await {
                    all_are_told = false;
                    tracing::warn!(%error, object = object.name, "an Event could not be written; trying again");
                }
            }
            if all_are_told {
                coverage.told(&object, tales);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn write(client: &Client, identity: &str, object: &Object, tale: &Tale) -> Result<(), kube::Error> {
    let namespace = match object.namespace.as_str() {
        "" => NOWHERE,
        namespace => namespace,
    };
    let event = event(namespace, identity, object, tale);
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    match events.create(&PostParams::default(), &event).await {
        Ok(_) => {
            tracing::info!(
                kind = object.kind,
                namespace,
                name = object.name,
                reason = tale.reason,
                "told"
            );
            Ok(())
        }
        // told already, or nobody is left to tell it to
        Err(kube::Error::Api(status)) if status.is_already_exists() || is_ending(&status) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether the namespace takes no new objects, since it is being deleted or is gone.
fn is_ending(status: &kube::core::Status) -> bool {
    status.is_not_found() || status.message.contains("being terminated")
}

fn event(namespace: &str, identity: &str, object: &Object, tale: &Tale) -> Event {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Event {
        metadata: ObjectMeta {
            name: Some(tale.name(&object.name, &object.uid)),
            namespace: text(namespace),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(Timestamp::now())),
        reporting_controller: text(CONTROLLER),
        reporting_instance: text(identity),
        action: text("Inject"),
        reason: text(tale.reason),
        note: text(&tale.note),
        type_: text("Warning"),
        regarding: Some(ObjectReference {
            api_version: text(object.api_version),
            kind: text(object.kind),
            name: text(&object.name),
            namespace: text(&object.namespace),
            uid: text(&object.uid),
            ..ObjectReference::default()
        }),
        ..Event::default()
    }
}
