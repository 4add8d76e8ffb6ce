//! Each dialect by example: what its headers mean, and what they say after our context was written.

mod b3_multi;
mod b3_single;
mod datadog;
mod jaeger;
mod opencensus;
mod opentracing;
mod w3c;
mod xray;

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
