//! Making keys and signing certificates: ECDSA on P-256, X.509 as RFC 5280 has it.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::due::Validity;
use super::{Authority, Key, Leaf};

/// How much earlier than it was made a certificate is good: clocks differ.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// A certificate cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a certificate: {0}")]
pub struct IssueError(#[from] rcgen::Error);

/// A new authority, which signs leaves and no further authorities.
///
/// # Errors
/// Its key or its certificate cannot be made.
pub fn authority(validity: Validity) -> Result<Authority, IssueError> {
    let key = KeyPair::generate()?;
    let certificate = authority_params(validity)?.self_signed(&key)?;
    Ok(Authority {
        validity,
        certificate: certificate.pem(),
        key: Key(key.serialize_pem()),
    })
}

/// A new leaf for a server of these names.
///
/// # Errors
/// A name is none, or the leaf's key or certificate cannot be made.
pub fn leaf(by: &Authority, validity: Validity, names: &[String]) -> Result<Leaf, IssueError> {
    let issuer = Issuer::new(authority_params(by.validity)?, KeyPair::from_pem(&by.key.0)?);
    let mut params = CertificateParams::new(names)?;
    within(&mut params, validity);
    params
        .distinguished_name
        .push(DnType::CommonName, "meshtrace operator webhook");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Leaf {
        validity,
        authority: by.validity.from,
        names: names.to_vec(),
        certificate: certificate.pem(),
        key: Key(key.serialize_pem()),
    })
}

/// The same for the same validity, so that an authority can be read back from that and its key. Each has a name of its
/// own: a reader of the bundle finds the right one by it.
fn authority_params(validity: Validity) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::new(Vec::new())?;
    within(&mut params, validity);
    let name = format!("meshtrace operator authority {}", validity.from);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

fn within(params: &mut CertificateParams, validity: Validity) {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    params.not_before = (at(validity.from) - CLOCK_SKEW).into();
    params.not_after = at(validity.until).into();
    params.distinguished_name = rcgen::DistinguishedName::new();
}
