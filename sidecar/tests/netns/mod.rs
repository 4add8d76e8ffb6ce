//! A pod in miniature: two network namespaces with a cable between them, servers that say who they are, and clients.
//!
//! The namespaces have no name and nothing outside this process knows them, so they end with it, however it ends.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::{Uid, setfsuid};
use sidecar::intercept::original_destination;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

/// Long enough for a busy machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Two hosts. The pod is 10.77.0.2 and fd77::2, the one across the cable 10.77.0.1 and fd77::1.
pub(crate) struct Rig {
    pub(crate) pod: Host,
    pub(crate) across: Host,
    servers: Runtime,
}

/// One end of the cable.
pub(crate) struct Host {
    namespace: File,
}

/// A connection whose server has said who it is.
pub(crate) struct Client {
    pub(crate) server: String,
    stream: BufReader<TcpStream>,
}

impl Rig {
    /// Makes both hosts, or says why that is not possible here.
    ///
    /// In the pod the application listens on 8080 and 9090, and the sidecar on 15106 (inbound), 15101 (outbound) and
    /// 15190 (admin). Across the cable somebody listens on 80, 3306 and 8080.
    pub(crate) fn new() -> Option<Rig> {
        if !Uid::effective().is_root() {
            eprintln!("SKIPPED: needs root, to make network namespaces and netfilter rules");
            return None;
        }
        let rig = Rig {
            pod: Host::new(),
            across: Host::new(),
            servers: Runtime::new().unwrap(),
        };
        let across = format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            rig.across.namespace.as_raw_fd()
        );
        rig.pod
            .ip(&format!("link add eth0 type veth peer name eth0 netns {across}"));
        rig.pod.configure(2);
        rig.across.configure(1);
        for port in [8080, 9090] {
            rig.serve(&rig.pod, port, "application");
        }
        for port in [80, 3306, 8080] {
            rig.serve(&rig.across, port, "across");
        }
        for (port, name) in [(15106, "inbound"), (15101, "outbound"), (15190, "admin")] {
            rig.serve(&rig.pod, port, name);
        }
        Some(rig)
    }

    /// A third host, 10.78.0.1, that the one across reaches through the pod, which is 10.78.0.2 to it. Somebody listens
    /// on its port 8080.
    pub(crate) fn behind_the_pod(&self) -> Host {
        let beyond = Host::new();
        self.pod.ip(&format!(
            "link add eth1 type veth peer name eth0 netns {}",
            beyond.path()
        ));
        self.pod.ip("link set eth1 up");
        self.pod.ip("address add 10.78.0.2/24 dev eth1");
        self.pod
            .inside(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap());
        beyond.ip("link set eth0 up");
        beyond.ip("address add 10.78.0.1/24 dev eth0");
        beyond.ip("route add default via 10.78.0.2");
        self.across.ip("route add 10.78.0.0/24 via 10.77.0.2");
        self.serve(&beyond, 8080, "beyond");
        beyond
    }

    /// A server that greets with its name, followed by the original destination if that is not its own address, and
    /// then repeats what it hears.
    fn serve(&self, host: &Host, port: u16, name: &'static str) {
        let listener = host.inside(|| std::net::TcpListener::bind(("::", port)).unwrap());
        listener.set_nonblocking(true).unwrap();
        self.servers.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((mut stream, _)) = listener.accept().await {
                let here = stream.local_addr().unwrap();
                let here = SocketAddr::new(here.ip().to_canonical(), here.port());
                let greeting = match original_destination(&stream) {
                    Ok(original) if original != here => format!("{name} for {original}\n"),
                    _ => format!("{name}\n"),
                };
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    if write.write_all(greeting.as_bytes()).await.is_ok() {
                        drop(tokio::io::copy(&mut read, &mut write).await);
                    }
                });
            }
        });
    }
}

impl Host {
    fn new() -> Host {
        let namespace = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        Host {
            namespace: namespace.join().unwrap(),
        }
    }

