use super::*;

#[test]
fn every_form_is_read() {
    for (value, trace, sampled) in [
        (
            "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1",
            TRACE,
            true,
        ),
        (
            "af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:5e3ac9a4f6e3b90:0",
            TRACE,
            false,
        ),
        ("8448eb211c80319c%3Ab7ad6b7169203331%3a0%3A03", SHORT, true),
        ("8448EB211C80319C:B7AD6B7169203331:0:2", SHORT, true),
    ] {
        assert_eq!(
            said(&[("uber-trace-id", value)]),
            (trace, CALLER, Some(sampled)),
            "{value}"
        );
    }
}

#[test]
fn broken_forms_are_malformed() {
    for value in [
        "",
        ":::",
        "1:2:3",
        "1:2::1",
        "1:2:3:",
        "0:2:0:1",
        "1:0:0:1",
        "1:2:0:1:1",
        "1:2:0:100",
        "1%2:0:1",
        "0af7651916cd43dd8448eb211c80319c0:1:0:1",
        "1:0af7651916cd43dd8:0:1",
    ] {
        assert_malformed(Dialect::Jaeger, &[("uber-trace-id", value)]);
    }
}

#[test]
fn the_shape_that_came_in_goes_out_at_equal_length() {
    for (before, after) in [
        (
            "8448eb211c80319c:b7ad6b7169203331:5e3ac9a4f6e3b901:1",
            "8448eb211c80319c:00f067aa0ba902b7:b7ad6b7169203331:1",
        ),
        (
            "8448eb211c80319c%3Ab7ad6b7169203331%3a0%3A01",
            "8448eb211c80319c%3A00f067aa0ba902b7%3a0%3A01",
        ),
        // one digit more for our span is one less for the parent
        (
            "8448eb211c80319c:7ad6b716920:5e3ac9a4f6e3b901:9",
            "8448eb211c80319c:f067aa0ba902b7:0000000000000:9",
        ),
        ("rubbish", "8448eb211c80319c:00f067aa0ba902b7:b7ad6b7169203331:1"),
    ] {
        let head = marked(&[("uber-trace-id", before)], SHORT, true, &[]);
        assert_eq!(head, Head::of(&[("uber-trace-id", after)]));
    }
}

#[test]
fn debug_goes_on_with_a_sampled_trace_only() {
    let fields = [("uber-trace-id", "8448eb211c80319c:b7ad6b7169203331:0:b")];
    let flags = |sampled| {
        marked(&fields, SHORT, sampled, &[])
            .get("uber-trace-id")
            .unwrap()
            .as_bytes()[36]
    };
    assert_eq!((flags(true), flags(false)), (b'b', b'8'));
}
