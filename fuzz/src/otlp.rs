//! What must hold for requests of spans, whatever they are made of. `crates/otlp` tries the seeds in its ordinary tests too.

use bytes::Bytes;
use otlp::receive::{
    Batch, Packed, from_json, from_metrics, from_protobuf, from_request, from_zipkin_json,
    from_zipkin_protobuf, request,
};

/// A request of OTLP: the first byte says which.
pub fn otlp(data: &[u8]) {
    let Some((which, data)) = data.split_first() else {
        return;
    };
    let bytes = Bytes::copy_from_slice(data);
    match which % 3 {
        0 => kept(from_protobuf(bytes, |packed, scanned| {
            assert_eq!(packed.name(), scanned.name);
            assert_eq!(Some(packed.span_id), scanned.span_id());
        })),
        1 => kept(from_json(data, |_, _| {})),
        _ => drop(from_metrics(bytes)),
    }
}

/// A request of Zipkin's: the first byte says which.
pub fn zipkin(data: &[u8]) {
    let Some((which, data)) = data.split_first() else {
        return;
    };
    match which % 2 {
        0 => kept(from_zipkin_protobuf(Bytes::copy_from_slice(data), |_, _| {})),
        _ => kept(from_zipkin_json(data, |_, _| {})),
    }
}

/// What was taken can be written and read again, and says the same, in either form.
fn kept<E>(batch: Result<Batch, E>) {
    let Ok(mut batch) = batch else { return };
    let spans = batch.unpack();
    // NaN is not even itself, so texts are compared
    let told = format!("{spans:?}");
    let again: Vec<_> = spans.iter().map(Packed::from).collect();
    let unpacked = |packed: &[Packed]| packed.iter().map(Packed::unpack).collect::<Vec<_>>();
    assert_eq!(format!("{:?}", unpacked(&again)), told);
    let read = from_request(request(&mut batch.spans));
    assert_eq!(read.map(|read| format!("{:?}", unpacked(&read))), Some(told));
}
