//! How the service says who it is, and how a password or key is replaced while it runs.
//!
//! A secret that comes from a file is read again every few seconds, and at once when Elasticsearch refuses it: an orchestrator
//! replaces the file, not the process. Between the moment at which the file changes and the one at which Elasticsearch knows
//! the new secret, whichever comes first, one of the two is right; so a request that is refused with the new one is sent again
//! with the one before. A refused request was not carried out, which makes that safe for the batches of a scroll too.
//!
//! A scroll belongs to whoever opened it: to the user, whatever the password, but to the one API key. Elasticsearch even ends a
//! scroll that another key asks for. So a scroll goes on with the key that opened it, as long as Elasticsearch still accepts that.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::settings::SettingsError;
use super::telemetry::LOG_TARGET;

/// How old the last look at the file may be.
const LOOK_AFTER: Duration = Duration::from_secs(5);

/// How to authenticate with Elasticsearch.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// User name and password.
    Basic(String, SecretString),
    /// An API key in its encoded form.
    ApiKey(SecretString),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic(..) => "Basic(hidden)",
            Self::ApiKey(_) => "ApiKey(hidden)",
        })
    }
}

impl Credentials {
    /// The same with another password or key.
    fn with_secret(&self, secret: SecretString) -> Self {
        match self {
            Self::None => Self::None,
            Self::Basic(user, _) => Self::Basic(user.clone(), secret),
            Self::ApiKey(_) => Self::ApiKey(secret),
        }
    }

    /// The value of the header `Authorization`.
    fn header(&self) -> Result<Option<HeaderValue>, SettingsError> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic(user, password) => {
                let pair = format!("{user}:{}", password.expose_secret());
                format!("Basic {}", STANDARD.encode(pair))
            }
            Self::ApiKey(key) => format!("ApiKey {}", key.expose_secret()),
        };
        let mut value = HeaderValue::try_from(text).map_err(|_| SettingsError::ApiKey)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// Reads a secret from its file. Editors and `echo` end it with a line break that is not part of the secret.
///
/// # Errors
/// The file can't be read, or is empty.
pub fn read_secret(path: &Path) -> Result<SecretString, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("the file is empty".to_owned()),
        secret => Ok(SecretString::from(secret)),
    }
}

/// The credentials in force.
pub(super) struct Authorization {
    credentials: Credentials,
    file: Option<PathBuf>,
    state: RwLock<State>,
}

struct State {
    current: Option<HeaderValue>,
    /// What was in force before.
    previous: Option<HeaderValue>,
    looked_at: Instant,
}

impl Authorization {
    /// Begins with `credentials`; their secret is what `file` holds, if it comes from one.
    pub fn new(credentials: Credentials, file: Option<PathBuf>) -> Result<Self, SettingsError> {
        let state = RwLock::new(State {
            current: credentials.header()?,
            previous: None,
            looked_at: Instant::now(),
        });
        Ok(Self {
            credentials,
            file,
            state,
        })
    }

    /// What to send.
    pub fn current(&self) -> Option<HeaderValue> {
        if self.file.is_some() && self.read(|state| state.looked_at.elapsed() >= LOOK_AFTER) {
            self.look();
        }
        self.read(|state| state.current.clone())
    }

    /// What to send instead of what Elasticsearch has just refused, if there is anything.
    pub fn instead_of(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        self.look();
        self.read(|state| {
            let known = [&state.current, &state.previous];
            known
                .into_iter()
                .flatten()
                .find(|header| *header != refused)
                .cloned()
        })
    }

    /// Whether what is opened now may belong to somebody else once the secret has changed.
    pub fn may_change_owner(&self) -> bool {
        self.file.is_some() && matches!(self.credentials, Credentials::ApiKey(_))
    }

    fn read<T>(&self, question: impl FnOnce(&State) -> T) -> T {
        question(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks whether the file holds another secret. It is a few bytes on a local disk, so nobody waits for it noticeably.
    fn look(&self) {
        let Some(file) = &self.file else { return };
        let found = read_secret(file).and_then(|secret| {
            let credentials = self.credentials.with_secret(secret);
            credentials.header().map_err(|error| error.to_string())
        });
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.looked_at = Instant::now();
        match found {
            Ok(header) if header == state.current => {}
            Ok(header) => {
                state.previous = std::mem::replace(&mut state.current, header);
                tracing::info!(target: LOG_TARGET, file = %file.display(), "the credentials for Elasticsearch have changed");
            }
            // Whoever writes it may not have finished; what was good so far may still be.
            Err(problem) => tracing::warn!(
                target: LOG_TARGET,
                %problem,
                "the credentials for Elasticsearch can't be read again; those known are kept"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(password: &str) -> Option<HeaderValue> {
        let credentials = Credentials::Basic("me".to_owned(), password.into());
        credentials.header().unwrap()
    }

    #[test]
    fn the_header_is_marked_as_a_secret() {
        let header = basic("hush").unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic bWU6aHVzaA==");
        assert!(header.is_sensitive() && format!("{header:?}") == "Sensitive");
        assert!(Credentials::ApiKey("a\nb".into()).header().is_err());
        assert!(Credentials::None.header().unwrap().is_none());
    }

    #[test]
    fn a_refused_secret_is_read_again_and_the_one_before_is_kept() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| fs::write(file.path(), text).unwrap();
        write("old\n");
        let credentials = Credentials::Basic("me".to_owned(), read_secret(file.path()).unwrap());
        let authorization = Authorization::new(credentials, Some(file.path().into())).unwrap();
        let (old, new) = (basic("old"), basic("new"));
        assert_eq!(authorization.current(), old);
        assert_eq!(authorization.instead_of(&old.clone().unwrap()), None);

        write("new\r\n");
        assert_eq!(authorization.instead_of(&old.clone().unwrap()), new);
        assert_eq!(authorization.current(), new);
        assert_eq!(authorization.instead_of(&new.clone().unwrap()), old);
        assert_eq!(authorization.instead_of(&new.clone().unwrap()), old);

        for unfinished in ["", "\n"] {
            write(unfinished);
            assert_eq!(authorization.instead_of(&new.clone().unwrap()), old);
            assert_eq!(authorization.current(), new);
        }
    }
}
