//! Secrets: from a file, or from a variable, never from a flag.

use std::path::Path;

use cluster::credentials::read_secret;
use secrecy::SecretString;

use super::{ConfigError, Environment, wrong};

/// A secret from its file, our variable or Optimize's. An empty one is none, as in Optimize.
pub(super) fn secret(
    setting: &'static str,
    file: Option<&Path>,
    own_variable: &'static str,
    optimize_variable: Option<&str>,
    environment: &Environment,
) -> Result<Option<SecretString>, ConfigError> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let from_file = file
        .map(|path| read_secret(path).map_err(|problem| wrong(setting, problem)))
        .transpose()?;
    if from_file.is_some() {
        only_one_source(setting, own_variable, environment)?;
    }
    let from_environment = || {
        let value = variable(own_variable).or_else(|| optimize_variable.and_then(variable))?;
        Some(SecretString::from(value.as_str()))
    };
    Ok(from_file.or_else(from_environment))
}

/// A secret that is given by a file must not be given by our variable too.
pub(super) fn only_one_source(
    setting: &'static str,
    own_variable: &'static str,
    environment: &Environment,
) -> Result<(), ConfigError> {
    match environment
        .get(own_variable)
        .filter(|value| !value.is_empty())
    {
        Some(_) => Err(wrong(
            setting,
            format!("the environment variable {own_variable} is set too; use one of them"),
        )),
        None => Ok(()),
    }
}
