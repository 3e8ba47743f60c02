//! A server with security on: TLS with a certificate of a test authority, a superuser, and nobody else.
//!
//! Users, roles and API keys are then made by that superuser through the security API. The artifact with the distribution has
//! no tools that would write a bootstrap password into a keystore, but none is needed: the superuser is one of the file realm.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::server::{Lifetime, Server};
use super::{Cache, Error, Version, keep_until_the_end};
use crate::certificates::{self, Certified, TestAuthority, Validity};
use crate::client::{self, Client};

/// The one name in the server's certificate; `127.0.0.1`, which reaches it too, is not in it.
pub const SERVER_NAME: &str = "localhost";

/// The heap of a secured server: it holds the data of a few tests.
const HEAP: &str = "512m";

/// The folder of certificates below a server's configuration folder.
const CERTIFICATES: &str = "certs";

/// Whether clients have to show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They may; user names, passwords and API keys suffice.
    Optional,
    /// They must, and have to say who they are all the same: who is known by a certificate alone is not in the free licence.
    Required,
}

/// A server with security on.
#[derive(Debug)]
pub struct Secured {
    /// Its address, for example `https://localhost:39201`.
    pub url: String,
    /// Its version, for example `8.19.8`.
    pub version: String,
    /// The name of the superuser.
    pub user: String,
    /// The password of the superuser.
    pub password: String,
    /// The file with the certificate of the authority that the server's certificate is from, PEM.
    pub authority_file: PathBuf,
    /// That authority.
    pub authority: TestAuthority,
    own_certificate: Certified,
}

impl Secured {
    /// A client that is the superuser.
    pub fn client(&self) -> Result<Client, client::Error> {
        client_of(&self.url, &self.user, &self.password)
            .with_tls(self.authority.certificate(), Some(&self.own_certificate))
    }
}

/// Starts a secured server for the calling process; every call with the same argument returns the same one.
///
/// It is of the version [`Version::wanted`], or of the default one where that has no security that could be switched on.
/// It is stopped like those of [`super::for_this_process`]. It needs a container engine with the official image, or a JDK and Maven:
/// a cluster named by `ELASTICSEARCH_URL` is no substitute, because nobody should hand a superuser's password to tests.
pub fn secured_for_this_process(
    client_certificates: ClientCertificates,
) -> Result<&'static Secured, Error> {
    static OPTIONAL: OnceLock<Result<Secured, Error>> = OnceLock::new();
    static REQUIRED: OnceLock<Result<Secured, Error>> = OnceLock::new();
    let started = match client_certificates {
        ClientCertificates::Optional => &OPTIONAL,
        ClientCertificates::Required => &REQUIRED,
    };
    started
        .get_or_init(|| {
            let security = Security::new(client_certificates).map_err(|error| Error::System {
                doing: "make certificates for a secured server".to_owned(),
                reason: error.to_string(),
            })?;
            let wanted = Version::wanted()?;
            let of_version = if wanted.has_security() {
                wanted
            } else {
                Version::default()
            };
            let server = Server::start(
                &Cache::of_this_user()?,
                of_version,
                HEAP.parse()?,
                Lifetime::OfThisProcess,
                Some(&security),
            )?;
            let secured = security.of_server(&server);
            keep_until_the_end(server);
            Ok(secured)
        })
        .as_ref()
        .map_err(Clone::clone)
}

/// What makes a server secured, before it runs.
#[derive(Debug)]
pub(super) struct Security {
    authority: TestAuthority,
    server: Certified,
    client: Certified,
    password: String,
    client_certificates: ClientCertificates,
}

/// The superuser of a server in a Java virtual machine. `elastic` would be looked for among the reserved users only.
const SUPERUSER_OF_JAVA: &str = "test-superuser";

/// The superuser whose password the official image takes from its environment.
const SUPERUSER_OF_IMAGE: &str = "elastic";

impl Security {
    fn new(client_certificates: ClientCertificates) -> Result<Self, certificates::Error> {
        let authority = TestAuthority::new("optimize-export test authority")?;
        Ok(Self {
            server: authority.server(&[SERVER_NAME], Validity::Now)?,
            client: authority.client("xtask")?,
            authority,
            password: random_password(),
            client_certificates,
        })
    }

