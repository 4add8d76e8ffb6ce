//! Connections of a real mesh that are no plain HTTP: they work, and what can be known of them is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use stories::mesh::Mesh;

#[test]
fn a_protocol_in_which_the_server_speaks_first_passes_the_redirect_unseen() {
    let yaml = "
services:
  post: {command: [python3, talk.py, greet, '2525'], port: 2525}
  client: {command: [python3, talk.py, listen, post, '2525', $GATE]}
";
    let Some(mesh) = Mesh::up(yaml) else { return };
    mesh.open();
    mesh.eventually("the greeting", |mesh| {
        mesh.said_by("client", "heard 220 ready when you are")
    });
    mesh.eventually("the answer", |mesh| mesh.said_by("client", "heard 250 HELO"));
    mesh.eventually("the end", |mesh| mesh.said_by("client", "ended"));
    assert!(
        mesh.traces("limit=10").is_empty(),
        "it has no requests that could be seen"
    );
}

#[test]
fn a_tls_connection_is_one_span_on_each_side_and_its_bytes_stay_secret() {
    let yaml = "
services:
  vault: {command: [python3, talk.py, tls, '8443'], port: 8443}
  client: {command: [python3, talk.py, tls-ask, vault, '8443', $GATE]}
";
    let Some(mesh) = Mesh::up(yaml) else { return };
    mesh.open();
    mesh.eventually("the answer", |mesh| {
        mesh.said_by("client", "heard 250 a secret TLSv1.2 http/1.1")
    });
    let traces = mesh.eventually("a span on each side", |mesh| {
        let traces = mesh.traces("limit=10");
        (traces.len() == 2).then_some(traces)
    });
    for (service, kind) in [("client", "client"), ("vault", "server")] {
        let of_service = traces
            .iter()
            .find(|trace| trace.services().contains(service))
            .unwrap();
        let span = of_service.span(service, kind);
        assert_eq!(span.name, "TLS");
        for (key, value) in [
            ("tls.client.server_name", "vault"),
            ("tls.protocol.version", "1.2"),
            ("tls.next_protocol", "http/1.1"),
            ("meshtrace.encrypted", "true"),
        ] {
            assert_eq!(span.tag(key), value, "{key} of {span:#?}");
        }
        assert!(span.tag("meshtrace.client.bytes").parse::<u64>().unwrap() > 0);
    }
}

#[test]
fn a_connection_that_nobody_takes_is_reset_with_sidecars_and_refused_without() {
    let yaml = "
services:
  empty: {command: [sleep, '3600'], traced: TRACED}
  client: {command: [python3, talk.py, knock, empty, '9999', $GATE], traced: TRACED}
";
    for (traced, heard) in [
        ("true", "ConnectionResetError"),
        ("false", "ConnectionRefusedError"),
    ] {
        let yaml = yaml.replace("TRACED", traced);
        let Some(mesh) = Mesh::up(&yaml) else { return };
        mesh.open();
        let said = mesh.eventually("what the client hears", |mesh| mesh.said_by("client", "heard"));
        assert!(said.ends_with(heard), "{said}");
        assert!(mesh.traces("limit=10").is_empty());
    }
}
