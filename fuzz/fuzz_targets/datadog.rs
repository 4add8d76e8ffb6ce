#![no_main]

use libfuzzer_sys::fuzz_target;
use span::Dialect;

fuzz_target!(|data: &[u8]| fuzz::one_dialect(
    Dialect::Datadog,
    &[
        "x-datadog-trace-id",
        "x-datadog-parent-id",
        "x-datadog-sampling-priority",
        "x-datadog-tags"
    ],
    data
));
