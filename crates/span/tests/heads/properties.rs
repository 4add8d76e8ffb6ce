//! What holds for every head, whatever it says.

use proptest::prelude::*;
use span::{
    Dialect, DialectSet, Edits, SpanContext, SpanId, TraceFlags, TraceId, baggage, carries_trace, read,
    restart, write,
};

use crate::head::Head;

/// The names that carry context or baggage, and some that do not.
const NAMES: [&str; 24] = [
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "uber-trace-id",
    "ot-tracer-traceid",
    "ot-tracer-spanid",
    "ot-tracer-sampled",
    "grpc-trace-bin",
    "X-Amzn-Trace-Id",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-tags",
    "baggage",
    "uberctx-user",
    "ot-baggage-user",
    "host",
    "accept",
    "x-b3-other",
];

/// Values that are well-formed somewhere, for mutations to start from.
const VALUES: [&str; 20] = [
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    "a=1,b=2",
    "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1-05e3ac9a4f6e3b90",
    "8448eb211c80319c-b7ad6b7169203331",
    "8448eb211c80319c:b7ad6b7169203331:0:1",
    "8448eb211c80319c%3Ab7ad6b7169203331%3A5e3ac9a%3A3",
    "0af7651916cd43dd8448eb211c80319c",
    "b7ad6b7169203331",
    "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE=",
    "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1;Lineage=a:0",
    "Root=1-0af76519-16cd43dd8448eb211c80319c",
    "9532127138774266268",
    "_dd.p.dm=-4,_dd.p.tid=0af7651916cd43dd",
    "0",
    "1",
    "2",
    "d",
    "true",
    "user=some%20one;p",
];

fn value() -> impl Strategy<Value = Vec<u8>> {
    let good = prop::sample::select(&VALUES).prop_map(|value| value.as_bytes().to_vec());
    let mutated = (good.clone(), any::<prop::sample::Index>(), any::<u8>(), 0..4).prop_map(
        |(mut value, place, byte, kind)| {
            let place = place.index(value.len());
            match kind {
                0 => value[place] = byte,
                1 => value.insert(place, byte),
                2 => value.truncate(place),
                _ => value.extend_from_within(place..),
            }
            value
        },
    );
    prop_oneof![4 => good, 4 => mutated, 1 => prop::collection::vec(any::<u8>(), 0..120)]
}

fn head() -> impl Strategy<Value = Head> {
    let name = prop::sample::select(&NAMES).prop_map(|name| name.as_bytes().to_vec());
    prop::collection::vec((name, value()), 0..12).prop_map(Head)
}

fn context() -> impl Strategy<Value = SpanContext> {
    // half of the traces have 64 bits only; Datadog knows no trace whose lower half is zero
    let trace_id = (any::<bool>(), any::<u64>(), 1..=u64::MAX);
    (trace_id, 1..=u64::MAX, 0..4_u8).prop_map(|((short, high, low), span_id, flags)| SpanContext {
        trace_id: TraceId::from_u128(u128::from(low) | if short { 0 } else { u128::from(high) << 64 })
            .unwrap(),
        span_id: SpanId::from_u64(span_id).unwrap(),
        flags: TraceFlags(flags),
    })
}

fn dialects() -> impl Strategy<Value = DialectSet> {
    any::<[bool; 8]>().prop_map(|wanted| {
        let pairs = Dialect::ALL.into_iter().zip(wanted);
        pairs
            .filter(|(_, wanted)| *wanted)
            .map(|(dialect, _)| dialect)
            .collect()
    })
}

fn written(head: &Head, context: &SpanContext, parent: Option<SpanId>, configured: DialectSet) -> Head {
    let mut edits = Edits::default();
    write(&read(&head.fields()), context, parent, configured, &mut edits);
    head.edited(&edits)
}

/// A value without its spelling, which stays as it came: padding, percent-encoding, words for bits.
fn meant(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value)
        .replace("%3A", ":")
        .replace("%3a", ":");
    match text.trim_end_matches('=') {
        "true" => "1".to_owned(),
        "false" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// Only the fields of one dialect, so that it cannot hide behind those that win over it.
fn only(head: &Head, dialect: Dialect) -> Head {
    let prefixes: &[&str] = match dialect {
        Dialect::W3c => &["trace"],
        Dialect::B3Single => &["b3"],
        Dialect::B3Multi => &["x-b3-"],
        Dialect::Jaeger => &["uber-"],
        Dialect::OpenTracing => &["ot-tracer-"],
        Dialect::OpenCensus => &["grpc-trace-bin"],
        Dialect::XRay => &["x-amzn-"],
        Dialect::Datadog => &["x-datadog-"],
    };
    let fields = head.0.iter().filter(|(name, _)| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    });
    Head(fields.cloned().collect())
}

