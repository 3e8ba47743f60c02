//! TLS of the export, with a certificate that can be replaced while the service runs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// Time for a client to agree on a connection; who takes longer only holds a socket.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where certificate and key are, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those between it and its authority.
    pub certificate: PathBuf,
    /// The private key that goes with it.
    pub key: PathBuf,
}

/// Why the files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or is no PEM of the right kind.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong, without any of its content.
        reason: String,
    },
    /// The two don't go together, or the key is of a kind that is not supported.
    #[error("the certificate and its key can't be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// Makes TLS connections. Cloning is cheap; clones use the same certificate.
#[derive(Clone)]
pub struct TlsAcceptor(Arc<ArcSwap<ServerConfig>>);

impl TlsAcceptor {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// The files can't be used.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::from(read(files)?))))
    }

    /// Reads certificate and key anew, for the connections that come; what was in use stays if that fails.
    ///
    /// # Errors
    /// As [`TlsAcceptor::load`].
    pub fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.0.store(read(files)?);
        Ok(())
    }

    /// Agrees on a connection with a client.
    ///
    /// # Errors
    /// The client does not speak TLS, does not like the certificate, or takes too long.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = tokio_rustls::TlsAcceptor::from(self.0.load_full());
        tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await?
    }
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file_error(&files.certificate, &error))?;
    if chain.is_empty() {
        return Err(TlsError::File {
            path: files.certificate.display().to_string(),
            reason: "there is no certificate in it".to_owned(),
        });
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| file_error(&files.key, &error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn file_error(path: &std::path::Path, error: &rustls::pki_types::pem::Error) -> TlsError {
    TlsError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_do_not_go_together_are_refused_without_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = path("tls.crt", &signed.cert.pem());
        let key = path("tls.key", &signed.signing_key.serialize_pem());
        let files = |certificate: &PathBuf, key: &PathBuf| TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        let acceptor = TlsAcceptor::load(&files(&certificate, &key)).unwrap();

        let other_key = path("other.key", &stranger.signing_key.serialize_pem());
        let empty = path("empty", "");
        let missing = folder.path().join("missing");
        for (certificate, key) in [
            (&certificate, &other_key),
            (&empty, &key),
            (&certificate, &empty),
            (&missing, &key),
            (&key, &certificate),
        ] {
            let error = acceptor
                .reload(&files(certificate, key))
                .unwrap_err()
                .to_string();
            assert!(!error.contains("BEGIN") && !error.is_empty(), "{error}");
        }
    }
}
