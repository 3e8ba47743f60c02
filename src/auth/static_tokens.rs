//! Tokens that an operator hands out, one or several at once so that they can be rotated without a refused request.
//!
//! A file of tokens has one per line, `token` or `name: token`; empty lines and lines that begin with `#` are skipped. A
//! colon can't be part of a bearer token (RFC 6750, section 2.1), so the two forms can't be confused.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{AuthError, Client, is_well_formed};

/// How the log names clients whose token has no name of its own.
const UNNAMED: &str = "static token";

/// A token of fewer characters can be found by trying.
const MIN_CHARACTERS: usize = 16;

/// A token and the name that logs, metrics and limits know its users by.
#[derive(Clone)]
pub struct NamedToken {
    client: Client,
    token: SecretString,
}

impl fmt::Debug for NamedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NamedToken")
            .field(&self.client.name())
            .finish()
    }
}

impl NamedToken {
    /// A token without a name of its own.
    pub fn unnamed(token: SecretString) -> Self {
        Self {
            client: Client::named(UNNAMED),
            token,
        }
    }

    /// Whether clients can send it at all.
    pub fn can_be_sent(&self) -> bool {
        is_well_formed(self.token.expose_secret())
    }

    /// What should be known of a token that is short enough to be found by trying.
    pub fn weakness(&self) -> Option<String> {
        let characters = self.token.expose_secret().chars().count();
        (characters < MIN_CHARACTERS).then(|| {
            format!(
                "the access token of {} has {characters} characters and can be found by trying; it should have at least \
                 {MIN_CHARACTERS}",
                self.client.name()
            )
        })
    }
}

/// Why a file holds no tokens. The texts repeat nothing of the file but names.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFileError {
    /// It can't be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// There is nothing in it.
    #[error("{path} holds no token")]
    Empty {
        /// The file.
        path: String,
    },
    /// A line has no token in it that a client could send.
    #[error(
        "{path}, line {line}: it must be `token` or `name: token`, and a token has letters, digits and -._~+/ with = at its end"
    )]
    Malformed {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
    },
    /// Nobody could tell whose it is.
    #[error(
        "{path}, line {line}: this is the token of `{first}` already; `{second}` needs one of its own"
    )]
    Shared {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// Who has it.
        first: String,
        /// Who has it too.
        second: String,
    },
}

/// Reads a file of tokens.
///
/// # Errors
/// It can't be read, is empty, or has a line without a usable token.
pub fn read_file(path: &Path) -> Result<Vec<NamedToken>, TokenFileError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| TokenFileError::Unreadable {
        path: name.clone(),
        reason: error.to_string(),
    })?;
    parse(&SecretString::from(text), name)
}

/// The first token of such a file, for a client that presents it.
///
/// # Errors
/// As [`read_file`].
pub fn read_first(path: &Path) -> Result<SecretString, TokenFileError> {
    let tokens = read_file(path)?.into_iter();
    tokens
        .map(|token| token.token)
        .next()
        .ok_or_else(|| TokenFileError::Empty {
            path: path.display().to_string(),
        })
}

fn parse(text: &SecretString, path: String) -> Result<Vec<NamedToken>, TokenFileError> {
    let lines = text.expose_secret().lines().map(str::trim).enumerate();
    let mut tokens: Vec<NamedToken> = Vec::new();
    for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let (name, token) = match line.rsplit_once(':') {
            Some((name, token)) => (name.trim(), token.trim()),
            None => (UNNAMED, line),
        };
        if name.is_empty() || !is_well_formed(token) {
            return Err(TokenFileError::Malformed {
                path,
                line: index + 1,
            });
        }
        let has_it = |other: &&NamedToken| {
            other.token.expose_secret() == token && other.client.name() != name
        };
        if let Some(first) = tokens.iter().find(has_it) {
            return Err(TokenFileError::Shared {
                path,
                line: index + 1,
                first: first.client.name().to_owned(),
                second: name.to_owned(),
            });
        }
        tokens.push(NamedToken {
            client: Client::named(name),
            token: token.into(),
        });
    }
    if tokens.is_empty() {
        return Err(TokenFileError::Empty { path });
    }
    Ok(tokens)
}

/// The tokens in force. Cloning is cheap; clones see the same tokens.
#[derive(Debug, Clone)]
pub struct StaticTokens(Arc<ArcSwap<Vec<NamedToken>>>);

