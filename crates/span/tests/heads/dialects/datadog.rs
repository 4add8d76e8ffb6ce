use super::*;

const IDS: [(&str, &str); 2] = [
    ("x-datadog-trace-id", "9532127138774266268"),
    ("x-datadog-parent-id", "13235353014750950193"),
];

fn with<'a>(more: Fields<'a>) -> Vec<(&'a str, &'a str)> {
    IDS.iter().chain(more).copied().collect()
}

#[test]
fn every_form_is_read() {
    for (more, trace, sampled) in [
        (&[][..], SHORT, None),
        (&[("x-datadog-sampling-priority", "2")], SHORT, Some(true)),
        (&[("x-datadog-sampling-priority", "-1")], SHORT, Some(false)),
        (
            &[("x-datadog-tags", "_dd.p.dm=-4,_dd.p.tid=0af7651916cd43dd")],
            TRACE,
            None,
        ),
        (&[("x-datadog-tags", "_dd.p.tid=short")], SHORT, None),
    ] {
        assert_eq!(said(&with(more)), (trace, CALLER, sampled));
    }
    assert_eq!(decided(&[("x-datadog-sampling-priority", "0")]), Some(false));
    assert_eq!(decided(&[("x-datadog-trace-id", "0"), IDS[1]]), None);
    assert_eq!(
        decided(&[
            IDS[0],
            ("x-datadog-parent-id", "0"),
            ("x-datadog-sampling-priority", "1")
        ]),
        Some(true)
    );
}

#[test]
fn broken_forms_are_malformed() {
    for fields in [
        &[IDS[1]][..],
        &[("x-datadog-trace-id", "18446744073709551616"), IDS[1]],
        &[IDS[0], ("x-datadog-parent-id", "-1")],
        &[IDS[0], ("x-datadog-parent-id", "0xb7")],
        &with(&[("x-datadog-sampling-priority", "yes")]),
    ] {
        assert_malformed(Dialect::Datadog, fields);
    }
}

#[test]
fn tags_and_priority_stay_unless_they_are_stale() {
    let rest = [
        ("x-datadog-sampling-priority", "2"),
        ("x-datadog-tags", "_dd.p.dm=-4,_dd.p.tid=0af7651916cd43dd,a=b"),
        ("x-datadog-origin", "rum"),
    ];
    let ids = [
        ("x-datadog-trace-id", "9532127138774266268"),
        ("x-datadog-parent-id", "67667974448284343"),
    ];
    let expected: Vec<_> = ids.iter().chain(&rest).copied().collect();
    assert_eq!(marked(&with(&rest), TRACE, true, &[]), Head::of(&expected));

    let head = marked(&with(&rest), SHORT, false, &[]);
    assert_eq!(head.get("x-datadog-sampling-priority"), Some("0"));
    assert_eq!(
        head.get("x-datadog-tags"),
        Some("_dd.p.dm=-4,_dd.p.tid=0000000000000000,a=b")
    );
}

#[test]
fn the_upper_half_is_added_where_there_is_one() {
    let tags = |fields: Fields<'_>, trace| {
        marked(fields, trace, true, &[])
            .get("x-datadog-tags")
            .map(str::to_owned)
    };
    assert_eq!(tags(&IDS, SHORT), None);
    assert_eq!(tags(&IDS, TRACE).unwrap(), "_dd.p.tid=0af7651916cd43dd");
    assert_eq!(
        tags(&with(&[("x-datadog-tags", "a=b")]), TRACE).unwrap(),
        "a=b,_dd.p.tid=0af7651916cd43dd"
    );
    assert_eq!(tags(&with(&[("x-datadog-tags", "a=b")]), SHORT).unwrap(), "a=b");
}
