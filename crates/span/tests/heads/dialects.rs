//! Each dialect by example: what its headers mean, and what they say after our context was written.

use crate::head::Head;
use span::{Dialect, DialectSet, Edits, SpanContext, SpanId, TraceFlags, TraceId, read, write};

const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const SHORT: u128 = 0x8448_eb21_1c80_319c;
const CALLER: u64 = 0xb7ad_6b71_6920_3331;
const OURS: u64 = 0x00f0_67aa_0ba9_02b7;

fn context(trace: u128, sampled: bool) -> SpanContext {
    SpanContext {
        trace_id: TraceId::from_u128(trace).unwrap(),
        span_id: SpanId::from_u64(OURS).unwrap(),
        flags: TraceFlags::default().with_sampled(sampled),
    }
}

/// What a head says: trace, caller's span, decision.
fn said(fields: &[(&str, &str)]) -> (u128, u64, Option<bool>) {
    let head = Head::of(fields);
    let fields = head.fields();
    let seen = read(&fields);
    assert!(seen.malformed().is_empty(), "malformed: {:?}", seen.malformed());
    let parent = seen.parent().unwrap();
    (
        parent.context.trace_id.as_u128(),
        parent.context.span_id.as_u64(),
        parent.sampled,
    )
}

/// The head after the context of our span, a child of the caller's, was written.
fn marked(fields: &[(&str, &str)], trace: u128, sampled: bool, configured: &[Dialect]) -> Head {
    let head = Head::of(fields);
    let fields = head.fields();
    let configured: DialectSet = configured.iter().copied().collect();
    let mut edits = Edits::default();
    write(
        &read(&fields),
        &context(trace, sampled),
        SpanId::from_u64(CALLER),
        configured,
        &mut edits,
    );
    head.edited(&edits)
}

fn is_malformed(dialect: Dialect, fields: &[(&str, &str)]) {
    let head = Head::of(fields);
    let fields = head.fields();
    let seen = read(&fields);
    assert!(seen.malformed().iter().eq([dialect]), "{fields:?}");
    assert!(seen.present().is_empty());
    assert!(seen.parent().is_none());
}

#[test]
fn a_traceparent_is_read_and_written() {
    let fields = [(
        "TraceParent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )];
    assert_eq!(said(&fields), (TRACE, CALLER, Some(true)));
    let head = marked(&fields, TRACE, false, &[]);
    assert_eq!(
        head,
        Head::of(&[(
            "TraceParent",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00"
        )])
    );
}
