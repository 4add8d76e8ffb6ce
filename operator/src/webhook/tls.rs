//! How the webhook speaks TLS: version 1.3 only, which every API server that can call us speaks.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};

use crate::certificates::Leaf;

/// A leaf that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It is not PEM.
    #[error("the certificate or its key is not PEM: {0}")]
    Pem(#[from] pem::Error),
    /// They do not fit each other, or to TLS.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The configuration that shows this leaf.
///
/// # Errors
/// The leaf is none.
pub fn server(leaf: &Leaf) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(leaf.certificate.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(leaf.key.0.as_bytes())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
