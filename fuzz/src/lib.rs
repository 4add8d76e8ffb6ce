//! What the fuzz targets share: heads made of a fuzzer's bytes, and what must hold for each of them.

pub mod causality;
pub mod http2;
pub mod otlp;

use span::{Dialect, DialectSet, Edits, Field, SpanContext, SpanId, TraceFlags, TraceId, read, write};

/// Lines of `data` become the values of `names`, in order; its last byte says how the trace goes on.
pub fn one_dialect(dialect: Dialect, names: &[&str], data: &[u8]) {
    let (choice, data) = data.split_last().unwrap_or((&0, &[]));
    let values = data.split(|byte| *byte == b'\n');
    let fields: Vec<_> = names
        .iter()
        .zip(values)
        .map(|(name, value)| Field::new(*name, value))
        .collect();
    let after = read_and_write(&fields, *choice, [dialect].into_iter().collect());
    let fields: Vec<_> = after
        .iter()
        .map(|(name, value)| Field::new(name, value))
        .collect();
    let seen = read(&fields);
    assert_eq!(seen.parent().map(|parent| parent.dialect), Some(dialect));
}

/// Lines of `data` become fields: name, colon, value; its last byte says which dialects are configured and how the
/// trace goes on.
pub fn whole_head(data: &[u8]) {
    let (choice, data) = data.split_last().unwrap_or((&0, &[]));
    let fields: Vec<_> = data
        .split(|byte| *byte == b'\n')
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (name, value) = line.split_at(colon);
            Field::new(name, value.strip_prefix(b":").unwrap_or_default())
        })
        .collect();
    let configured: DialectSet = Dialect::ALL
        .into_iter()
        .filter(|dialect| choice >> *dialect as u8 & 1 == 1)
        .collect();
    read_and_write(&fields, *choice, configured);
}

/// The head that becomes of `fields`, after checking that every dialect in it says the same.
fn read_and_write(fields: &[Field<'_>], choice: u8, configured: DialectSet) -> Vec<(Vec<u8>, Vec<u8>)> {
    let seen = read(fields);
    let there: DialectSet = seen.present().iter().chain(seen.malformed().iter()).collect();
    let fresh = SpanContext {
        trace_id: TraceId::from_random(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c),
        span_id: SpanId::from_random(0xf067_aa0b_a902_b7),
        flags: TraceFlags(choice & 3),
    };
    let parent = seen.parent();
    if let Some(tracestate) = parent.as_ref().and_then(|parent| parent.tracestate) {
        assert!(tracestate.to_string().len() >= 3);
    }
    let context = SpanContext {
        trace_id: parent
            .as_ref()
            .map_or(fresh.trace_id, |parent| parent.context.trace_id),
        ..fresh
    };

    let mut edits = Edits::default();
    write(
        &seen,
        &context,
        parent.map(|parent| parent.context.span_id),
        configured,
        &mut edits,
    );
    let mut head: Vec<_> = fields
        .iter()
        .map(|field| (field.name.to_vec(), field.value.to_vec()))
        .collect();
    for (index, value) in edits.replaced() {
        head[index].1 = value.to_vec();
    }
    head.extend(
        edits
            .added()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())),
    );

    let fields: Vec<_> = head.iter().map(|(name, value)| Field::new(name, value)).collect();
    let seen = read(&fields);
    assert!(seen.malformed().is_empty());
    assert_eq!(seen.present(), there.iter().chain(configured.iter()).collect());
    if let Some(parent) = seen.parent() {
        assert!(!parent.conflict);
        assert_eq!(parent.context.trace_id, context.trace_id);
        assert_eq!(parent.context.span_id, context.span_id);
        assert_eq!(parent.sampled, Some(context.flags.is_sampled()));
    }
    head
}
