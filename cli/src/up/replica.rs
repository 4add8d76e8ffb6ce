//! The life of one replica: rules, sidecar, application, and the same backwards, as in a pod with a native sidecar.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use contract::{SIDECAR_UID, env, port};
use rustix::thread::CapabilitySet;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::lifeline::Users;
use super::netns::Netns;
use super::plan::{Address, Replica};
use super::reaper::Exit;
use super::spec::Restart;
use super::supervise::{End, Kit, Program, Ready, keep, told};

/// What sidecars put on their connections where they cannot have a user id of their own: any number that nobody else
/// in their namespaces uses.
const MARK: &str = "28020";
/// How long a sidecar may take to become ready.
const SIDECAR_START: Duration = Duration::from_secs(15);

/// How the mesh runs its replicas.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) users: Users,
    pub(super) search_path: String,
    pub(super) sidecar: String,
    /// Where the collector is, if there is one.
    pub(super) collector: Option<Address>,
}

/// Runs a replica until it ends for good or `stop` becomes true.
pub(super) async fn live(
    replica: Replica,
    namespace: Netns,
    manner: Manner,
    kit: Kit,
    mut stop: watch::Receiver<bool>,
    ready: oneshot::Sender<()>,
) -> End {
    let application = application(&replica, &namespace, &manner);
    let Some(sidecar) = sidecar(&replica, &namespace, &manner) else {
        return keep(&application, replica.restart, &kit, stop, Some(ready)).await;
    };
    if let Err(why) = redirect(&sidecar, &manner, &kit).await {
        kit.console
            .trouble(
                &replica.name,
                &format!("the redirect rules could not be installed: {why}"),
            )
            .await;
        return End::Failed;
    }
    let (stop_sidecar, sidecar_stop) = watch::channel(false);
    let (sidecar_ready, mut prepared) = oneshot::channel();
    let carrying = tokio::spawn({
        let kit = kit.clone();
        async move {
            keep(
                &sidecar,
                Restart::OnceReady,
                &kit,
                sidecar_stop,
                Some(sidecar_ready),
            )
            .await
        }
    });
    // whatever the application says before its sidecar listens would be refused
    let end = tokio::select! {
        prepared = timeout(SIDECAR_START, &mut prepared) => match prepared {
            Ok(Ok(())) => keep(&application, replica.restart, &kit, stop, Some(ready)).await,
            _ => {
                kit.console.trouble(&replica.name, "not started: its sidecar does not become ready").await;
                End::Failed
            }
        },
        () = told(&mut stop) => End::Stopped,
    };
    stop_sidecar.send_replace(true);
    // what became of it is on the console
    drop(carrying.await);
    end
}

fn application(replica: &Replica, namespace: &Netns, manner: &Manner) -> Program {
    let mut env = vec![("PATH".to_owned(), manner.search_path.clone())];
    env.extend(replica.env.iter().cloned());
    Program {
        name: replica.name.clone(),
        command: replica.command.clone(),
        workdir: replica.workdir.clone(),
        env,
        user: None,
        keeps: CapabilitySet::empty(),
        namespace: namespace.clone(),
        hostname: replica.name.clone(),
        ready: replica.port.map_or(Ready::Running, Ready::Listening),
        reported: true,
    }
}

fn sidecar(replica: &Replica, namespace: &Netns, manner: &Manner) -> Option<Program> {
    let mut env = replica.sidecar.clone()?;
    let user = match manner.users {
        Users::Many => Some(SIDECAR_UID),
        Users::One => {
            env.push((env::MARK.to_owned(), MARK.to_owned()));
            None
        }
    };
    Some(Program {
        name: format!("{}/sidecar", replica.name),
        command: vec![manner.sidecar.clone(), "run".to_owned()],
        workdir: "/".into(),
        env,
        user,
        // to see which process holds a connection: reading /proc/PID/fd of root's processes takes both
        keeps: CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH,
        namespace: namespace.clone(),
        hostname: replica.name.clone(),
        ready: Ready::Answering(SocketAddr::new(IpAddr::V4(replica.address.v4), port::ADMIN)),
        reported: false,
    })
}

/// Installs the redirect rules in the sidecar's namespace.
async fn redirect(sidecar: &Program, manner: &Manner, kit: &Kit) -> Result<(), String> {
    let mut command = Command::new(Path::new(&manner.sidecar));
    command
        .arg("redirect")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if manner.users == Users::One {
        command.args(["--uid", "none", "--mark", MARK]);
    }
    if let Some(collector) = manner.collector {
        // telemetry is not traffic, whether a sidecar sends it or an application that has a tracing library
        command.args([
            "--exclude-outbound-cidrs",
            &format!("{},{}", collector.v4, collector.v6),
        ]);
    }
    let mut child = kit
        .reaper
        .start(&sidecar.namespace, command)
        .await
        .map_err(|error| format!("{}: {error}", manner.sidecar))?;
    let complaint = child.process.stderr.take();
    match child.exit().await {
        Exit::Code(0) => Ok(()),
        _ => Err(complaint
            .and_then(|pipe| io::read_to_string(pipe).ok())
            .unwrap_or_default()
            .trim_end()
            .to_owned()),
    }
}
