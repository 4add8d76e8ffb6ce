use super::*;

const PADDED: &str = "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE=";

#[test]
fn padding_may_be_there_or_not_and_stays_so() {
    let unpadded = PADDED.trim_end_matches('=');
    for value in [PADDED, unpadded] {
        assert_eq!(said(&[("grpc-trace-bin", value)]), (TRACE, CALLER, Some(true)));
        let head = marked(&[("grpc-trace-bin", value)], TRACE, false, &[]);
        let after = head.get("grpc-trace-bin").unwrap();
        assert_eq!(after.len(), value.len());
        assert_eq!(said(&[("grpc-trace-bin", after)]), (TRACE, OURS, Some(false)));
    }
}

#[test]
fn without_options_the_decision_is_ours() {
    let ids_only = "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMx";
    assert_eq!(said(&[("grpc-trace-bin", ids_only)]), (TRACE, CALLER, None));
}

#[test]
fn broken_forms_are_malformed() {
    let too_long = "A".repeat(200);
    for value in [
        "",
        "AA",
        "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDM",
        "AQAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE",
        "AAAAAAAAAAAAAAAAAAAAAAAAAbeta3FpIDMxAgE",
        "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAg",
        "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMx-_8",
        &too_long,
    ] {
        assert_malformed(Dialect::OpenCensus, &[("grpc-trace-bin", value)]);
    }
}
