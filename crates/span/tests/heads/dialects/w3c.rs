use super::*;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn traceparent_keeps_its_place_its_case_and_its_length() {
    let fields = [("Host", "a"), ("TraceParent", TRACEPARENT), ("Accept", "*/*")];
    assert_eq!(said(&fields), (TRACE, CALLER, Some(true)));
    assert_eq!(
        marked(&fields, TRACE, false, &[]),
        Head::of(&[
            ("Host", "a"),
            (
                "TraceParent",
                "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00"
            ),
            ("Accept", "*/*"),
        ])
    );
}

#[test]
fn the_random_flag_goes_on_and_unknown_flags_do_not() {
    let head = Head::of(&[(
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
    )]);
    let fields = head.fields();
    let seen = read(&fields);
    let mut edits = Edits::default();
    write(
        &seen,
        &seen.parent().unwrap().context,
        None,
        DialectSet::default(),
        &mut edits,
    );
    assert!(head.edited(&edits).get("traceparent").unwrap().ends_with("-03"));
}

#[test]
fn a_later_version_is_continued_as_version_00() {
    let fields = [(
        "traceparent",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes",
    )];
    assert_eq!(said(&fields), (TRACE, CALLER, Some(true)));
    assert_eq!(
        marked(&fields, TRACE, true, &[]).get("traceparent"),
        Some("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01")
    );
}

#[test]
fn tracestate_passes_untouched_with_its_trace() {
    let fields = [
        ("traceparent", TRACEPARENT),
        ("tracestate", "a=1, ,b=2 "),
        ("tracestate", "c=3"),
    ];
    let head = marked(&fields, TRACE, true, &[]);
    assert_eq!(head.0[1..], Head::of(&fields[1..]).0);

    let head = Head::of(&fields);
    let fields = head.fields();
    let seen = read(&fields);
    let tracestate = seen.parent().unwrap().tracestate.unwrap();
    assert_eq!(tracestate.to_string(), "a=1,b=2,c=3");
    assert!(tracestate.members().eq([("a", "1"), ("b", "2"), ("c", "3")]));
}

#[test]
fn tracestate_of_another_trace_is_blanked_at_equal_length() {
    let b3 = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1";
    for traceparent in [
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-",
        ),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-01",
        ),
        ("accept", "*/*"),
    ] {
        let head = marked(
            &[
                traceparent,
                ("b3", b3),
                ("tracestate", "vendor=1"),
                ("tracestate", ""),
                ("tracestate", "x"),
            ],
            TRACE,
            true,
            &[Dialect::W3c],
        );
        let values: Vec<_> = head
            .0
            .iter()
            .filter(|field| field.0 == b"tracestate")
            .map(|field| &*field.1)
            .collect();
        assert_eq!(values, [b",      ,".as_slice(), b"", b","]);
    }
}

#[test]
fn a_repeated_traceparent_is_malformed_unless_all_say_the_same() {
    let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203332-01";
    assert_malformed(
        Dialect::W3c,
        &[("traceparent", TRACEPARENT), ("Traceparent", other)],
    );
    assert_malformed(
        Dialect::W3c,
        &[("traceparent", &format!("{TRACEPARENT},{other}"))],
    );

    let head = marked(
        &[("traceparent", TRACEPARENT), ("Traceparent", other)],
        TRACE,
        true,
        &[],
    );
    let both = [("traceparent", head.get("traceparent").unwrap()); 2];
    assert_eq!(said(&both), (TRACE, OURS, Some(true)));
}
