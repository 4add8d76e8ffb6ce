//! Keys and certificates of one cluster. They are made anew each time and live as long as it does.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use serde_json::json;

use crate::failure::Failure;
use crate::place::Place;

/// How long they are good for: a cluster to play with may stand for some days.
const LIFE: Duration = Duration::from_secs(14 * 24 * 3600);
/// How much earlier than now they begin.
const SKEW: Duration = Duration::from_secs(300);

/// The cluster's own authority.
pub(crate) struct Authority<'p> {
    place: &'p Place,
    issuer: Issuer<'static, KeyPair>,
}

impl<'p> Authority<'p> {
    /// A new one, kept as `pki/ca.crt` and `pki/ca.key`; beside it, as `pki/tokens.*`, the keys that sign service accounts' tokens.
    pub(crate) fn create(place: &'p Place) -> Result<Self, Failure> {
        let key = KeyPair::generate()?;
        let mut params = params("meshtrace test cluster", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        place.write("pki/ca.crt", &params.self_signed(&key)?.pem())?;
        place.write("pki/ca.key", &key.serialize_pem())?;
        let tokens = KeyPair::generate()?;
        place.write("pki/tokens.key", &tokens.serialize_pem())?;
        place.write("pki/tokens.pub", &tokens.public_key_pem())?;
        let issuer = Issuer::new(params, key);
        Ok(Self { place, issuer })
    }

    /// A certificate with which `file` serves under `names`, as `pki/FILE.crt` and `pki/FILE.key`.
    pub(crate) fn server(&self, file: &str, names: &[&str]) -> Result<(), Failure> {
        let mut params = params(file, names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(file, &params)
    }

    /// A certificate with which `file` is known to the API server as `user` of `group`, and a kubeconfig that uses it.
    pub(crate) fn client(
        &self,
        file: &str,
        user: &str,
        group: &str,
        server: &str,
    ) -> Result<PathBuf, Failure> {
        let mut params = params(user, &[])?;
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(file, &params)?;
        let pki = |name: String| self.place.path("pki").join(name);
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "node",
            "contexts": [{"name": "node", "context": {"cluster": "node", "user": file}}],
            "clusters": [{"name": "node", "cluster": {
                "server": server,
                "certificate-authority": pki("ca.crt".to_owned()),
            }}],
            "users": [{"name": file, "user": {
                "client-certificate": pki(format!("{file}.crt")),
                "client-key": pki(format!("{file}.key")),
            }}],
        });
        self.place
            .write(&format!("kubeconfig/{file}"), &format!("{kubeconfig:#}\n"))
    }

    fn sign(&self, file: &str, params: &CertificateParams) -> Result<(), Failure> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        self.place.write(&format!("pki/{file}.crt"), &certificate.pem())?;
        self.place
            .write(&format!("pki/{file}.key"), &key.serialize_pem())?;
        Ok(())
    }
}

fn params(common_name: &str, names: &[&str]) -> Result<CertificateParams, Failure> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    let now = SystemTime::now();
    params.not_before = (now - SKEW).into();
    params.not_after = (now + LIFE).into();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
