//! The files for container engines, checked without one: what they ask for exists, and what they must not lack is there.

use clap::{CommandFactory, Parser};
use serde_json::Value;

use super::*;

const DOCKERFILE: &str = include_str!("../../../Dockerfile");
const COMPOSE_FILES: [&str; 3] = [
    include_str!("../../../docker-compose.yml"),
    include_str!("../../../compose.existing.yml"),
    SECURED,
];
const SECURED: &str = include_str!("../../../compose.secured.yml");
const ENV_FILE: &str = include_str!("../../../optimize.env.example");

#[derive(Parser)]
pub(super) struct Flags {
    #[command(flatten)]
    pub(super) settings: Settings,
}

fn services(compose_file: &str) -> Vec<(String, Value)> {
    let file: Value = serde_saphyr::from_str(compose_file).unwrap();
    let services = file["services"].as_object().unwrap();
    services
        .iter()
        .map(|(name, service)| (name.clone(), service.clone()))
        .collect()
}

fn all_services() -> impl Iterator<Item = (String, Value)> {
    COMPOSE_FILES.into_iter().flat_map(services)
}

/// The value that `${NAME:-value}` has when nobody sets the variable, or the text as it is.
fn interpolated(text: &str) -> &str {
    let default = text
        .strip_prefix("${")
        .and_then(|rest| rest.split_once(":-"));
    default.map_or(text, |(_, value)| value.trim_end_matches('}'))
}

fn environment_of(service: &Value) -> Environment {
    let variables = service["environment"].as_object().into_iter().flatten();
    variables
        .map(|(name, value)| {
            (
                name.clone(),
                interpolated(value.as_str().unwrap()).to_owned(),
            )
        })
        .collect()
}

/// What `serve` makes of an environment.
pub(super) fn loaded(environment: &Environment) -> Config {
    let command = Flags::command();
    let flags = command.get_arguments().filter_map(|flag| {
        let value = environment.get(flag.get_env()?.to_str()?)?;
        Some(format!("--{}={value}", flag.get_long()?))
    });
    let given = Flags::try_parse_from(std::iter::once("serve".to_owned()).chain(flags)).unwrap();
    Config::load(given.settings, None, environment).unwrap()
}

#[test]
fn the_compose_file_configures_the_service() {
    let services = services(COMPOSE_FILES[0]);
    let service = |wanted: &str| &services.iter().find(|(name, _)| name == wanted).unwrap().1;
    let config = loaded(&environment_of(service("optimize-export")));
    assert_eq!(
        config.elasticsearch.urls[0].as_str(),
        "http://elasticsearch:9200/"
    );
    assert!(super::lets_in(&config, "demo-token"));

    let loader = environment_of(service("sample-data"));
    assert_eq!(
        loader.into_iter().collect::<Vec<_>>(),
        [(
            testkit::elasticsearch::URL_VARIABLE.to_owned(),
            "http://elasticsearch:9200".to_owned()
        )]
    );
}

