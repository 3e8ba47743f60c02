use std::io::Write;

use super::*;

mod containers;
mod kubernetes;

fn load(given: Settings, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = environment
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Config::load(given, None, &environment)
}

fn problem(given: Settings, environment: &[(&str, &str)]) -> String {
    load(given, environment).unwrap_err().to_string()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn nothing_given_gives_the_documented_defaults() {
    let config = load(Settings::default(), &[]).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:8095");
    assert_eq!(config.management_listen.to_string(), "0.0.0.0:8096");
    assert_eq!(
        config.elasticsearch.urls[0].as_str(),
        "http://localhost:9200/"
    );
    assert_eq!(config.export.index_prefix, "optimize");
    assert_eq!(config.export.cache_time_to_live, Duration::from_secs(5));
    assert_eq!(
        config.parameters,
        ParameterRules {
            max_limit: 10_000,
            max_pagination_timeout: 86_400,
            lenient: false
        }
    );
    assert_eq!(config.export.aggregation_bucket_limit, 1_000);
    assert!(
        config.access_token.is_none()
            && config.scroll_key.is_none()
            && config.export.assignee_analytics
    );
}

#[test]
fn given_beats_optimize_beats_file() {
    let file = file("index-prefix: from-file\ncache-ttl: 1\ncontext-path: /from-file\n");
    let given = Settings {
        index_prefix: Some("given".into()),
        ..Settings::default()
    };
    let environment: Environment = [
        (
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SETTINGS_INDEX_PREFIX",
            "optimizes",
        ),
        ("CAMUNDA_OPTIMIZE_CONTEXT_PATH", "/optimizes/"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    let config = Config::load(given, Some(file.path()), &environment).unwrap();
    assert_eq!(config.export.index_prefix, "given");
    assert_eq!(config.context_path, ["optimizes"]);
    assert_eq!(config.export.cache_time_to_live, Duration::from_secs(1));
}

#[test]
fn optimize_names_reach_elasticsearch() {
    let config = load(
        Settings::default(),
        &[
            ("OPTIMIZE_ELASTICSEARCH_HOST", "es.example"),
            ("OPTIMIZE_ELASTICSEARCH_HTTP_PORT", "9243"),
            ("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SSL_ENABLED", "TRUE"),
            (
                "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_USERNAME",
                "optimize",
            ),
            ("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_PASSWORD", "hush"),
            ("OPTIMIZE_API_ACCESS_TOKEN", "token"),
            (
                "CAMUNDA_OPTIMIZE_UI_USER_TASK_ASSIGNEE_ANALYTICS_ENABLED",
                "false",
            ),
        ],
    )
    .unwrap();
    assert_eq!(
        config.elasticsearch.urls[0].as_str(),
        "https://es.example:9243/"
    );
    assert!(
        matches!(&config.elasticsearch.credentials, Credentials::Basic(user, _) if user == "optimize")
    );
    assert_eq!(config.access_token.unwrap().expose_secret(), "token");
    assert!(!config.export.assignee_analytics);
}

#[test]
fn what_is_unknown_is_named() {
    let message = problem(Settings::default(), &[("OPTIMIZE_EXPORT_LISTENN", "x")]);
    assert!(message.contains("OPTIMIZE_EXPORT_LISTENN"), "{message}");
    let file = file("index-prefixx: a\n");
    let message = Config::load(Settings::default(), Some(file.path()), &Environment::new())
        .unwrap_err()
        .to_string();
    assert!(message.contains("index-prefixx"), "{message}");
    let missing = Config::load(
        Settings::default(),
        Some(Path::new("/nowhere/at/all.yml")),
        &Environment::new(),
    );
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("/nowhere/at/all.yml")
    );
}

#[test]
fn variables_of_kubernetes_are_left_alone() {
    let environment = [
        ("OPTIMIZE_EXPORT_SERVICE_HOST", "10.0.0.1"),
        ("OPTIMIZE_EXPORT_PORT", "tcp://10.0.0.1:8095"),
    ];
    assert!(load(Settings::default(), &environment).is_ok());
}

#[test]
fn what_is_impossible_or_contradictory_is_named() {
    let url = |text: &str| Settings {
        elasticsearch_url: Some(vec![text.parse().unwrap()]),
        ..Settings::default()
    };
    let listen: SocketAddr = "127.0.0.1:9000".parse().unwrap();
    for (given, environment, expected) in [
        (
            Settings {
                max_limit: Some(10_001),
                ..Settings::default()
            },
            vec![],
            "--max-limit: 10001 is not within 1..=10000",
        ),
        (
            Settings {
                max_pagination_timeout: Some(0),
                ..Settings::default()
            },
            vec![],
            "--max-pagination-timeout: 0",
        ),
        (
            Settings {
                max_concurrent_exports: Some(0),
                ..Settings::default()
            },
            vec![],
            "--max-concurrent-exports: 0",
        ),
        (
            Settings {
                time_zone: Some("Mars/Olympus".into()),
                ..Settings::default()
            },
            vec![],
            "--time-zone",
        ),
        (
            Settings {
                index_prefix: Some("a,b".into()),
                ..Settings::default()
            },
            vec![],
            "--index-prefix: `a,b`",
        ),
        (
            Settings {
                context_path: Some("/a b".into()),
                ..Settings::default()
            },
            vec![],
            "--context-path: `a b`",
        ),
        (
            Settings {
                listen: Some(listen),
                management_listen: Some(listen),
                ..Settings::default()
            },
            vec![],
            "--management-listen",
        ),
        (url("ftp://es"), vec![], "--elasticsearch-url"),
        (
            url("http://me:hush@es:9200"),
            vec![],
            "--elasticsearch-url: credentials",
        ),
        (
            Settings {
                elasticsearch_username: Some("me".into()),
                ..Settings::default()
            },
            vec![],
            "--elasticsearch-username",
        ),
        (
            Settings::default(),
            vec![("OPTIMIZE_EXPORT_ELASTICSEARCH_PASSWORD", "hush")],
            "--elasticsearch-password-file",
        ),
        (
            Settings::default(),
            vec![("OPTIMIZE_EXPORT_SCROLL_KEY", "short")],
            "--scroll-key-file",
        ),
        (
            Settings::default(),
            vec![("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SSL_ENABLED", "perhaps")],
            "neither true nor false",
        ),
    ] {
        let message = problem(given, &environment);
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("hush"), "{message}");
    }
}

#[test]
fn secrets_come_from_files_without_their_line_break() {
    let token = file("s3cret\r\n");
    let given = Settings {
        access_token_file: Some(token.path().into()),
        ..Settings::default()
    };
    let config = load(given.clone(), &[]).unwrap();
    assert_eq!(
        config.access_token.as_ref().unwrap().expose_secret(),
        "s3cret"
    );
    assert!(!format!("{config:?}").contains("s3cret"));
    assert!(
        problem(given, &[("OPTIMIZE_EXPORT_ACCESS_TOKEN", "other")])
            .contains("OPTIMIZE_EXPORT_ACCESS_TOKEN")
    );
}
