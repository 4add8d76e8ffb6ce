//! etcd, which keeps what the API server knows. On this node it does not outlive anything, so it never syncs.

use crate::daemon::Daemons;
use crate::failure::Failure;
use crate::parts::Site;

/// Where the API server finds it.
pub(crate) const URL: &str = "http://127.0.0.1:2379";

/// Starts it. The API server waits for it by itself.
pub(crate) fn start(site: Site<'_>, daemons: &mut Daemons<'_>) -> Result<(), Failure> {
    let mut etcd = site.program("etcd");
    etcd.arg(site.option("--data-dir", "etcd")).args([
        &format!("--listen-client-urls={URL}"),
        &format!("--advertise-client-urls={URL}"),
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]);
    daemons.start("etcd", etcd)
}
