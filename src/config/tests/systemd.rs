//! The units for a plain host name settings that there are.

use super::super::check_variables;
use super::*;

const UNIT: &str = include_str!("../../../deploy/systemd/optimize-export.service");
const SYNC: &str = include_str!("../../../deploy/systemd/optimize-export-sync.service");
const TIMER: &str = include_str!("../../../deploy/systemd/optimize-export-sync.timer");

fn values<'u>(unit: &'u str, directive: &str) -> impl Iterator<Item = &'u str> {
    unit.lines()
        .filter_map(move |line| line.strip_prefix(directive)?.strip_prefix('='))
}

#[track_caller]
fn assert_fits_together(unit: &str, command: &str) {
    let environment: Environment = values(unit, "Environment")
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    check_variables(&environment).unwrap();
    let loaded: Vec<&str> = values(unit, "LoadCredential")
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
    let started = values(unit, "ExecStart").next().unwrap();
    let expected = format!("/usr/local/bin/optimize-export {command}");
    assert!(started.starts_with(&expected), "{started}");
}

#[test]
fn the_units_set_known_variables_and_read_the_secrets_that_they_load() {
    assert_fits_together(UNIT, "serve");
    assert_fits_together(SYNC, "sync /var/lib/optimize-export-lake ");
}

#[test]
fn a_run_may_do_no_more_than_the_service_but_write_its_folder() {
    let allowed = |unit: &str| -> Vec<String> {
        let lines = unit
            .lines()
            .skip_while(|line| !line.starts_with("DynamicUser"));
        let lines = lines.take_while(|line| !line.starts_with("MemoryMax"));
        lines
            .filter(|line| *line != "StateDirectory=optimize-export-lake")
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(allowed(SYNC), allowed(UNIT));
    assert!(allowed(SYNC).len() > 10);
    assert_eq!(values(SYNC, "Type").next(), Some("oneshot"));
    assert_eq!(values(TIMER, "Persistent").next(), Some("true"));
}
