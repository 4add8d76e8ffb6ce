use super::*;

#[test]
fn fields_in_any_order_are_read() {
    for (value, sampled) in [
        (
            "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1",
            Some(true),
        ),
        (
            "Sampled=0;Parent=b7ad6b7169203331;Root=1-0af76519-16cd43dd8448eb211c80319c",
            Some(false),
        ),
        (
            "Root=1-0af76519-16cd43dd8448eb211c80319c; Parent=b7ad6b7169203331; Sampled=?",
            None,
        ),
        (
            "Self=1-1-2;Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Lineage=a:0",
            None,
        ),
    ] {
        assert_eq!(
            said(&[("X-Amzn-Trace-Id", value)]),
            (TRACE, CALLER, sampled),
            "{value}"
        );
    }
    assert_eq!(
        decided(&[(
            "x-amzn-trace-id",
            "Root=1-0af76519-16cd43dd8448eb211c80319c;Sampled=0"
        )]),
        Some(false)
    );
    assert_eq!(decided(&[("x-amzn-trace-id", "Sampled=1")]), Some(true));
}

#[test]
fn a_load_balancers_trace_is_offered_to_our_root() {
    let head = Head::of(&[("x-amzn-trace-id", "Root=1-0af76519-16cd43dd8448eb211c80319c")]);
    let fields = head.fields();
    let seen = read(&fields);
    assert!(seen.parent().is_none());
    assert_eq!(seen.chosen_trace(), TraceId::from_u128(TRACE));
}

#[test]
fn broken_forms_are_malformed() {
    for value in [
        "",
        ";;",
        "Root",
        "Sampled=?",
        "Sampled=yes",
        "Parent=b7ad6b7169203331",
        "Root=2-0af76519-16cd43dd8448eb211c80319c",
        "Root=1-0af7651916cd43dd8448eb211c80319c",
        "Root=1-0af76519-16cd43dd8448eb211c80319",
        "Root=1-00000000-000000000000000000000000",
        "Root=1-0af76519-16cd43dd8448eb211c80319c;Root=1-0af76519-16cd43dd8448eb211c80319c",
        "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=0000000000000000",
    ] {
        assert_malformed(Dialect::XRay, &[("x-amzn-trace-id", value)]);
    }
}

#[test]
fn the_fields_of_others_stay_where_they_are() {
    for (before, after) in [
        (
            "Self=1-1-2;Root=1-0af76519-16cd43dd8448eb211c80319c; Parent=b7ad6b7169203331;;odd;Sampled=?;Lineage=a:0",
            "Self=1-1-2;Root=1-0af76519-16cd43dd8448eb211c80319c; Parent=00f067aa0ba902b7;;odd;Sampled=1;Lineage=a:0",
        ),
        (
            "Root=1-67891233-abcdef012345678912345678",
            "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=00f067aa0ba902b7;Sampled=1",
        ),
        (
            "Sampled=0;",
            "Sampled=1;Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=00f067aa0ba902b7",
        ),
        (
            "odd",
            "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=00f067aa0ba902b7;Sampled=1",
        ),
    ] {
        let head = marked(&[("x-amzn-trace-id", before)], TRACE, true, &[]);
        assert_eq!(head, Head::of(&[("x-amzn-trace-id", after)]));
    }
}
