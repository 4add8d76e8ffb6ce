//! Each dialect by example: what its headers mean, and what they say after our context was written.

use crate::head::Head;
use span::{Dialect, DialectSet, Edits, SpanContext, SpanId, TraceFlags, TraceId, read, write};

const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const SHORT: u128 = 0x8448_eb21_1c80_319c;
const CALLER: u64 = 0xb7ad_6b71_6920_3331;
const OURS: u64 = 0x00f0_67aa_0ba9_02b7;

type Fields<'a> = &'a [(&'a str, &'a str)];

/// What a well-formed head says: trace, caller's span, decision.
fn said(fields: Fields<'_>) -> (u128, u64, Option<bool>) {
    let head = Head::of(fields);
    let fields = head.fields();
    let seen = read(&fields);
    assert!(seen.malformed().is_empty(), "malformed: {:?}", seen.malformed());
    let parent = seen.parent().unwrap();
    let context = parent.context;
    (
        context.trace_id.as_u128(),
        context.span_id.as_u64(),
        parent.sampled,
    )
}

/// The decision of a well-formed head that names no caller.
fn decided(fields: Fields<'_>) -> Option<bool> {
    let head = Head::of(fields);
    let fields = head.fields();
    let seen = read(&fields);
    assert!(seen.malformed().is_empty(), "malformed: {:?}", seen.malformed());
    assert!(seen.parent().is_none());
    seen.decision()
}

/// The head after the context of our span, the caller's child, was written to it.
fn marked(fields: Fields<'_>, trace: u128, sampled: bool, configured: &[Dialect]) -> Head {
    let head = Head::of(fields);
    let fields = head.fields();
    let context = SpanContext {
        trace_id: TraceId::from_u128(trace).unwrap(),
        span_id: SpanId::from_u64(OURS).unwrap(),
        flags: TraceFlags::default().with_sampled(sampled),
    };
    let configured: DialectSet = configured.iter().copied().collect();
    let mut edits = Edits::default();
    write(
        &read(&fields),
        &context,
        SpanId::from_u64(CALLER),
        configured,
        &mut edits,
    );
    head.edited(&edits)
}

#[track_caller]
fn assert_malformed(dialect: Dialect, fields: Fields<'_>) {
    let head = Head::of(fields);
    let fields = head.fields();
    let seen = read(&fields);
    assert!(seen.malformed().iter().eq([dialect]), "taken for good: {head:?}");
    assert!(seen.present().is_empty());
    assert!(seen.parent().is_none());
}

mod w3c {
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
}

mod b3_single {
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
}

mod b3_multi {
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
}

mod jaeger {
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
}

mod opentracing {
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
}

mod opencensus {
    use super::*;

    const PADDED: &str = "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE=";

    #[test]
    fn padding_may_be_there_or_not_and_stays_so() {
        let unpadded = PADDED.trim_end_matches('=');
        for value in [PADDED, unpadded] {
            assert_eq!(said(&[("grpc-trace-bin", value)]), (TRACE, CALLER, Some(true)));
            let head = marked(&[("grpc-trace-bin", value)], TRACE, false, &[]);
            let after = head.get("grpc-trace-bin").unwrap();
            assert_eq!(after.len(), value.len());
            assert_eq!(said(&[("grpc-trace-bin", after)]), (TRACE, OURS, Some(false)));
        }
    }

    #[test]
    fn without_options_the_decision_is_ours() {
        let ids_only = "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMx";
        assert_eq!(said(&[("grpc-trace-bin", ids_only)]), (TRACE, CALLER, None));
    }

    #[test]
    fn broken_forms_are_malformed() {
        let too_long = "A".repeat(200);
        for value in [
            "",
            "AA",
            "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDM",
            "AQAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE",
            "AAAAAAAAAAAAAAAAAAAAAAAAAbeta3FpIDMxAgE",
            "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAg",
            "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMx-_8",
            &too_long,
        ] {
            assert_malformed(Dialect::OpenCensus, &[("grpc-trace-bin", value)]);
        }
    }
}

mod xray {
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
}

mod datadog {
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
}
