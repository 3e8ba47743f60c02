//! The file of settings.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, IgnoredAny, Visitor};

use super::nearest::nearest;
use super::variables::KEYS;
use super::{ConfigError, Settings};

/// The settings of a file. An empty one has none; a missing one, or a key that is there twice, must not look like that.
pub(super) fn read(path: &Path) -> Result<Settings, ConfigError> {
    let error = |problem: &dyn fmt::Display| {
        ConfigError::File(format!("--config {}: {problem}", path.display()))
    };
    if path.is_dir() {
        return Err(error(
            &"it is a folder, not a file; Docker makes one where a file to mount is missing",
        ));
    }
    let text = fs::read_to_string(path).map_err(|problem| error(&problem))?;
    // Its place is told, and nothing of the file: it may be another one than was meant.
    settings(&text).map_err(|problem| error(&problem.without_snippet()))
}

/// Each part reads the text for itself and leaves keys that are none of its own alone; so they are looked at before.
fn settings(text: &str) -> Result<Settings, serde_saphyr::Error> {
    fn part<T: DeserializeOwned + Default>(text: &str) -> Result<T, serde_saphyr::Error> {
        Ok(serde_saphyr::from_str::<Option<T>>(text)?.unwrap_or_default())
    }
    part::<BTreeMap<Key, IgnoredAny>>(text)?;
    Ok(Settings {
        service: part(text)?,
        elasticsearch: part(text)?,
        access: part(text)?,
        answers: part(text)?,
        limits: part(text)?,
        log: part(text)?,
    })
}

/// A key that is a setting's.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key;

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Known;
        impl Visitor<'_> for Known {
            type Value = Key;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a setting")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
                if KEYS.contains(&name) {
                    return Ok(Key);
                }
                Err(match nearest(name, KEYS.iter().copied()) {
                    Some(meant) => E::custom(format_args!(
                        "unknown field `{name}`, did you mean `{meant}`?"
                    )),
                    None => E::unknown_field(name, &KEYS),
                })
            }
        }
        deserializer.deserialize_identifier(Known)
    }
}