proptest! {
    #[test]
    fn every_dialect_that_is_there_or_configured_says_our_context_afterwards(
        head in head(), context in context(), parent: u64, configured in dialects(),
    ) {
        let fields = head.fields();
        let before = read(&fields);
        let there: DialectSet = before.present().iter().chain(before.malformed().iter()).collect();
        let after = written(&head, &context, SpanId::from_u64(parent), configured);

        let fields = after.fields();
        let seen = read(&fields);
        prop_assert!(seen.malformed().is_empty(), "malformed: {:?}", seen.malformed());
        prop_assert_eq!(seen.present(), there.iter().chain(configured.iter()).collect());
        prop_assert!(!seen.parent().is_some_and(|parent| parent.conflict));
        for dialect in seen.present().iter() {
            let alone = only(&after, dialect);
            let fields = alone.fields();
            let seen = read(&fields);
            let said = seen.parent().unwrap();
            prop_assert_eq!(said.dialect, dialect);
            prop_assert_eq!(said.context.trace_id, context.trace_id);
            prop_assert_eq!(said.context.span_id, context.span_id);
            prop_assert_eq!(said.sampled, Some(context.flags.is_sampled()));
            prop_assert!(!said.debug || context.flags.is_sampled());
        }
    }

    #[test]
    fn what_is_restarted_says_our_context_and_nothing_that_came(
        head in head(), values in prop::collection::vec(value(), 12), context in context(), configured in dialects(),
    ) {
        let others = head.0.iter().zip(values).map(|((name, _), value)| (name.clone(), value));
        let other = Head(others.collect());
        let [one, two] = [&head, &other].map(|head| {
            let mut edits = Edits::default();
            restart(&read(&head.fields()), &context, configured, &mut edits);
            head.edited(&edits)
        });
        let fields = one.fields();
        let seen = read(&fields);
        let there = seen.present();
        for ((name, one), (_, two)) in one.0.iter().zip(&two.0) {
            match String::from_utf8_lossy(name).to_ascii_lowercase().as_str() {
                // alone, nobody looks at them
                "tracestate" if !there.contains(Dialect::W3c) => {}
                "x-datadog-tags" if !there.contains(Dialect::Datadog) => {}
                // it cannot be taken away, so it is a list of nothing, as long as before
                "tracestate" => prop_assert!(one.iter().all(|byte| b" ,".contains(byte))),
                name if carries_trace(name.as_bytes()) => prop_assert_eq!(meant(one), meant(two), "{}", name),
                _ => {}
            }
        }
        prop_assert!(seen.malformed().is_empty(), "malformed: {:?}", seen.malformed());
        if let Some(parent) = seen.parent() {
            prop_assert_eq!(parent.context.span_id, context.span_id);
            prop_assert_eq!(parent.sampled, Some(context.flags.is_sampled()));
            prop_assert!(!parent.debug && !parent.conflict);
        }
    }

    #[test]
    fn writing_the_same_again_changes_nothing(head in head(), context in context(), configured in dialects()) {
        let once = written(&head, &context, None, configured);
        let mut edits = Edits::default();
        write(&read(&once.fields()), &context, None, configured, &mut edits);
        prop_assert!(edits.is_empty(), "{:?} became {:?}", once, once.edited(&edits));
    }

    #[test]
    fn only_fields_of_dialects_that_are_there_are_touched(head in head(), context in context()) {
        let fields = head.fields();
        let seen = read(&fields);
        let there: DialectSet = seen.present().iter().chain(seen.malformed().iter()).collect();
        let after = written(&head, &context, None, DialectSet::default());
        for (before, after) in head.0.iter().zip(&after.0) {
            prop_assert_eq!(&before.0, &after.0);
            let name = String::from_utf8_lossy(&before.0).to_ascii_lowercase();
            let ours = there.iter().any(|dialect| !only(&Head(vec![before.clone()]), dialect).0.is_empty());
            prop_assert!(ours || before.1 == after.1, "{} was changed", name);
        }
    }

    #[test]
    fn a_good_traceparent_keeps_its_length(context in context(), caller in context()) {
        let head = written(&Head::default(), &caller, None, [Dialect::W3c].into_iter().collect());
        let after = written(&head, &context, None, DialectSet::default());
        prop_assert_eq!(head.0[0].1.len(), 55);
        prop_assert_eq!(after.0[0].1.len(), 55);
    }

    #[test]
    fn edits_stay_in_proportion_to_the_head_however_often_it_repeats_itself(
        head in head(), context in context(), times in 1..200_usize,
    ) {
        let repeated = Head(head.0.iter().chain(head.0.iter().cycle().take(times)).cloned().collect());
        let mut edits = Edits::default();
        write(&read(&repeated.fields()), &context, None, DialectSet::default(), &mut edits);
        let came: usize = repeated.0.iter().map(|(_, value)| value.len()).sum();
        let edited: usize = edits.replaced().map(|(_, value)| value.len()).sum();
        prop_assert!(edited <= came + 80 * repeated.0.len(), "{} bytes became {}", came, edited);
    }

    #[test]
    fn arbitrary_fields_are_read_without_a_panic(
        fields in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..30), value()), 0..20),
    ) {
        let head = Head(fields);
        let fields = head.fields();
        let seen = read(&fields);
        prop_assert!(seen.present().iter().all(|dialect| !seen.malformed().contains(dialect)));
        prop_assert!(baggage::entries(&fields).count() <= baggage::MOST_ENTRIES);
    }

    #[test]
    fn baggage_is_read_within_its_limits(head in head()) {
        prop_assert!(baggage::entries(&head.fields()).count() <= baggage::MOST_ENTRIES);
    }
}
