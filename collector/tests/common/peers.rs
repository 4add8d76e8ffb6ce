//! What other people's tracers send. They come from the package indexes of Python and Node.js into folders under `target/`,
//! once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::Running;

/// Packages, and the folder in which they are.
pub(crate) type Packages = (&'static [&'static str], &'static str);

/// The folder in which they are. A file written last says that it is whole; tests that run in other processes wait for the
/// one that makes it.
fn home((packages, name): Packages, make: impl FnOnce(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let turn = File::create(folder.join(format!("{name}.lock"))).unwrap();
    turn.lock().unwrap();
    let home = folder.join(name);
    let whole = home.join("whole");
    let wanted = packages.join(" ");
    if !std::fs::read_to_string(&whole).is_ok_and(|packages| packages == wanted) {
        std::fs::create_dir_all(&home).unwrap();
        make(&home);
        std::fs::write(whole, wanted).unwrap();
    }
    home
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

fn here(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script)
}

/// Runs a script of this folder in Python to its end.
pub(crate) async fn python(packages: Packages, script: &'static str, arguments: Vec<String>) {
    let running = tokio::task::spawn_blocking(move || {
        let home = home(packages, |home| {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(home));
            let mut pip = Command::new(home.join("bin/python"));
            run(pip
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(packages.0));
        });
        run(Command::new(home.join("bin/python"))
            .arg(here(script))
            .args(arguments));
    });
    running.await.unwrap();
}

/// Runs a script of this folder in Node.js to its end.
pub(crate) async fn node(packages: Packages, script: &'static str, arguments: Vec<String>) {
    let running = tokio::task::spawn_blocking(move || {
        let home = home(packages, |home| {
            let mut npm = Command::new("npm");
            run(npm
                .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
                .arg(home)
                .args(packages.0));
        });
        // it looks for its packages from where it is
        let copy = home.join(script);
        std::fs::copy(here(script), &copy).unwrap();
        run(Command::new("node").arg(copy).args(arguments));
    });
    running.await.unwrap();
}

/// The trace that each SDK's script sends, as Jaeger's API has it: an `order` that holds a `charge`, which failed with a
/// `description` and an exception.
pub(crate) async fn order_and_charge(collector: &Running, service: &str, description: &str) -> Value {
    let mut traces = collector
        .data(&format!("/api/traces?service={service}&tag=shop.items:3"))
        .await;
    let spans = traces[0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 2);
    let (order, charge) = (&spans[0], &spans[1]);
    assert_eq!(
        (&order["operationName"], &charge["operationName"]),
        (&json!("order"), &json!("charge"))
    );
    assert_eq!(charge["references"][0]["spanID"], order["spanID"]);
    has_tags(
        charge,
        &[
            json!({"key": "span.kind", "type": "string", "value": "client"}),
            json!({"key": "otel.status_description", "type": "string", "value": description}),
            json!({"key": "otel.scope.name", "type": "string", "value": "shop"}),
        ],
    );
    let exception = json!({"key": "event", "type": "string", "value": "exception"});
    assert_eq!(charge["logs"][0]["fields"][0], exception);
    traces[0].take()
}

/// All of these stand on a span of Jaeger's API.
pub(crate) fn has_tags(span: &Value, wanted: &[Value]) {
    let tags = span["tags"].as_array().unwrap();
    for tag in wanted {
        assert!(tags.contains(tag), "{tag} in {tags:?}");
    }
}
