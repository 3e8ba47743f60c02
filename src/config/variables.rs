//! The names of settings: flags, and environment variables that are ours.

use std::sync::LazyLock;

use clap::{Arg, Command, CommandFactory, Parser};

use super::nearest::nearest;
use super::{ConfigError, Environment, Settings};

/// Only here to ask clap for names.
#[derive(Parser)]
struct AllSettings {
    #[command(flatten)]
    _settings: Settings,
}

static ALL: LazyLock<Command> = LazyLock::new(AllSettings::command);

/// Flags without their dashes, which are the keys of the file, too.
pub(super) static KEYS: LazyLock<Vec<&str>> =
    LazyLock::new(|| ALL.get_arguments().filter_map(Arg::get_long).collect());

/// Begins the names of our environment variables.
const OWN_PREFIX: &str = "OPTIMIZE_EXPORT_";
/// Our variables that are no flags: secrets, which have no business on a command line, and the path of the file.
const SECRET_VARIABLES: [&str; 5] = [
    "ACCESS_TOKEN",
    "CLIENT_SECRET",
    "SCROLL_KEY",
    "ELASTICSEARCH_PASSWORD",
    "ELASTICSEARCH_API_KEY",
];
/// Variables of the commands that talk to a running service; one environment may be shared by all commands.
pub const CLIENT_VARIABLES: [&str; 10] = [
    "OPTIMIZE_EXPORT_URL",
    "OPTIMIZE_EXPORT_CA_FILE",
    "OPTIMIZE_EXPORT_PAGE_SIZE",
    "OPTIMIZE_EXPORT_PAGINATION_TIMEOUT",
    "OPTIMIZE_EXPORT_RETRIES",
    "OPTIMIZE_EXPORT_OAUTH_URL",
    "OPTIMIZE_EXPORT_CLIENT_ID",
    "OPTIMIZE_EXPORT_CLIENT_SECRET_FILE",
    "OPTIMIZE_EXPORT_OAUTH_AUDIENCE",
    "OPTIMIZE_EXPORT_OAUTH_SCOPE",
];
/// The variable of `cargo xtask` for its folder of servers. A developer's environment has it for every program.
const XTASK_VARIABLE: &str = "CACHE";
/// Begins the names of variables that say how tests run.
const TEST_PREFIX: &str = "TEST_";
/// Kubernetes puts these into every container of a namespace with a service called `optimize-export`.
const KUBERNETES_VARIABLES: [&str; 2] = ["SERVICE_", "PORT"];

/// A misspelt variable would silently leave a default in force.
///
/// # Errors
/// Names the variable.
pub fn check_variables(environment: &Environment) -> Result<(), ConfigError> {
    let known: Vec<&str> = ALL
        .get_arguments()
        .filter_map(|arg| arg.get_env()?.to_str())
        .collect();
    let is_known = |name: &String, rest: &str| {
        known.contains(&name.as_str())
            || CLIENT_VARIABLES.contains(&name.as_str())
            || rest == "CONFIG"
            || SECRET_VARIABLES.contains(&rest)
            || rest == XTASK_VARIABLE
            || rest.starts_with(TEST_PREFIX)
            || KUBERNETES_VARIABLES
                .iter()
                .any(|prefix| rest.starts_with(prefix))
    };
    let mut own = environment
        .keys()
        .filter_map(|name| Some((name, name.strip_prefix(OWN_PREFIX)?)));
    match own.find(|(name, rest)| !is_known(name, rest)) {
        Some((name, rest)) => Err(ConfigError::UnknownVariable {
            name: name.clone(),
            meant: nearest(
                rest,
                (known.iter().chain(&CLIENT_VARIABLES))
                    .filter_map(|name| name.strip_prefix(OWN_PREFIX))
                    .chain(SECRET_VARIABLES),
            )
            .map(|meant| format!("{OWN_PREFIX}{meant}")),
        }),
        None => Ok(()),
    }
}
