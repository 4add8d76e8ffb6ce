#![no_main]

use libfuzzer_sys::fuzz_target;
use span::Dialect;

fuzz_target!(|data: &[u8]| fuzz::one_dialect(
    Dialect::B3Multi,
    &[
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-parentspanid",
        "x-b3-sampled",
        "x-b3-flags"
    ],
    data
));
