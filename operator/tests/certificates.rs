//! Certificates over years: a client that has an old bundle, or a server with an old leaf, is never left outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::sync::Arc;
use std::time::Duration;

use operator::certificates::due::{Lifetimes, Validity};
use operator::certificates::{Certificates, Leaf, advance};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

const SERVER: &str = "meshtrace-operator.meshtrace.svc";
const START: u64 = 1_800_000_000;

const QUICK: Lifetimes = Lifetimes {
    authority: 3600,
    leaf: 600,
    settle: 60,
};

fn usual() -> Lifetimes {
    Lifetimes::of_leaf(Duration::from_secs(30 * 86_400))
}

fn names() -> Vec<String> {
    vec![SERVER.to_owned()]
}

fn first(lifetimes: Lifetimes) -> Certificates {
    advance(&Certificates::default(), &names(), START, lifetimes).unwrap()
}

/// Whether a client with this bundle takes this leaf at that time.
fn takes(bundle: &str, leaf: &Leaf, now: u64) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let leaf = CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap();
    let server = ServerName::try_from(SERVER).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    verifier
        .verify_server_cert(&leaf, &[], &server, &[], now)
        .map(drop)
}

#[test]
fn whoever_is_late_by_less_than_the_settling_time_is_never_left_outside() {
    let step = QUICK.settle / 3;
    let mut past: Vec<Certificates> = vec![first(QUICK)];
    for now in (START..START + 3 * QUICK.authority).step_by(step as usize) {
        let next = advance(past.last().unwrap(), &names(), now, QUICK).unwrap();
        past.push(next);
        let now_known = past.last().unwrap();
        // as late as one can be without having missed the settling time
        for late in past.iter().rev().take(3) {
            let (here, there) = (now_known.leaf.as_ref().unwrap(), late.leaf.as_ref().unwrap());
            takes(&late.bundle(), here, now)
                .unwrap_or_else(|error| panic!("a late client at {now}: {error}"));
            takes(&now_known.bundle(), there, now)
                .unwrap_or_else(|error| panic!("a late server at {now}: {error}"));
        }
        assert!(now_known.authorities.len() <= 2);
    }
    let leaves: std::collections::BTreeSet<u64> = past
        .iter()
        .map(|it| it.leaf.as_ref().unwrap().validity.from)
        .collect();
    let authorities: std::collections::BTreeSet<u64> = past
        .iter()
        .flat_map(|it| &it.authorities)
        .map(|it| it.validity.from)
        .collect();
    assert_eq!(
        authorities.len(),
        5,
        "one at the start and one every 2400 s of 10800 s"
    );
    assert!(leaves.len() >= 27, "{} in 10800 s, one every 400 s", leaves.len());
}

#[test]
fn nothing_changes_before_it_is_due() {
    let certificates = first(QUICK);
    for now in [START, START + 1, START + 399] {
        assert_eq!(
            advance(&certificates, &names(), now, QUICK).unwrap(),
            certificates
        );
    }
    let renewed = advance(&certificates, &names(), START + 400, QUICK).unwrap();
    assert_eq!(renewed.authorities, certificates.authorities);
    assert_ne!(renewed.leaf, certificates.leaf);
}

#[test]
fn after_a_long_absence_everything_is_new() {
    let certificates = first(QUICK);
    let later = START + 10 * QUICK.authority;
    let renewed = advance(&certificates, &names(), later, QUICK).unwrap();
    assert_eq!(renewed.authorities.len(), 1);
    takes(&renewed.bundle(), renewed.leaf.as_ref().unwrap(), later).unwrap();
}

#[test]
fn another_name_makes_another_leaf_by_the_same_authority() {
    let certificates = first(usual());
    let names = vec!["meshtrace-operator.elsewhere.svc".to_owned()];
    let renamed = advance(&certificates, &names, START + 1, usual()).unwrap();
    assert_eq!(renamed.authorities, certificates.authorities);
    assert!(takes(&renamed.bundle(), renamed.leaf.as_ref().unwrap(), START + 1).is_err());
}

#[test]
fn a_leaf_never_outlives_its_authority() {
    let short = Validity::lasting(START, 100);
    let leaf = Validity::lasting(START + 90, 100).not_beyond(&short);
    assert_eq!(leaf.until, START + 100);
}

#[test]
fn kept_and_read_back_they_are_the_same_and_logs_do_not_show_a_key() {
    let certificates = first(QUICK);
    let kept = serde_json::to_string(&certificates).unwrap();
    assert_eq!(serde_json::from_str::<Certificates>(&kept).unwrap(), certificates);
    assert!(!format!("{certificates:?}").contains("PRIVATE"));
}

#[test]
fn however_short_a_leaf_lasts_its_authority_outlives_it_and_settles_in_time() {
    for seconds in [30, 60, 3600, 30 * 86_400] {
        let lifetimes = Lifetimes::of_leaf(Duration::from_secs(seconds));
        assert!(lifetimes.leaf * 3 <= lifetimes.authority, "{lifetimes:?}");
        assert!(lifetimes.settle * 9 <= lifetimes.authority, "{lifetimes:?}");
    }
}

#[test]
fn whoever_asks_for_shorter_lives_gets_them_at_once_and_nobody_is_left_outside() {
    let long = first(usual());
    let short = advance(&long, &names(), START + 7200, QUICK).unwrap();
    let leaf = short.leaf.as_ref().unwrap();
    assert_eq!(leaf.validity, Validity::lasting(START + 7200, QUICK.leaf));
    assert_eq!(short.authorities.len(), 2);
    takes(&long.bundle(), leaf, START + 7200).unwrap();
    let again = advance(&short, &names(), START + 7201, QUICK).unwrap();
    assert_eq!(again, short);
}
