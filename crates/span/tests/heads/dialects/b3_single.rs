use super::*;

#[test]
fn every_form_is_read() {
    for (value, trace, sampled) in [
        ("0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", TRACE, None),
        (
            "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            TRACE,
            Some(true),
        ),
        (
            "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-d",
            TRACE,
            Some(true),
        ),
        ("8448eb211c80319c-b7ad6b7169203331-0", SHORT, Some(false)),
        (
            "8448eb211c80319c-b7ad6b7169203331-0-05e3ac9a4f6e3b90",
            SHORT,
            Some(false),
        ),
        ("8448eb211c80319c-b7ad6b7169203331-05e3ac9a4f6e3b90", SHORT, None),
    ] {
        assert_eq!(said(&[("b3", value)]), (trace, CALLER, sampled), "{value}");
    }
    assert_eq!(decided(&[("b3", "0")]), Some(false));
    assert_eq!(decided(&[("b3", "1")]), Some(true));
    assert_eq!(decided(&[("b3", "d")]), Some(true));
}

#[test]
fn broken_forms_are_malformed() {
    for value in [
        "",
        "2",
        "-",
        "8448eb211c80319c",
        "8448eb211c80319-b7ad6b7169203331-0",
        "8448eb211c80319c-b7ad6b716920333-0",
        "8448eb211c80319c-b7ad6b7169203331-",
        "8448eb211c80319c-b7ad6b7169203331-x",
        "8448eb211c80319c-0000000000000000-1",
        "0000000000000000-b7ad6b7169203331-1",
        "8448eb211c80319c-b7ad6b7169203331-1-",
        "8448eb211c80319c-b7ad6b7169203331-1-05e3ac9a4f6e3b90-1",
    ] {
        assert_malformed(Dialect::B3Single, &[("b3", value)]);
    }
}

#[test]
fn the_shape_that_came_in_goes_out() {
    for (before, trace, sampled, after) in [
        (
            "8448eb211c80319c-b7ad6b7169203331-1",
            SHORT,
            true,
            "8448eb211c80319c-00f067aa0ba902b7-1",
        ),
        (
            "8448eb211c80319c-b7ad6b7169203331-d",
            SHORT,
            true,
            "8448eb211c80319c-00f067aa0ba902b7-d",
        ),
        (
            "8448eb211c80319c-b7ad6b7169203331-d",
            SHORT,
            false,
            "8448eb211c80319c-00f067aa0ba902b7-0",
        ),
        (
            "8448eb211c80319c-b7ad6b7169203331-0-05e3ac9a4f6e3b90",
            SHORT,
            false,
            "8448eb211c80319c-00f067aa0ba902b7-0-b7ad6b7169203331",
        ),
        (
            "00000000000000008448eb211c80319c-b7ad6b7169203331-0",
            SHORT,
            false,
            "00000000000000008448eb211c80319c-00f067aa0ba902b7-0",
        ),
        // a decision that was left to us, and an id that needs more room
        (
            "8448eb211c80319c-b7ad6b7169203331",
            TRACE,
            true,
            "0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-1",
        ),
        (
            "0",
            TRACE,
            false,
            "0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-0",
        ),
        ("what?", SHORT, true, "8448eb211c80319c-00f067aa0ba902b7-1"),
    ] {
        let head = marked(&[("b3", before)], trace, sampled, &[]);
        assert_eq!(head, Head::of(&[("b3", after)]));
    }
}
