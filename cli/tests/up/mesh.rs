//! `meshtrace up` as its users meet it. Needs root, which CI has.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::harness::{Mesh, as_nobody, ask, exchange, free_ports, mesh_file};
use crate::leftovers::{Leftovers, processes, wait_until_gone};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Says which address it listens on to whoever connects, in both families.
const ECHO: &str = r#"
import socket, threading
def serve(family, address):
    server = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.bind((address, 7000)); server.listen()
    while True:
        peer, _ = server.accept()
        peer.sendall((peer.getsockname()[0] + ' ' + socket.gethostname()).encode()); peer.close()
threading.Thread(target=serve, args=(socket.AF_INET6, '::')).start()
serve(socket.AF_INET, '0.0.0.0')
"#;

/// Asks every name in both families, then lists all addresses that `echo` stands for.
const ASK: &str = r#"
import socket
for name in ('echo-0', 'echo-1'):
    for family in (socket.AF_INET, socket.AF_INET6):
        for attempt in range(200):
            peer = socket.socket(family, socket.SOCK_STREAM)
            try:
                peer.connect(socket.getaddrinfo(name, 7000, family)[0][4]); break
            except ConnectionRefusedError:
                import time; time.sleep(0.05)
        print(name, 'answers', peer.recv(100).decode())
print('echo is', *sorted({found[4][0] for found in socket.getaddrinfo('echo', 7000)}))
"#;

fn text(script: &str) -> String {
    serde_json::to_string(script).unwrap()
}

/// What a test marks its processes with, so that it finds its own only.
fn mark(test: &str) -> String {
    format!("meshtrace-test-{test}-{}", std::process::id())
}

#[test]
fn services_find_each_other_by_name_over_ipv4_and_ipv6() {
    let (_directory, file) = mesh_file(&format!(
        "ip: dual
collector: {{enabled: false}}
services:
  echo: {{command: [python3, -c, {}], port: 7000, replicas: 2, traced: false}}
  ask: {{command: [python3, -c, {}], traced: false}}
",
        text(ECHO),
        text(ASK),
    ));
    let mut mesh = Mesh::up(&file, &[]);
    mesh.expect("echo-0 answers 10.201.0.10 echo-0");
    mesh.expect("echo-0 answers fd6d:6573:6874::a echo-0");
    mesh.expect("echo-1 answers 10.201.0.11 echo-1");
    mesh.expect("echo-1 answers fd6d:6573:6874::b echo-1");
    mesh.expect("echo is 10.201.0.10 10.201.0.11 fd6d:6573:6874::a fd6d:6573:6874::b");
    mesh.signal(Signal::SIGTERM);
    assert_eq!(mesh.end().code(), Some(0));
}

#[test]
fn replicas_share_a_published_port_in_turn() {
    let [port] = free_ports();
    let (_directory, file) = mesh_file(&format!(
        "services:
  echo: {{command: [python3, -c, {}], port: 7000, replicas: 2, publish: {port}}}
",
        text(ECHO)
    ));
    let mut mesh = Mesh::up(&file, &["--untraced"]);
    mesh.expect(&format!("echo: http://127.0.0.1:{port}"));
    let mut heard: Vec<String> = (0..4)
        .map(|_| {
            let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            std::io::read_to_string(&mut socket).unwrap()
        })
        .collect();
    heard.sort();
    assert_eq!(
        heard,
        [
            "10.201.0.10 echo-0",
            "10.201.0.10 echo-0",
            "10.201.0.11 echo-1",
            "10.201.0.11 echo-1"
        ]
    );
}

/// A service that has a child, an orphan and a file open, and does not go when asked.
fn stubborn(mark: &str) -> String {
    format!(
        "services:
  stubborn:
    command: 'trap \"\" TERM; (setsid sleep 1000 &); sleep 1000 & echo stubborn as ever; while :; do sleep 1000; done'
    env: {{MARK: {mark}}}
  meek: {{command: sleep 1000, env: {{MARK: {mark}}}}}
"
    )
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let mark = mark("ctrl-c");
    let (_directory, file) = mesh_file(&stubborn(&mark));
    let before = Leftovers::now();
    let mut mesh = Mesh::up(&file, &["--untraced"]);
    mesh.expect("stubborn as ever");
    mesh.expect("mesh     • up after");
    assert!(processes(&mark).len() >= 4, "{:?}", processes(&mark));
    mesh.signal(Signal::SIGINT);
    let status = mesh.end();
    assert_eq!(status.code(), Some(0), "{:?}", mesh.said);
    assert_eq!(mesh.said.last().map(String::as_str), Some("mesh     • down"));
    wait_until_gone(&mark);
    before.wait_until_gone();
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let mark = mark("second-ctrl-c");
    let (_directory, file) = mesh_file(&stubborn(&mark));
    let mut mesh = Mesh::up(&file, &["--untraced"]);
    // from here on it does not go when asked
    mesh.expect("stubborn as ever");
    mesh.expect("mesh     • up after");
    mesh.signal(Signal::SIGINT);
    mesh.expect("meek     • stopped");
    // long enough after the first not to be the same one
    sleep(Duration::from_millis(500));
    mesh.signal(Signal::SIGINT);
    assert_eq!(mesh.end().code(), Some(130));
    wait_until_gone(&mark);
}

