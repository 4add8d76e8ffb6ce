#![no_main]

use libfuzzer_sys::fuzz_target;
use span::{Field, baggage};

fuzz_target!(|data: &[u8]| {
    let fields = ["baggage", "uberctx-user", "ot-baggage-user"].map(|name| Field::new(name, data));
    assert!(baggage::entries(&fields).count() <= baggage::MOST_ENTRIES);
});