    /// Writes what a server in a Java virtual machine reads below its configuration folder.
    pub fn write_configuration(&self, config: &Path) -> Result<(), Error> {
        self.write_certificates(&config.join(CERTIFICATES))?;
        // The cheapest hash there is: it protects nothing but the data of tests, and every request pays for it.
        let hash = bcrypt::hash_with_result(&self.password, 4)
            .map(|parts| parts.format_for_version(bcrypt::Version::TwoA))
            .map_err(|error| Error::System {
                doing: "hash a password".to_owned(),
                reason: error.to_string(),
            })?;
        write(
            &config.join("users"),
            &format!("{SUPERUSER_OF_JAVA}:{hash}\n"),
        )?;
        write(
            &config.join("users_roles"),
            &format!("superuser:{SUPERUSER_OF_JAVA}\n"),
        )
    }

    /// The lines of `elasticsearch.yml`.
    pub fn settings(&self) -> String {
        format!(
            "xpack.security.enabled: true
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.certificate: {CERTIFICATES}/http.crt
xpack.security.http.ssl.key: {CERTIFICATES}/http.key
xpack.security.http.ssl.certificate_authorities: {CERTIFICATES}/ca.crt
xpack.security.http.ssl.client_authentication: {}
",
            self.client_authentication()
        )
    }

    /// Writes what the official image is given: its certificates, as a folder beside the compose file.
    pub fn write_for_image(&self, folder: &Path) -> Result<(), Error> {
        self.write_certificates(&folder.join("config").join(CERTIFICATES))
    }

    /// The password of the superuser.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The value of Elasticsearch's setting.
    pub fn client_authentication(&self) -> &'static str {
        match self.client_certificates {
            ClientCertificates::Optional => "optional",
            ClientCertificates::Required => "required",
        }
    }

    /// A client that is the superuser of the server at this address.
    pub fn client(&self, url: &str, origin: super::Origin) -> Result<Client, client::Error> {
        client_of(url, superuser(origin), &self.password)
            .with_tls(self.authority.certificate(), Some(&self.client))
    }

    fn of_server(self, server: &Server) -> Secured {
        Secured {
            url: server.elasticsearch.url.clone(),
            version: server.elasticsearch.version.clone(),
            user: superuser(server.elasticsearch.origin).to_owned(),
            password: self.password,
            authority_file: server
                .folder
                .join("config")
                .join(CERTIFICATES)
                .join("ca.crt"),
            authority: self.authority,
            own_certificate: self.client,
        }
    }

    fn write_certificates(&self, folder: &Path) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(Error::system(format!("make {}", folder.display())))?;
        write(&folder.join("ca.crt"), self.authority.certificate())?;
        write(&folder.join("http.crt"), &self.server.certificate)?;
        write(&folder.join("http.key"), &self.server.key)
    }
}

fn superuser(origin: super::Origin) -> &'static str {
    match origin {
        super::Origin::Container => SUPERUSER_OF_IMAGE,
        _ => SUPERUSER_OF_JAVA,
    }
}

fn client_of(url: &str, user: &str, password: &str) -> Client {
    Client::new(&url.replacen("://", &format!("://{user}:{password}@"), 1))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::system(format!("write {}", path.display())))
}

/// 128 bits that differ from process to process: the keys of the hash maps are the system's randomness.
fn random_password() -> String {
    let part = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", part(), part())
}

#[cfg(test)]
mod tests {
    use super::super::Heap;
    use super::*;

    #[test]
    fn a_secured_server_has_what_its_settings_name() {
        let folder = tempfile::tempdir().unwrap();
        let security = Security::new(ClientCertificates::Required).unwrap();
        security.write_configuration(folder.path()).unwrap();
        for line in security
            .settings()
            .lines()
            .filter(|line| line.contains(CERTIFICATES))
        {
            let path = line.split(": ").nth(1).unwrap();
            assert!(folder.path().join(path).exists(), "{line}");
        }
        let users = fs::read_to_string(folder.path().join("users")).unwrap();
        assert!(users.starts_with("test-superuser:$2a$"), "{users}");
        assert!(!users.contains(security.password()));
        assert!(HEAP.parse::<Heap>().is_ok());
    }
}
