//! Volumes for claims: folders of the node, made before they are asked for.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::failure::{Asked, Failure};
use crate::parts::Site;

/// How many there are. One that was released goes with what was in it, and no other takes its place.
const VOLUMES: usize = 24;
/// The folder that holds them, inside. Only below `/tmp` does Kubernetes delete such a folder with its volume.
const FOLDER: &str = "/tmp/volumes";

/// Makes the folders, and tells the cluster of them.
///
/// The provisioner that the controller manager has for tests would make them on demand, but for root alone.
pub(crate) fn lay_out(site: Site<'_>) -> Result<(), Failure> {
    let mut items = vec![json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "folder",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
    })];
    for number in 0..VOLUMES {
        let folder = site.place.own("/tmp").join(format!("volumes/{number}"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::set_permissions(&folder, Permissions::from_mode(0o777)))
            .to(|| format!("make the volume {}", folder.display()))?;
        items.push(volume(number));
    }
    site.apply(
        "storage.json",
        &json!({"apiVersion": "v1", "kind": "List", "items": items}),
    )
}

fn volume(number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": format!("folder-{number}")},
        "spec": {
            "storageClassName": "folder",
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "64Gi"},
            "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": {"path": format!("{FOLDER}/{number}")},
        },
    })
}
