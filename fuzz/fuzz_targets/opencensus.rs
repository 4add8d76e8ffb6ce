#![no_main]

use libfuzzer_sys::fuzz_target;
use span::Dialect;

fuzz_target!(|data: &[u8]| fuzz::one_dialect(Dialect::OpenCensus, &["grpc-trace-bin"], data));
