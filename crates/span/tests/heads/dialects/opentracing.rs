use super::*;

#[test]
fn ids_of_any_width_are_read_and_keep_it() {
    let fields = [
        ("ot-tracer-traceid", "8448eb211c80319c"),
        ("ot-tracer-spanid", "b7ad6b7169203331"),
        ("ot-tracer-sampled", "true"),
        ("ot-baggage-user", "someone"),
    ];
    assert_eq!(said(&fields), (SHORT, CALLER, Some(true)));
    assert_eq!(
        marked(&fields, SHORT, false, &[]),
        Head::of(&[
            ("ot-tracer-traceid", "8448eb211c80319c"),
            ("ot-tracer-spanid", "00f067aa0ba902b7"),
            ("ot-tracer-sampled", "false"),
            ("ot-baggage-user", "someone"),
        ])
    );
    let fields = [
        ("ot-tracer-traceid", "5"),
        ("ot-tracer-spanid", "7"),
        ("ot-tracer-sampled", "1"),
    ];
    assert_eq!(said(&fields), (5, 7, Some(true)));
    assert_eq!(
        marked(&fields, TRACE, true, &[]),
        Head::of(&[
            ("ot-tracer-traceid", "0af7651916cd43dd8448eb211c80319c"),
            ("ot-tracer-spanid", "f067aa0ba902b7"),
            ("ot-tracer-sampled", "1"),
        ])
    );
}

#[test]
fn broken_forms_are_malformed() {
    for fields in [
        &[("ot-tracer-traceid", "5")][..],
        &[("ot-tracer-spanid", "5")],
        &[("ot-tracer-traceid", "5"), ("ot-tracer-spanid", "0")],
        &[("ot-tracer-traceid", "x"), ("ot-tracer-spanid", "1")],
        &[
            ("ot-tracer-traceid", "5"),
            ("ot-tracer-spanid", "1"),
            ("ot-tracer-sampled", "maybe"),
        ],
    ] {
        assert_malformed(Dialect::OpenTracing, fields);
    }
    assert_eq!(decided(&[("ot-tracer-sampled", "false")]), Some(false));
}