#[test]
fn a_front_that_is_killed_takes_everything_with_it() {
    let mark = mark("killed");
    let (_directory, file) = mesh_file(&stubborn(&mark));
    let before = Leftovers::now();
    let mut mesh = Mesh::up(&file, &["--untraced"]);
    mesh.expect("mesh     • up after");
    mesh.signal(Signal::SIGKILL);
    mesh.end();
    wait_until_gone(&mark);
    before.wait_until_gone();
}

#[test]
fn a_crashing_service_is_started_again_if_told_to() {
    let (_directory, file) = mesh_file(
        "services:
  crash:
    command: 'if [ -e seen ]; then echo back again; sleep 1000; else touch seen; exit 3; fi'
    restart: on-failure
",
    );
    let mut mesh = Mesh::up(&file, &["--untraced"]);
    mesh.expect("crash • ended with code 3, starting again in 0.5 s");
    mesh.expect("back again");
}

#[test]
fn a_mesh_whose_services_have_all_ended_ends_and_says_how() {
    let (_directory, file) = mesh_file(
        "services:
  well: {command: 'echo done; exit 0'}
  badly: {command: 'kill -SEGV $$'}
",
    );
    let mut mesh = Mesh::up(&file, &["--untraced"]);
    assert_eq!(mesh.end().code(), Some(1));
    let said = mesh.said.join("\n");
    assert!(
        said.contains("well  │ done") && said.contains("badly • killed by SIGSEGV"),
        "{said}"
    );

    let (_directory, file) = mesh_file("services: {well: {command: 'true'}}");
    assert_eq!(Mesh::up(&file, &["--untraced"]).end().code(), Some(0));
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let (_directory, file) = mesh_file("services: {ghost: {command: [no-such-program, -x]}}");
    let mut mesh = Mesh::up(&file, &["--untraced"]);
    mesh.expect("cannot start `no-such-program -x`");
    assert_eq!(mesh.end().code(), Some(1));
}

#[test]
fn a_bad_file_gives_all_its_problems_and_starts_nothing() {
    let (_directory, file) = mesh_file("services: {a: {command: x, port: 0}, b: {comand: x}}\nwhat: 1\n");
    let mut mesh = Mesh::up(&file, &[]);
    mesh.expect("4 problems");
    for problem in [
        "services.a.port: `0` is not a port, 1 to 65535",
        "services.b.command: is required",
        "services.b.comand: unknown key; did you mean `command`?",
        "what: unknown key",
    ] {
        mesh.expect(problem);
    }
    assert_eq!(mesh.end().code(), Some(1));
}

#[test]
fn a_published_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (_directory, file) = mesh_file(&format!(
        "services: {{a: {{command: x, port: 1, publish: {port}}}}}"
    ));
    let mut mesh = Mesh::up(&file, &["--untraced"]);
    mesh.expect(&format!("cannot publish a on 127.0.0.1:{port}"));
    assert_eq!(mesh.end().code(), Some(1));
}

#[test]
fn a_user_without_rights_has_a_mesh_where_user_namespaces_are_allowed() {
    let mark = mark("rootless");
    let (_directory, file) = mesh_file(&format!(
        "services:
  who: {{command: 'echo I am user $(id -u) on $(hostname); sleep 1000', env: {{MARK: {mark}}}}}
"
    ));
    let command = match as_nobody() {
        Ok(command) => command,
        Err(why) => {
            eprintln!("SKIPPED: a mesh without root: {why}");
            return;
        }
    };
    let before = Leftovers::now();
    let mut mesh = Mesh::with(command, &file, &["--untraced"]);
    mesh.expect("I am user 0 on who");
    mesh.signal(Signal::SIGKILL);
    mesh.end();
    wait_until_gone(&mark);
    before.wait_until_gone();
}

#[test]
fn a_sidecar_that_dies_is_started_again() {
    let [port] = free_ports();
    let mark = mark("sidecar");
    let (_directory, file) = mesh_file(&format!(
        "collector: {{enabled: false}}
services:
  web: {{command: [python3, -m, http.server, '8000'], port: 8000, publish: {port}, env: {{MARK: {mark}}}}}
"
    ));
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshtrace"));
    command.env("MARK", &mark);
    let mut mesh = Mesh::with(command, &file, &[]);
    mesh.expect("web: http://127.0.0.1");
    assert_eq!(ask(port, "GET", "/", "").0, 200);

    let sidecar = processes(&mark)
        .into_iter()
        .find(|process| process.contains("meshtrace-sidecar run"))
        .unwrap();
    let pid = sidecar.split(':').next().unwrap().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    mesh.expect("web/sidecar • killed by SIGKILL, starting again");
    while !processes(&mark)
        .iter()
        .any(|process| process.contains("meshtrace-sidecar run"))
    {
        sleep(Duration::from_millis(20));
    }
    // it lives, and will listen in a moment
    let answered = (0..500).any(|_| {
        sleep(Duration::from_millis(20));
        exchange(port, "GET", "/", "").is_some_and(|(status, _)| status == 200)
    });
    assert!(answered, "{}", mesh.said.join("\n"));
    mesh.signal(Signal::SIGTERM);
    assert_eq!(mesh.end().code(), Some(0));
}