    /// Where other programs find the namespace.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.namespace.as_raw_fd())
    }

    fn configure(&self, number: u8) {
        self.ip("link set lo up");
        self.ip("link set eth0 up addrgenmode none");
        self.ip(&format!("address add 10.77.0.{number}/24 dev eth0"));
        self.ip(&format!("address add fd77::{number}/64 dev eth0 nodad"));
        self.ip(&format!("address add fe80::{number}/64 dev eth0 nodad"));
    }

    fn ip(&self, arguments: &str) {
        self.output("ip", &arguments.split(' ').collect::<Vec<_>>());
    }

    /// The number of the cable's end here, which is the scope of link-local addresses.
    pub(crate) fn cable(&self) -> u32 {
        let shown = self.output("ip", &["-oneline", "link", "show", "eth0"]);
        shown.split_once(':').unwrap().0.parse().unwrap()
    }

    /// Runs `work` in a thread of its own inside this host.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.namespace, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// As [`Host::inside`], seeing instead of /usr/sbin a copy of its netfilter tools that `change` has changed.
    pub(crate) fn inside_with_tools<T: Send>(
        &self,
        change: impl FnOnce(&Path) + Send,
        work: impl FnOnce() -> T + Send,
    ) -> T {
        let tools = tempfile::tempdir().unwrap();
        let copy = format!(
            "cp -a /usr/sbin/nft /usr/sbin/*tables* {}",
            tools.path().display()
        );
        self.output("sh", &["-c", &copy]);
        change(tools.path());
        self.inside(|| {
            let nothing: Option<&str> = None;
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            mount(
                nothing,
                "/",
                nothing,
                MsFlags::MS_REC | MsFlags::MS_PRIVATE,
                nothing,
            )
            .unwrap();
            mount(
                Some(tools.path()),
                "/usr/sbin",
                nothing,
                MsFlags::MS_BIND,
                nothing,
            )
            .unwrap();
            work()
        })
    }

    /// What a program prints that is run inside this host and succeeds.
    pub(crate) fn output(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.inside(|| Command::new(program).args(arguments).output().unwrap());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Connects and listens to the greeting.
    pub(crate) fn connect(&self, address: &str) -> Client {
        let address: SocketAddr = address.parse().unwrap();
        Client::greeted(self.inside(|| TcpStream::connect_timeout(&address, PATIENCE).unwrap()))
    }

    /// Who answers at `address`.
    pub(crate) fn ask(&self, address: &str) -> String {
        self.connect(address).server
    }

    /// Who answers when the user `uid` asks.
    pub(crate) fn ask_as(&self, uid: u32, address: &str) -> String {
        let address: SocketAddr = address.parse().unwrap();
        let stream = self.inside(|| {
            // of this thread alone
            setfsuid(Uid::from_raw(uid));
            TcpStream::connect_timeout(&address, PATIENCE).unwrap()
        });
        Client::greeted(stream).server
    }

    /// Who answers when the packets carry `mark`.
    pub(crate) fn ask_marked(&self, mark: u32, address: &str) -> String {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};
        let address: SocketAddr = address.parse().unwrap();
        let family = if address.is_ipv4() {
            AddressFamily::Inet
        } else {
            AddressFamily::Inet6
        };
        let socket: OwnedFd = self.inside(|| {
            let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
            setsockopt(&socket, sockopt::Mark, &mark).unwrap();
            connect(socket.as_raw_fd(), &SockaddrStorage::from(address)).unwrap();
            socket
        });
        Client::greeted(TcpStream::from(socket)).server
    }

    /// Every netfilter rule of this host, whoever made it.
    pub(crate) fn rules(&self) -> String {
        let mut rules = self.output("nft", &["list", "ruleset"]);
        for program in ["iptables-legacy-save", "ip6tables-legacy-save"] {
            rules += &self.output(program, &[]);
        }
        // counters and times of day change with nobody's doing
        let steady = |line: &&str| !line.starts_with('#') && !line.starts_with(':');
        rules
            .lines()
            .filter(steady)
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

impl Client {
    fn greeted(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = BufReader::new(stream);
        let mut server = String::new();
        stream.read_line(&mut server).unwrap();
        Client {
            server: server.trim_end().to_owned(),
            stream,
        }
    }

    /// Whether the connection still carries bytes both ways.
    pub(crate) fn works(&mut self) -> bool {
        let mut echo = [0; 4];
        self.stream.get_mut().write_all(b"ping").is_ok()
            && self.stream.read_exact(&mut echo).is_ok()
            && echo == *b"ping"
    }
}
