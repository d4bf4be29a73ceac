//! A temporary certificate authority for the loopback addresses and the tokens.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring::default_provider,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// A certificate with its key, and the files of both for programs.
pub struct Identity {
    /// The authority's certificate as PEM.
    pub ca_file: PathBuf,
    /// The certificate as PEM.
    pub certificate_file: PathBuf,
    /// The key as PEM.
    pub key_file: PathBuf,
    /// The certificate.
    pub certificate: Vec<u8>,
    /// The key, as PKCS #8.
    pub key: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl Identity {
    /// Creates an authority, and a certificate for 127.0.0.1 and localhost.
    ///
    /// # Errors
    ///
    /// If they cannot be created or written.
    pub fn make() -> Result<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        // A certificate with the subject of its issuer would count as self-signed.
        authority
            .distinguished_name
            .push(DnType::CommonName, "acrt benchmark authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let mut own = CertificateParams::new(vec!["localhost".to_owned()])?;
        own.subject_alt_names
            .push(SanType::IpAddress([127, 0, 0, 1].into()));
        let key = KeyPair::generate()?;
        let certificate = own.signed_by(&key, &authority)?;
        let folder = tempfile::tempdir()?;
        let file = |name: &str, text: String| -> Result<PathBuf> {
            let path = folder.path().join(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write `{name}`"))?;
            Ok(path)
        };
        Ok(Self {
            // skopeo looks for this file extension in a folder of authorities.
            ca_file: file("ca.crt", authority.pem())?,
            certificate_file: file("server.pem", certificate.pem())?,
            key_file: file("server-key.pem", key.serialize_pem())?,
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
            _folder: folder,
        })
    }

    /// Returns a TLS acceptor with this certificate for the given protocols.
    ///
    /// # Errors
    ///
    /// If rustls does not accept the certificate.
    pub fn acceptor(&self, protocols: &[&str]) -> Result<TlsAcceptor> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![self.certificate.clone().into()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone())),
            )?;
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