impl StaticTokens {
    /// These tokens; nobody is let in if there are none.
    pub fn new(tokens: Vec<NamedToken>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(tokens)))
    }

    /// Takes the tokens of a file as it is now; those in force stay if it can't be used.
    ///
    /// # Errors
    /// As [`read_file`].
    pub fn reload(&self, file: &Path) -> Result<(), TokenFileError> {
        self.0.store(Arc::new(read_file(file)?));
        Ok(())
    }

    /// Compares with every token, without telling by its time how much of one is right or which one it is.
    ///
    /// # Errors
    /// It is none of them.
    pub fn check(&self, presented: &str) -> Result<Client, AuthError> {
        // Digests have one length, so that the comparison tells nothing about the length of a token either.
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        let presented = digest(presented);
        let tokens = self.0.load();
        let mut found = None;
        for NamedToken { client, token } in tokens.iter() {
            if bool::from(presented.ct_eq(&digest(token.expose_secret()))) {
                found = Some(client);
            }
        }
        found.cloned().ok_or(AuthError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<(String, String)>, TokenFileError> {
        let tokens = parse(&text.into(), "tokens".to_owned())?;
        let pair = |token: NamedToken| {
            (
                token.client.name().to_owned(),
                token.token.expose_secret().to_owned(),
            )
        };
        Ok(tokens.into_iter().map(pair).collect())
    }

    fn pair(name: &str, token: &str) -> (String, String) {
        (name.to_owned(), token.to_owned())
    }

    #[test]
    fn a_file_has_tokens_with_and_without_names() {
        assert_eq!(names("abc\n"), Ok(vec![pair(UNNAMED, "abc")]));
        assert_eq!(
            names(
                "# two of the lake, while it changes over\nlake: old==\r\nlake: new\n\n  bi tool :a/b+c\n"
            ),
            Ok(vec![
                pair("lake", "old=="),
                pair("lake", "new"),
                pair("bi tool", "a/b+c")
            ])
        );
    }

    #[test]
    fn what_is_no_token_is_named_by_its_line_and_not_repeated() {
        assert_eq!(
            names(" \n# nothing\n"),
            Err(TokenFileError::Empty {
                path: "tokens".to_owned()
            })
        );
        for (text, line) in [
            ("good\nb ad", 2),
            ("a: \n", 1),
            (": x", 1),
            ("\nhush!", 2),
            ("===", 1),
        ] {
            let error = names(text).unwrap_err();
            assert_eq!(
                error,
                TokenFileError::Malformed {
                    path: "tokens".to_owned(),
                    line
                },
                "{text}"
            );
            assert!(!error.to_string().contains("hush"));
        }
    }

    #[test]
    fn one_token_of_two_clients_is_refused_with_their_names() {
        for (text, line, first, second) in [
            ("a: hush\nb: hush", 2, "a", "b"),
            ("a: x\n\n b : y\nc:x", 4, "a", "c"),
            ("hush\na: hush", 2, UNNAMED, "a"),
        ] {
            let error = names(text).unwrap_err();
            assert!(!error.to_string().contains("hush"));
            let expected = TokenFileError::Shared {
                path: "tokens".to_owned(),
                line,
                first: first.to_owned(),
                second: second.to_owned(),
            };
            assert_eq!(error, expected, "{text}");
        }
        assert!(
            names("a: x\na: x").is_ok(),
            "one client's is only there twice"
        );
    }

    #[test]
    fn a_short_token_is_weak() {
        let weakness = |text: &str| parse(&text.into(), String::new()).unwrap()[0].weakness();
        assert!(
            weakness("lake: x")
                .unwrap()
                .contains("lake has 1 characters")
        );
        assert!(weakness("fifteen-letters").is_some());
        assert_eq!(weakness("lake: sixteen-letters."), None);
    }

    #[test]
    fn each_token_lets_in_under_its_name() {
        let tokens = StaticTokens::new(parse(&"a: one\nb: two".into(), String::new()).unwrap());
        assert_eq!(tokens.check("one").unwrap().name(), "a");
        assert_eq!(tokens.check("two").unwrap().name(), "b");
        assert_eq!(tokens.check("a: one"), Err(AuthError::Invalid));
        assert_eq!(tokens.check(""), Err(AuthError::Invalid));
        assert_eq!(
            StaticTokens::new(Vec::new()).check("one"),
            Err(AuthError::Invalid)
        );
        assert!(!format!("{tokens:?}").contains("one"));
    }
}
