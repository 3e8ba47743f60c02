//! TLS towards Elasticsearch: whom to trust, how to prove who we are, and what a failed handshake means.
//!
//! The official client trusts the public authorities. It can neither leave the host name aside nor trust one server's certificate as
//! it is (with rustls), its own settings for the rest ask for `ring`, and its transport can't be built around another client.
//! Where a configuration asks for anything of TLS, its requests go out through our own client, which every page goes through
//! anyway (`TlsSettings::suits_official_client`).

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use secrecy::{ExposeSecret, SecretString};

use super::flags;
use super::settings::SettingsError;

/// Makes AWS-LC the cryptography of the process, if none has been chosen. `reqwest` 0.12 asks the process for it, and panics where there is
/// none; [`http_client`] has that done.
pub fn choose_cryptography() {
    // It fails if there is one already.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// What every HTTP client begins with.
pub fn http_client() -> reqwest::ClientBuilder {
    choose_cryptography();
    #[expect(clippy::disallowed_methods, reason = "this is where the rest leads to")]
    reqwest::Client::builder()
}

/// How TLS connections are made.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    /// Certificate authorities in PEM, besides the public ones, which are built in.
    pub certificate_authorities: Vec<Vec<u8>>,
    /// Certificates of servers in PEM that are trusted as they are, whoever issued them and however long ago.
    pub server_certificates: Vec<Vec<u8>>,
    /// The certificate that the service shows when it is asked for one.
    pub client_certificate: Option<ClientCertificate>,
    /// What has to be right about a server's certificate.
    pub verification: Verification,
}

/// A certificate of our own and its key.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate in PEM, and those between it and its authority.
    pub certificate: Vec<u8>,
    /// The private key in PEM, without a passphrase.
    pub key: SecretString,
}

/// What has to be right about a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// It is trusted, and for the name of the server.
    #[default]
    Full,
    /// It is trusted.
    WithoutHostName,
    /// Nothing.
    None,
}

impl TlsSettings {
    /// Whether the official client can make such connections.
    pub(super) fn suits_official_client(&self) -> bool {
        self.verification == Verification::Full
            && self.certificate_authorities.is_empty()
            && self.server_certificates.is_empty()
            && self.client_certificate.is_none()
    }

    /// Sets up the client that pages go through.
    pub(super) fn apply_to_http(
        &self,
        builder: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, SettingsError> {
        let config = self.client_config()?;
        if self.verification != Verification::None {
            return Ok(builder.use_preconfigured_tls(config));
        }
        let builder = builder.danger_accept_invalid_certs(true);
        match &self.client_certificate {
            None => Ok(builder),
            Some(own) => reqwest::Identity::from_pem(&own.as_one_file())
                .map(|identity| builder.identity(identity))
                .map_err(|error| SettingsError::ClientCertificate(chain(&error))),
        }
    }

    fn client_config(&self) -> Result<ClientConfig, SettingsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = TrustedServer::new(self, &provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SettingsError::Tls(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let Some(own) = &self.client_certificate else {
            return Ok(config.with_no_client_auth());
        };
        let unusable = SettingsError::ClientCertificate;
        let certificates =
            certificates(&own.certificate).ok_or_else(|| unusable(NO_CERTIFICATE.to_owned()))?;
        let key = PrivateKeyDer::from_pem_slice(own.key.expose_secret().as_bytes())
            .map_err(|_| unusable("the key is no unencrypted private key in PEM".to_owned()))?;
        config
            .with_client_auth_cert(certificates, key)
            .map_err(|error| unusable(error.to_string()))
    }
}

impl ClientCertificate {
    fn as_one_file(&self) -> Vec<u8> {
        [
            self.certificate.as_slice(),
            self.key.expose_secret().as_bytes(),
        ]
        .join(&b'\n')
    }
}

const NO_CERTIFICATE: &str = "there is no certificate in PEM";

/// The certificates of a PEM file; `None` if it holds none or what can't be read.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    found.ok().filter(|found| !found.is_empty())
}

/// Decides whether a server is the one that was meant.
#[derive(Debug)]
struct TrustedServer {
    authorities: RootCertStore,
    servers: Vec<CertificateDer<'static>>,
    checks_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl TrustedServer {
    fn new(settings: &TlsSettings, provider: &CryptoProvider) -> Result<Self, SettingsError> {
        let mut authorities = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        for pem in &settings.certificate_authorities {
            let unusable = SettingsError::CertificateAuthority;
            for authority in certificates(pem).ok_or_else(|| unusable(NO_CERTIFICATE.to_owned()))? {
                authorities
                    .add(authority)
                    .map_err(|error| unusable(error.to_string()))?;
            }
        }
        let mut servers = Vec::new();
        for pem in &settings.server_certificates {
            servers.extend(
                certificates(pem)
                    .ok_or_else(|| SettingsError::ServerCertificate(NO_CERTIFICATE.to_owned()))?,
            );
        }
        Ok(Self {
            authorities,
            servers,
            checks_name: settings.verification == Verification::Full,
            algorithms: provider.signature_verification_algorithms,
        })
    }
}

impl ServerCertVerifier for TrustedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if !self.servers.contains(end_entity) {
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.authorities,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        if self.checks_name {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What to do about a connection that failed because of TLS, for the operator; `None` if something else is wrong.
pub(super) fn advice(error: &(dyn Error + 'static)) -> Option<String> {
    use CertificateError as Wrong;
    Some(match tls_error(error)? {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => format!(
                "its certificate is for another host name than the one in {}; use a name that is in the certificate, or {}",
                flags::ELASTICSEARCH_URL,
                flags::ELASTICSEARCH_SKIP_HOSTNAME_VERIFICATION
            ),
            Wrong::Expired | Wrong::ExpiredContext { .. } => format!(
                "its certificate has expired and has to be renewed ({} accepts it and any other)",
                flags::ELASTICSEARCH_ACCEPT_INVALID_CERTIFICATES
            ),
            Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
                "its certificate is not valid yet; are the clocks right?".to_owned()
            }
            _ => format!(
                "its certificate is not trusted; name the authority that issued it in {}, or the certificate itself in {}",
                flags::ELASTICSEARCH_CA_FILE,
                flags::ELASTICSEARCH_SERVER_CERTIFICATE_FILE
            ),
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::HandshakeFailure,
        ) => format!(
            "it wants a client certificate that it trusts ({} and {})",
            flags::ELASTICSEARCH_CLIENT_CERTIFICATE_FILE,
            flags::ELASTICSEARCH_CLIENT_KEY_FILE
        ),
        rustls::Error::InvalidMessage(_) => format!(
            "it does not speak TLS at this address; does {} have to begin with http://?",
            flags::ELASTICSEARCH_URL
        ),
        _ => return None,
    })
}

/// The error of rustls among the causes of another one.
fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An error of the system that wraps another one does not give it as its source, only that one's source.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

/// An error with its causes; the outer one alone often says nothing.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
