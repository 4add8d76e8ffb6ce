use super::*;

const IDS: [(&str, &str); 2] = [
    ("X-B3-TraceId", "8448eb211c80319c"),
    ("X-B3-SpanId", "b7ad6b7169203331"),
];

fn with<'a>(more: Fields<'a>) -> Vec<(&'a str, &'a str)> {
    IDS.iter().chain(more).copied().collect()
}

#[test]
fn every_form_is_read() {
    for (more, sampled) in [
        (&[][..], None),
        (&[("x-b3-sampled", "1")], Some(true)),
        (&[("x-b3-sampled", "false")], Some(false)),
        (&[("x-b3-flags", "1")], Some(true)),
        (
            &[
                ("x-b3-flags", "0"),
                ("x-b3-sampled", "0"),
                ("x-b3-parentspanid", "05e3ac9a4f6e3b90"),
            ],
            Some(false),
        ),
    ] {
        assert_eq!(said(&with(more)), (SHORT, CALLER, sampled));
    }
    assert_eq!(decided(&[("x-b3-sampled", "0")]), Some(false));
    assert_eq!(decided(&[("x-b3-flags", "1")]), Some(true));
    assert_eq!(decided(&[("x-b3-flags", "0")]), None);
}

#[test]
fn broken_forms_are_malformed() {
    for fields in [
        &[IDS[0]][..],
        &[IDS[1]],
        &[("x-b3-parentspanid", "05e3ac9a4f6e3b90")],
        &[("x-b3-sampled", "?")],
        &with(&[("x-b3-parentspanid", "")]),
        &with(&[("x-b3-spanid", "b7ad6b7169203332")]),
    ] {
        assert_malformed(Dialect::B3Multi, fields);
    }
}

#[test]
fn parent_and_flags_are_written_only_where_they_stand() {
    assert_eq!(
        marked(&with(&[("X-B3-Sampled", "1")]), SHORT, true, &[]),
        Head::of(&[
            ("X-B3-TraceId", "8448eb211c80319c"),
            ("X-B3-SpanId", "00f067aa0ba902b7"),
            ("X-B3-Sampled", "1"),
        ])
    );
    assert_eq!(
        marked(
            &with(&[("X-B3-ParentSpanId", "05e3ac9a4f6e3b90"), ("X-B3-Flags", "1")]),
            SHORT,
            true,
            &[]
        ),
        Head::of(&[
            ("X-B3-TraceId", "8448eb211c80319c"),
            ("X-B3-SpanId", "00f067aa0ba902b7"),
            ("X-B3-ParentSpanId", "b7ad6b7169203331"),
            ("X-B3-Flags", "1"),
        ])
    );
}

#[test]
fn a_debug_request_that_is_not_sampled_loses_its_flag() {
    assert_eq!(
        marked(&with(&[("X-B3-Flags", "1")]), SHORT, false, &[]).0[2..],
        Head::of(&[("X-B3-Flags", "0"), ("x-b3-sampled", "0")]).0
    );
}
