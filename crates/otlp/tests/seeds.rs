//! The seeds of the fuzz targets, and what they have found, tried in every run.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

use std::path::Path;

#[allow(unreachable_pub, reason = "there it is part of a library")]
#[path = "../../../fuzz/src/otlp.rs"]
mod fuzzed;

fn each(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(target);
    let seeds: Vec<_> = folder.read_dir().unwrap().collect();
    assert!(!seeds.is_empty());
    for seed in seeds {
        run(&std::fs::read(seed.unwrap().path()).unwrap());
    }
}

#[test]
fn every_seed_of_otlp_is_kept_as_it_is_or_refused() {
    each("otlp", fuzzed::otlp);
}

#[test]
fn every_seed_of_zipkin_is_kept_as_it_is_or_refused() {
    each("zipkin", fuzzed::zipkin);
}