#[test]
fn the_secured_compose_file_configures_the_service_with_files_that_it_mounts() {
    let file: Value = serde_saphyr::from_str(SECURED).unwrap();
    let declared = file["secrets"].as_object().unwrap();
    for (_, service) in services(SECURED) {
        for secret in service["secrets"].as_array().into_iter().flatten() {
            let source = &declared[secret.as_str().unwrap()]["file"];
            assert_eq!(source, &format!("./secrets/{}", secret.as_str().unwrap()));
        }
    }

    let service = &file["services"]["optimize-export"];
    let environment = environment_of(service);
    check_variables(&environment).unwrap();
    let secrets: Vec<&str> = service["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let (volume, folder) = service["volumes"][0]
        .as_str()
        .unwrap()
        .split_once(':')
        .unwrap();
    let folder = folder.trim_end_matches(":ro");
    let certificates = include_str!("../../../deploy/compose/certificates.sh");
    let made = certificates
        .split_once(&format!("\nfolder=/{volume}\n"))
        .unwrap()
        .1;
    for path in environment
        .iter()
        .filter(|(name, _)| name.ends_with("_FILE"))
        .map(|(_, path)| path)
    {
        let is_there = match path.strip_prefix("/run/secrets/") {
            Some(secret) => secrets.contains(&secret),
            None => made.contains(&format!(" $folder{}\n", path.strip_prefix(folder).unwrap())),
        };
        assert!(is_there, "{path}");
    }
    assert!(environment["OPTIMIZE_EXPORT_ELASTICSEARCH_URL"].starts_with("https://"));
    let user = &environment["OPTIMIZE_EXPORT_ELASTICSEARCH_USERNAME"];
    assert!(include_str!("../../../deploy/compose/users.sh").contains(&format!("user/{user} ")));
    assert!(
        DOCKERFILE.contains("\nUSER 65532:65532\n")
            && certificates.contains("service_user=65532\n")
    );
}

#[test]
fn containers_have_no_capability_and_a_bound_of_memory() {
    for (name, service) in all_services() {
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(
            service["security_opt"],
            serde_json::json!(["no-new-privileges:true"]),
            "{name}"
        );
        assert!(service["mem_limit"].is_string(), "{name}");
    }
}

#[test]
fn the_env_file_configures_the_service() {
    let lines = ENV_FILE.lines().filter(|line| !line.starts_with("# "));
    let variables = lines.filter_map(|line| line.split_once('='));
    let (commented, given): (Vec<_>, Vec<_>) =
        variables.partition(|(name, _)| name.starts_with('#'));
    let environment = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    assert_eq!(
        loaded(&environment).elasticsearch.urls[0].as_str(),
        "http://elasticsearch:9200/"
    );

    let sources = [
        include_str!("../access.rs"),
        include_str!("../elasticsearch.rs"),
        include_str!("../optimize_names.rs"),
        include_str!("../service.rs"),
    ];
    assert!(!commented.is_empty());
    for (name, _) in commented {
        let name = name.trim_start_matches('#');
        let is_read = sources
            .iter()
            .any(|source| source.contains(&format!("\"{name}\"")));
        assert!(is_read, "the service doesn't read {name}");
    }
}

#[test]
fn images_are_pinned_and_built_from_stages_that_exist() {
    for (name, service) in all_services() {
        let (_, tag) = service["image"].as_str().unwrap().rsplit_once(':').unwrap();
        match service["build"]["target"].as_str() {
            Some(target) => {
                assert_eq!(tag, env!("CARGO_PKG_VERSION"), "{name}");
                assert!(DOCKERFILE.contains(&format!("\nFROM scratch AS {target}\n")));
            }
            None => assert!(tag.split('.').count() == 3, "{name}: {tag}"),
        }
    }
    let toolchain = include_str!("../../../rust-toolchain.toml");
    let (_, version) = toolchain.split_once("channel = \"").unwrap();
    let (version, _) = version.split_once('"').unwrap();
    let builder = format!("\nFROM rust:{version}-slim-bookworm AS manifests\n");
    assert!(DOCKERFILE.contains(&builder), "{version}");
}

#[test]
fn what_keeps_running_has_a_health_check_and_is_published_on_loopback_only() {
    let (_, service_stage) = DOCKERFILE.split_once(" AS service\n").unwrap();
    assert!(service_stage.contains("\nHEALTHCHECK "));
    let defaults = loaded(&Environment::new());
    let ports = [defaults.listen, defaults.management_listen].map(|address| address.port());
    assert!(service_stage.contains(&format!("\nEXPOSE {} {}\n", ports[0], ports[1])));
    for (name, service) in all_services() {
        match name.as_str() {
            "optimize-export" => {
                let published: Vec<_> = service["ports"].as_array().unwrap().clone();
                assert_eq!(
                    published,
                    ports.map(|port| format!("127.0.0.1:{port}:{port}"))
                );
            }
            // They do their work and end.
            "certificates" | "sample-data" | "users" => {}
            _ => assert!(service["healthcheck"]["test"].is_array(), "{name}"),
        }
    }
}

/// The layer of the dependencies is built from manifests and empty programs, and cargo stops where a target that a manifest names has no file.
#[test]
fn targets_that_the_manifests_name_are_in_the_layer_of_the_dependencies() {
    let manifests = [
        ("", include_str!("../../../Cargo.toml")),
        (
            "crates/cluster/",
            include_str!("../../../crates/cluster/Cargo.toml"),
        ),
        (
            "crates/launch/",
            include_str!("../../../crates/launch/Cargo.toml"),
        ),
        (
            "crates/optimize/",
            include_str!("../../../crates/optimize/Cargo.toml"),
        ),
        (
            "crates/testkit/",
            include_str!("../../../crates/testkit/Cargo.toml"),
        ),
        (
            "crates/utf16/",
            include_str!("../../../crates/utf16/Cargo.toml"),
        ),
        ("xtask/", include_str!("../../../xtask/Cargo.toml")),
    ];
    for (folder, manifest) in manifests {
        assert!(
            DOCKERFILE.contains(&format!("COPY {folder}Cargo.toml")),
            "{folder}"
        );
        assert!(
            DOCKERFILE.contains(&format!("{folder}src/lib.rs")),
            "{folder}"
        );
        for target in manifest.split("\n[[").skip(1) {
            let name = target.split('"').nth(1).unwrap();
            let places = ["benches", "examples", "tests"];
            let mut files = places
                .map(|place| format!("{folder}{place}/{name}.rs"))
                .into_iter();
            let is_made = files.any(|file| DOCKERFILE.contains(&file));
            assert!(
                is_made,
                "the Dockerfile has to make an empty file for `{name}`"
            );
        }
    }
}
