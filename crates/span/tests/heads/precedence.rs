//! Several dialects in one head: who wins, who is heard, and that none is left stale.

use span::{Dialect, DialectSet, Edits, TraceId, read, write};

use crate::head::Head;

const W3C: (&str, &str) = (
    "traceparent",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
);
const B3: (&str, &str) = ("b3", "0af7651916cd43dd8448eb211c80319c-05e3ac9a4f6e3b90-1");
const B3_SHORT: (&str, &str) = ("b3", "8448eb211c80319c-05e3ac9a4f6e3b90");
const JAEGER: (&str, &str) = (
    "uber-trace-id",
    "1af7651916cd43dd8448eb211c80319c:5e3ac9a4f6e3b90:0:3",
);
const PRIORITY: (&str, &str) = ("x-datadog-sampling-priority", "-1");

#[test]
fn the_first_in_order_of_precedence_wins_wherever_it_stands() {
    for fields in [[B3, W3C], [W3C, B3]] {
        let head = Head::of(&fields);
        let fields = head.fields();
        let seen = read(&fields);
        let parent = seen.parent().unwrap();
        assert_eq!(parent.dialect, Dialect::W3c);
        assert_eq!(parent.sampled, Some(false));
        assert!(!parent.conflict);
        assert!(seen.present().iter().eq([Dialect::W3c, Dialect::B3Single]));
    }
}

#[test]
fn another_trace_is_a_conflict_and_half_an_id_is_not() {
    let conflict = |fields: &[(&str, &str)]| {
        let head = Head::of(fields);
        let fields = head.fields();
        read(&fields).parent().unwrap().conflict
    };
    assert!(conflict(&[W3C, JAEGER]));
    assert!(!conflict(&[W3C, B3_SHORT]));
}

#[test]
fn a_broken_winner_makes_room_for_the_next() {
    let head = Head::of(&[("traceparent", "00-bad"), ("tracestate", "a=1"), JAEGER]);
    let fields = head.fields();
    let seen = read(&fields);
    let parent = seen.parent().unwrap();
    assert_eq!(
        (parent.dialect, parent.sampled, parent.debug),
        (Dialect::Jaeger, Some(true), true)
    );
    assert!(parent.tracestate.is_none());
    assert!(seen.malformed().iter().eq([Dialect::W3c]));
}

#[test]
fn a_decision_is_heard_where_the_parent_leaves_it_open() {
    for (fields, sampled) in [
        ([B3_SHORT, PRIORITY], Some(false)),
        ([W3C, ("x-b3-sampled", "1")], Some(false)),
    ] {
        let head = Head::of(&fields);
        let fields = head.fields();
        assert_eq!(read(&fields).parent().unwrap().sampled, sampled);
    }
    let head = Head::of(&[PRIORITY]);
    let fields = head.fields();
    assert!(read(&fields).parent().is_none());
    assert_eq!(read(&fields).decision(), Some(false));
}

#[test]
fn a_head_without_context_says_nothing_and_gets_what_is_configured() {
    let head = Head::of(&[
        ("host", "a"),
        ("tracestate", "a=1"),
        ("baggage", "a=1"),
        ("x-datadog-tags", "a=b"),
    ]);
    let fields = head.fields();
    let seen = read(&fields);
    assert!(seen.parent().is_none());
    assert!(seen.present().is_empty() && seen.malformed().is_empty());
    assert_eq!((seen.decision(), seen.chosen_trace()), (None, None));

    let other = Head::of(&[W3C]);
    let context = read(&other.fields()).parent().unwrap().context;
    let mut edits = Edits::default();
    write(&seen, &context, None, DialectSet::default(), &mut edits);
    assert!(edits.is_empty());
    write(
        &seen,
        &context,
        None,
        [Dialect::B3Single].into_iter().collect(),
        &mut edits,
    );
    assert!(edits.added().eq([(
        "b3",
        b"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0".as_slice()
    )]));
}

#[test]
fn baggage_and_everything_else_pass_untouched() {
    let others = [
        ("Baggage", "a=1;p"),
        ("uberctx-user", "x"),
        ("ot-baggage-user", "y"),
        ("x-datadog-origin", "rum"),
        ("jaeger-debug-id", "z"),
        ("x-request-id", "17"),
    ];
    let head = Head::of(&[&others[..], &[W3C, B3, JAEGER, PRIORITY]].concat());
    let fields = head.fields();
    let seen = read(&fields);
    let mut edits = Edits::default();
    write(
        &seen,
        &seen.parent().unwrap().context,
        None,
        Dialect::ALL.into_iter().collect(),
        &mut edits,
    );
    assert_eq!(head.edited(&edits).0[..others.len()], Head::of(&others).0);
}

#[test]
fn a_long_field_is_not_copied_into_every_repetition_of_it() {
    let long = "a=b,".repeat(10_000);
    let priority = format!("{}1", "0".repeat(10_000));
    let mut fields = vec![("x-datadog-trace-id", "5"), ("x-datadog-tags", long.as_str())];
    fields.extend([("x-datadog-tags", "c=d"); 100]);
    fields.extend([
        ("x-datadog-sampling-priority", priority.as_str()),
        ("x-datadog-sampling-priority", "1"),
    ]);
    let head = Head::of(&fields);
    let fields = head.fields();
    let context = read(&Head::of(&[W3C]).fields()).parent().unwrap().context;
    let mut edits = Edits::default();
    write(&read(&fields), &context, None, DialectSet::default(), &mut edits);
    let head = head.edited(&edits);
    assert_eq!(
        head.0[1].1.len(),
        long.len() + ",_dd.p.tid=0af7651916cd43dd".len()
    );
    assert_eq!(head.0[101].1, b"c=d,_dd.p.tid=0af7651916cd43dd");
    assert_eq!(head.0[103].1, b"0");
}

#[test]
fn a_chosen_trace_is_offered_in_order_of_precedence() {
    let head = Head::of(&[
        ("x-amzn-trace-id", "Root=1-0af76519-16cd43dd8448eb211c80319c"),
        ("x-datadog-trace-id", "5"),
    ]);
    let fields = head.fields();
    assert_eq!(
        read(&fields).chosen_trace(),
        TraceId::from_hex(b"0af7651916cd43dd8448eb211c80319c")
    );
}
