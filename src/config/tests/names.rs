//! A setting has one name, and its default one place.

use std::fs;

use clap::{CommandFactory, Parser};
use serde_json::Value;

use super::super::variables::KEYS;
use super::containers::Flags;
use super::*;

/// Whether a text has this flag, and not one that begins like it.
fn names(text: &str, flag: &str) -> bool {
    text.match_indices(flag).any(|(at, _)| {
        let next = text[at + flag.len()..].chars().next();
        !next.is_some_and(|c| c == '-' || c.is_ascii_alphanumeric())
    })
}

/// The sources below a folder, by their path in the repository, without their tests and whole lines of comments.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(sources(&path));
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
            found.push((path, lines.collect::<Vec<_>>().join("\n")));
        }
    }
    found
}

#[test]
fn a_setting_has_the_same_name_as_a_flag_a_variable_and_a_key() {
    let candidates = ["1", "true", "127.0.0.1:1", "http://h/", "values", "text"];
    for key in KEYS.iter() {
        let given = candidates
            .iter()
            .find_map(|value| Flags::try_parse_from(["serve", &format!("--{key}={value}")]).ok());
        let given = given
            .unwrap_or_else(|| panic!("no value for {key}"))
            .settings;
        let Value::Object(layer) = serde_json::to_value(given).unwrap() else {
            panic!("{key} is no key of an object");
        };
        assert_eq!(layer.keys().collect::<Vec<_>>(), [key]);
        let variable = key.to_uppercase().replace('-', "_");
        let environment = [(format!("OPTIMIZE_EXPORT_{variable}"), "1".to_owned())];
        check_variables(&environment.into()).unwrap();
    }
}

#[test]
fn messages_name_flags_that_there_are() {
    let constants = [
        include_str!("../../flags.rs"),
        include_str!("../../../crates/cluster/src/flags.rs"),
    ];
    for flag in constants
        .iter()
        .flat_map(|text| text.split('"'))
        .filter_map(|text| text.strip_prefix("--"))
    {
        assert!(KEYS.contains(&flag), "--{flag} is no setting");
    }
}

#[test]
fn no_other_room_spells_a_flag_of_a_setting() {
    // The commands that talk to a running service have flags of their own, one of which is called as one of ours.
    let of_clients = ["src/client/service.rs", "src/commands/connection.rs"];
    let rooms = ["src", "crates/cluster/src", "crates/optimize/src"];
    for (path, code) in rooms.iter().flat_map(|folder| sources(folder)) {
        let is_home = path.starts_with("src/config") || path.ends_with("/flags.rs");
        for key in KEYS.iter().filter(|_| !is_home) {
            let is_of_clients = *key == "access-token-file" && of_clients.contains(&path.as_str());
            assert!(
                is_of_clients || !names(&code, &format!("--{key}")),
                "{path} spells --{key}; `flags` has it"
            );
        }
    }
}

#[test]
fn help_tells_the_defaults_that_are_in_force() {
    let help = Flags::command().render_help().to_string();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let config = load(Settings::default(), &[]).unwrap();
    for (text, value) in [
        ("Address of the export", config.listen.to_string()),
        (
            "Buckets per terms aggregation",
            config.export.aggregation_bucket_limit.to_string(),
        ),
        (
            "Upper bound of the parameter limit",
            config.parameters.max_limit.to_string(),
        ),
        (
            "What is logged, such as info or optimize_export=debug",
            config.log,
        ),
    ] {
        assert!(
            help.contains(&format!("{text} [default: {value}]")),
            "{text}: {help}"
        );
    }
    // A number or a switch that is written into a doc comment would be a second place.
    for (path, _) in sources("src/config") {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
        for default in text.split("[default: ").skip(1) {
            let is_constant = default.starts_with(|c: char| c.is_ascii_digit())
                || ["true]", "false]"]
                    .iter()
                    .any(|switch| default.starts_with(switch));
            assert!(!is_constant, "{path}: {}", default.lines().next().unwrap());
        }
    }
}
