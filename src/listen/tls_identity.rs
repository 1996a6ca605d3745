//! The certificate and the key for STARTTLS, and another pair when the files have changed.
//!
//! Invariant: a pair that cannot be used is an error at the start; later it is logged, and the one
//! before is used on.

use crate::error::{Context, Error, Result};
use crate::files::changed::FileState;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) struct TlsIdentity {
    certificate: PathBuf,
    key: PathBuf,
    used: Mutex<Used>,
}

struct Used {
    config: Arc<ServerConfig>,
    /// What it was read from, or was tried to be.
    files: [FileState; 2],
}

impl TlsIdentity {
    /// Of these files in PEM. `None`: there is no TLS.
    pub(crate) fn load(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<TlsIdentity>> {
        let (Some(certificate), Some(key)) = (certificate, key) else { return Ok(None) };
        let files = [FileState::of(certificate), FileState::of(key)];
        let used = Mutex::new(Used { config: read(certificate, key)?, files });
        Ok(Some(TlsIdentity { certificate: certificate.to_owned(), key: key.to_owned(), used }))
    }

    /// What sessions begin with now.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.used().config.clone()
    }

    /// Reads the files again if they have changed.
    pub(crate) fn refresh(&self) {
        let files = [FileState::of(&self.certificate), FileState::of(&self.key)];
        let mut used = self.used();
        if used.files == files {
            return;
        }
        used.files = files;
        let certificate = self.certificate.display();
        match read(&self.certificate, &self.key) {
            Ok(config) => {
                used.config = config;
                tracing::info!(%certificate, "another certificate is in use");
            }
            // While one of the two is replaced they do not belong together.
            Err(error) => tracing::warn!(%error, "going on with the certificate that was read before"),
        }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let named = |file: &Path| file.display().to_string();
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(|certificates| certificates.collect::<std::result::Result<Vec<_>, _>>())
        .context(named(certificate))?;
    if chain.is_empty() {
        return Err(Error::new(format_args!("{}: there is no certificate in it", certificate.display()))
            .remedy("give a file in PEM with the certificate, and those that it was issued by"));
    }
    let private = PrivateKeyDer::from_pem_file(key).context(named(key))?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| {
            let fix = format!("let {} be the private key of this certificate", key.display());
            Error::new(format_args!("{}: {error}", certificate.display())).remedy(fix)
        })?;
    Ok(Arc::new(config))
}
