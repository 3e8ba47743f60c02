//! The unit for a plain host names settings that there are.

use super::super::check_variables;
use super::*;

const UNIT: &str = include_str!("../../../deploy/systemd/optimize-export.service");

fn values(directive: &str) -> impl Iterator<Item = &str> {
    UNIT.lines()
        .filter_map(move |line| line.strip_prefix(directive)?.strip_prefix('='))
}

#[test]
fn the_unit_sets_known_variables_and_reads_the_secrets_that_it_loads() {
    let environment: Environment = values("Environment")
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    check_variables(&environment).unwrap();
    let loaded: Vec<&str> = values("LoadCredential")
        .map(|credential| credential.split_once(':').unwrap().0)
        .collect();
    let mut read: Vec<&str> = environment
        .values()
        .filter_map(|path| path.strip_prefix("%d/"))
        .collect();
    read.sort_unstable();
    let mut expected = loaded.clone();
    expected.sort_unstable();
    assert_eq!(read, expected);
    assert_eq!(
        values("ExecStart").next().unwrap(),
        "/usr/local/bin/optimize-export serve"
    );
}
