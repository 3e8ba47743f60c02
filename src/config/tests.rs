use std::io::Write;
use std::path::PathBuf;

use cluster::tls::Verification;
use cluster::{Credentials, SigningSettings};
use secrecy::ExposeSecret;

use super::*;
use crate::auth::{KeySource, StaticTokens};
use clap::CommandFactory;
use containers::Flags;

mod containers;
mod helm;
mod kubernetes;
mod names;
mod systemd;

fn load(given: Settings, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = environment
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Config::load(given, None, &environment)
}

/// Flags of which one or two are set.
fn with(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut given = Settings::default();
    change(&mut given);
    given
}

fn problem(given: Settings, environment: &[(&str, &str)]) -> String {
    load(given, environment).unwrap_err().to_string()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn lets_in(config: &Config, token: &str) -> bool {
    StaticTokens::new(config.access_tokens.clone())
        .check(token)
        .is_ok()
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
        config.access_tokens.is_empty()
            && config.scroll_key.is_none()
            && config.export.assignee_analytics
    );
}

#[test]
fn given_beats_optimize_beats_file() {
    let file = file("index-prefix: from-file\ncache-ttl: 1\ncontext-path: /from-file\n");
    let given = with(|given| given.elasticsearch.index_prefix = Some("given".into()));
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
    assert!(lets_in(&config, "token"));
    assert!(!config.export.assignee_analytics);
}

#[test]
fn names_of_opensearch_count_when_it_is_the_database() {
    let variables = [
        ("OPTIMIZE_ELASTICSEARCH_HOST", "es.example"),
        ("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_USERNAME", "es"),
        ("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_PASSWORD", "hush"),
        (
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SETTINGS_INDEX_PREFIX",
            "es-prefix",
        ),
        ("CAMUNDA_OPTIMIZE_OPENSEARCH_HOST", "os.example"),
        ("CAMUNDA_OPTIMIZE_OPENSEARCH_HTTP_PORT", "9443"),
        ("CAMUNDA_OPTIMIZE_OPENSEARCH_SSL_ENABLED", "true"),
        ("CAMUNDA_OPTIMIZE_OPENSEARCH_SECURITY_USERNAME", "os"),
        ("CAMUNDA_OPTIMIZE_OPENSEARCH_SECURITY_PASSWORD", "s3cret"),
        (
            "CAMUNDA_OPTIMIZE_OPENSEARCH_CONNECTION_SKIP_HOSTNAME_VERIFICATION",
            "true",
        ),
        (
            "CAMUNDA_OPTIMIZE_OPENSEARCH_SETTINGS_INDEX_PREFIX",
            "os-prefix",
        ),
    ];
    let config_of = |more: &[(&str, &str)]| {
        let variables = [&variables[..], more].concat();
        load(Settings::default(), &variables).unwrap()
    };
    for database in [None, Some("elasticsearch"), Some("")] {
        let more = database.map(|name| ("CAMUNDA_OPTIMIZE_DATABASE", name));
        let config = config_of(more.as_slice());
        let url = config.elasticsearch.urls[0].as_str();
        assert_eq!(url, "http://es.example:9200/");
        assert_eq!(config.export.index_prefix, "es-prefix");
        assert_eq!(config.elasticsearch.tls.verification, Verification::Full);
    }
    let opensearch = ("CAMUNDA_OPTIMIZE_DATABASE", "OpenSearch");
    let config = config_of(&[opensearch]);
    let url = config.elasticsearch.urls[0].as_str();
    assert_eq!(url, "https://os.example:9443/");
    assert_eq!(config.export.index_prefix, "os-prefix");
    assert!(
        matches!(&config.elasticsearch.credentials, Credentials::Basic(user, password)
            if user == "os" && password.expose_secret() == "s3cret")
    );
    assert_eq!(
        config.elasticsearch.tls.verification,
        Verification::WithoutHostName
    );
    assert!(config.elasticsearch.signing.is_none());

    if cfg!(feature = "aws") {
        let aws = ("CAMUNDA_OPTIMIZE_OPENSEARCH_AWS_ENABLED", "true");
        let config = config_of(&[opensearch, aws]);
        let url = config.elasticsearch.urls[0].as_str();
        assert_eq!(url, "https://os.example/");
        assert!(matches!(
            config.elasticsearch.credentials,
            Credentials::None
        ));
        assert_eq!(
            config.elasticsearch.signing,
            Some(SigningSettings { region: None })
        );
        assert!(config_of(&[aws]).elasticsearch.signing.is_none());
    }
    let message = problem(
        Settings::default(),
        &[("CAMUNDA_OPTIMIZE_DATABASE", "oracle")],
    );
    assert!(message.contains("neither elasticsearch nor"), "{message}");
    let region = with(|given| {
        given.elasticsearch.elasticsearch_aws_region = Some("eu-central-1".to_owned())
    });
    let message = problem(region, &[]);
    assert!(
        message.contains("--elasticsearch-aws-region: it needs"),
        "{message}"
    );
}

#[test]
fn a_file_that_is_none_or_says_a_thing_twice_is_refused() {
    let load = |path: &Path| Config::load(Settings::default(), Some(path), &Environment::new());
    let folder = tempfile::tempdir().unwrap();
    let message = load(folder.path()).unwrap_err().to_string();
    assert!(
        message.contains("--config") && message.contains("it is a folder"),
        "{message}"
    );
    for (text, key) in [
        ("cache-ttl: 1\nindex-prefix: a\ncache-ttl: 2\n", "cache-ttl"),
        ("cache-ttl: 1\n\"cache-ttl\": 1\n", "cache-ttl"),
        ("{listen: '127.0.0.1:1', listen: '127.0.0.1:1'}", "listen"),
        ("max-limit: 5\n# more\n---\nmax-limit: 6\n", ""),
        ("- max-limit\n", ""),
        ("max-limit: [5\n", ""),
    ] {
        let message = load(file(text).path()).unwrap_err().to_string();
        assert!(
            message.contains("--config") && message.contains(key),
            "{text}: {message}"
        );
    }
    for empty in ["", "# nothing\n", "---\n", "{}"] {
        assert!(load(file(empty).path()).is_ok(), "{empty:?}");
    }
}

#[test]
fn what_is_unknown_is_named() {
    let message = problem(Settings::default(), &[("OPTIMIZE_EXPORT_LISTENN", "x")]);
    assert!(message.contains("OPTIMIZE_EXPORT_LISTENN"), "{message}");
    assert!(
        message.ends_with("; did you mean OPTIMIZE_EXPORT_LISTEN?"),
        "{message}"
    );
    let message = problem(Settings::default(), &[("OPTIMIZE_EXPORT_SCROL_KEY", "x")]);
    assert!(message.contains("OPTIMIZE_EXPORT_SCROLL_KEY?"), "{message}");
    let message = problem(Settings::default(), &[("OPTIMIZE_EXPORT_XYZ", "x")]);
    assert!(message.contains("see --help"), "{message}");

    let message_of = |text: &str| {
        Config::load(
            Settings::default(),
            Some(file(text).path()),
            &Environment::new(),
        )
        .unwrap_err()
        .to_string()
    };
    // The place is told, and what there is: the one that was meant, or those of all parts.
    for (key, meant) in [
        ("index-prefixx", "index-prefix"),
        ("elasticsearch_url", "elasticsearch-url"),
        ("accesstoken-file", "access-token-file"),
    ] {
        let message = message_of(&format!("{key}: a\n"));
        let expected = format!("unknown field `{key}`, did you mean `{meant}`? at line 1");
        assert!(message.contains(&expected), "{message}");
    }
    let message = message_of("xyz: a\n");
    assert!(
        message.contains("unknown field `xyz`")
            && message.contains("one of listen, ")
            && message.contains(", log at line 1"),
        "{message}"
    );
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
fn a_setting_with_several_values_may_have_one_in_the_file() {
    let lists: Vec<_> = (Flags::command().get_arguments())
        .filter(|flag| flag.get_value_delimiter().is_some())
        .filter_map(|flag| flag.get_long().map(ToOwned::to_owned))
        .collect();
    assert!(lists.len() > 3, "{lists:?}");
    let settings = |text: &str| {
        let settings = file::read(file(text).path());
        serde_json::to_value(settings.unwrap_or_else(|error| panic!("{text}: {error}"))).unwrap()
    };
    for key in lists {
        let expected = serde_json::json!({&key: ["http://a/", "http://b/"]});
        for several in [
            "http://a/,http://b/",
            "http://a/, http://b/",
            "[http://a/, http://b/]",
            "\n  - http://a/\n  - http://b/",
        ] {
            assert_eq!(settings(&format!("{key}: {several}\n")), expected);
        }
        let expected = serde_json::json!({&key: ["http://a/"]});
        assert_eq!(settings(&format!("{key}: http://a/\n")), expected);
        assert_eq!(settings(&format!("{key}: [http://a/]\n")), expected);
        assert_eq!(settings(&format!("{key}:\n")), serde_json::json!({}));
    }
    let wrong = file::read(file("elasticsearch-url: localhost\n").path()).unwrap_err();
    assert!(wrong.to_string().contains("line 1"), "{wrong}");
}

#[test]
fn the_example_of_a_file_has_all_settings_and_none_else() {
    const EXAMPLE: &str = include_str!("../../optimize-export.example.yaml");
    // As it is, it says nothing but where the cluster is.
    let config = Config::load(
        Settings::default(),
        Some(file(EXAMPLE).path()),
        &Environment::new(),
    )
    .unwrap();
    assert_eq!(
        config.elasticsearch.urls[0].as_str(),
        "http://elasticsearch:9200/"
    );
    // With all that is commented out, it is a file too.
    let whole: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let settings = file::read(file(&whole).path()).unwrap();
    let Value::Object(settings) = serde_json::to_value(settings).unwrap() else {
        panic!("settings are an object");
    };
    for key in variables::KEYS.iter() {
        assert!(settings.contains_key(*key), "the example lacks {key}");
    }
    // Each default that it shows is the one in force.
    let defaults = Flags::command();
    for (key, value) in &settings {
        let flag = (defaults.get_arguments()).find(|flag| flag.get_long() == Some(key));
        let help = flag.unwrap().get_help().unwrap().to_string();
        let Some((_, default)) = help.rsplit_once("[default: ") else {
            continue;
        };
        let default = default.trim_end_matches(']');
        let shown = match value {
            Value::Array(values) => values[0].as_str().unwrap().trim_end_matches('/').to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        // Where nothing is in force, a value shows what one looks like.
        let has_no_default = default.contains(' ') || ["none", "any"].contains(&default);
        assert!(
            has_no_default || key == "elasticsearch-url" || shown == default,
            "{key}: {shown}, and not {default}"
        );
    }
}

#[test]
fn keys_of_a_file_are_read_as_what_their_settings_are() {
    let file = file("index-prefix: 2024\ncontext-path: 0x10\ncache-ttl: 7\n");
    let load = |path| Config::load(Settings::default(), Some(path), &Environment::new());
    let config = load(file.path()).unwrap();
    assert_eq!(config.export.index_prefix, "2024");
    assert_eq!(config.context_path, ["0x10"]);
    assert_eq!(config.export.cache_time_to_live, Duration::from_secs(7));
}

#[test]
fn variables_of_kubernetes_and_of_the_tools_are_left_alone() {
    let environment = [
        ("OPTIMIZE_EXPORT_CACHE", "/var/cache/servers"),
        ("OPTIMIZE_EXPORT_TEST_HEAP", "2g"),
        ("OPTIMIZE_EXPORT_SERVICE_HOST", "10.0.0.1"),
        ("OPTIMIZE_EXPORT_PORT", "tcp://10.0.0.1:8095"),
    ];
    assert!(load(Settings::default(), &environment).is_ok());
}

#[test]
fn what_is_impossible_or_contradictory_is_named() {
    let url = |text: &str| {
        with(|given| given.elasticsearch.elasticsearch_url = Some(vec![text.parse().unwrap()]))
    };
    let listen: SocketAddr = "127.0.0.1:9000".parse().unwrap();
    for (given, environment, expected) in [
        (
            with(|given| given.limits.max_limit = Some(10_001)),
            vec![],
            "--max-limit: 10001 is not within 1..=10000",
        ),
        (
            with(|given| given.limits.max_pagination_timeout = Some(0)),
            vec![],
            "--max-pagination-timeout: 0",
        ),
        (
            with(|given| given.limits.max_concurrent_exports = Some(0)),
            vec![],
            "--max-concurrent-exports: 0",
        ),
        (
            with(|given| given.answers.time_zone = Some("Mars/Olympus".into())),
            vec![],
            "--time-zone",
        ),
        (
            with(|given| given.elasticsearch.index_prefix = Some("a,b".into())),
            vec![],
            "--index-prefix: `a,b`",
        ),
        (
            with(|given| given.service.context_path = Some("/a b".into())),
            vec![],
            "--context-path: `a b`",
        ),
        (
            with(|given| {
                given.service.listen = Some(listen);
                given.service.management_listen = Some(listen);
            }),
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
            with(|given| given.elasticsearch.elasticsearch_username = Some("me".into())),
            vec![],
            "--elasticsearch-username",
        ),
        (
            Settings::default(),
            vec![("OPTIMIZE_EXPORT_ELASTICSEARCH_PASSWORD", "hush")],
            "--elasticsearch-password-file",
        ),
        (
            with(|given| {
                given.elasticsearch.elasticsearch_client_key_file = Some("/key.pem".into())
            }),
            vec![],
            "--elasticsearch-client-key-file: it needs --elasticsearch-client-certificate-file",
        ),
        (
            with(|given| {
                given.elasticsearch.elasticsearch_ca_file = Some(vec!["/no/such/ca.pem".into()])
            }),
            vec![],
            "--elasticsearch-ca-file: /no/such/ca.pem",
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
fn several_tokens_come_from_one_file() {
    let tokens = file("lake: one\nbi: two\n");
    let given = with(|given| given.access.access_token_file = Some(tokens.path().into()));
    let config = load(given, &[]).unwrap();
    assert!(lets_in(&config, "one") && lets_in(&config, "two") && !lets_in(&config, "lake"));
    assert_eq!(config.access_token_file.as_deref(), Some(tokens.path()));
}

#[test]
fn limits_have_defaults_and_bounds() {
    let config = load(Settings::default(), &[]).unwrap();
    assert_eq!(config.export.scrolls.max_open, 400);
    assert_eq!(config.elasticsearch.memory, 80 * 1024 * 1024);
    assert_eq!(config.export.scrolls.max_prefetched, 4);
    let nothing_ahead = with(|given| given.limits.max_pages_ahead = Some(0));
    let config = load(nothing_ahead, &[]).unwrap();
    assert_eq!(config.export.scrolls.max_prefetched, 0);
    assert_eq!(
        config.export.max_concurrent_exports_per_client,
        config.export.max_concurrent_exports
    );
    for (given, setting) in [
        (
            with(|given| given.limits.max_open_scrolls = Some(0)),
            "--max-open-scrolls",
        ),
        (
            with(|given| given.limits.max_concurrent_exports_per_client = Some(0)),
            "--max-concurrent-exports-per-client",
        ),
        (
            with(|given| given.service.tls_key_file = Some("key".into())),
            "--tls-key-file",
        ),
        (
            with(|given| given.access.required_scope = Some("export".to_owned())),
            "--required-scope: it needs --jwk-set-uri or --issuer",
        ),
    ] {
        assert!(problem(given, &[]).contains(setting), "{setting}");
    }
}

#[test]
fn secrets_come_from_files_without_their_line_break() {
    let token = file("s3cret\r\n");
    let given = with(|given| given.access.access_token_file = Some(token.path().into()));
    let config = load(given.clone(), &[]).unwrap();
    assert!(lets_in(&config, "s3cret"));
    assert!(!format!("{config:?}").contains("s3cret"));
    assert!(
        problem(given, &[("OPTIMIZE_EXPORT_ACCESS_TOKEN", "other")])
            .contains("OPTIMIZE_EXPORT_ACCESS_TOKEN")
    );
}

#[test]
fn what_is_verified_of_a_certificate_follows_the_weaker_switch() {
    let verification = |environment: &[(&str, &str)]| {
        let config = load(Settings::default(), environment).unwrap();
        config.elasticsearch.tls.verification
    };
    let skip = (
        "CAMUNDA_OPTIMIZE_ELASTICSEARCH_CONNECTION_SKIP_HOSTNAME_VERIFICATION",
        "true",
    );
    let accept = (
        "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_SELF_SIGNED",
        "true",
    );
    assert_eq!(verification(&[]), Verification::Full);
    assert_eq!(verification(&[skip]), Verification::WithoutHostName);
    assert_eq!(verification(&[skip, accept]), Verification::None);
}

#[test]
fn only_a_secret_from_a_file_is_read_again() {
    let file = file("hush\n");
    let given = |path: Option<PathBuf>| {
        with(|given| {
            given.elasticsearch.elasticsearch_username = Some("me".into());
            given.elasticsearch.elasticsearch_password_file = path;
        })
    };
    let path = file.path().to_owned();
    let config = load(given(Some(path.clone())), &[]).unwrap();
    assert_eq!(config.elasticsearch.secret_file, Some(path));
    let variable = [("OPTIMIZE_EXPORT_ELASTICSEARCH_PASSWORD", "hush")];
    let config = load(given(None), &variable).unwrap();
    assert_eq!(config.elasticsearch.secret_file, None);
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn keys_of_tokens_are_where_it_is_said_or_where_the_issuer_says() {
    let jwt = |environment: &[(&str, &str)]| {
        let config = load(Settings::default(), environment).unwrap();
        config.jwt.unwrap()
    };
    let older = (
        "SPRING_SECURITY_OAUTH2_RESOURCESERVER_JWT_JWK_SET_URI",
        "http://keycloak:18080/old",
    );
    let newer = (
        "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_JWKSETURI",
        "http://keycloak:18080/new",
    );
    let issuer = (
        "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_ISSUERURI",
        "https://h/realms/r",
    );
    let at = |url: &str| KeySource::KeySet(url.parse().unwrap());
    assert_eq!(jwt(&[older]).keys, at(older.1));
    assert_eq!(jwt(&[older]).issuer, None);
    assert_eq!(jwt(&[older, newer]).keys, at(newer.1));
    let both = jwt(&[older, issuer]);
    assert_eq!(both.keys, at(older.1));
    assert_eq!(both.issuer.as_deref(), Some(issuer.1));
    assert_eq!(
        jwt(&[issuer]).keys,
        KeySource::Issuer {
            name: issuer.1.to_owned(),
            url: issuer.1.parse().unwrap()
        }
    );
    for (issuer, words) in [
        ("realm", "--jwk-set-uri"),
        ("ftp://h/", "http://"),
        ("https://h/?a=b", "query"),
    ] {
        let name = "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_ISSUERURI";
        let problem = problem(Settings::default(), &[(name, issuer)]);
        assert!(
            problem.starts_with("--issuer") && problem.contains(words),
            "{problem}"
        );
    }
}

#[test]
fn audiences_are_a_list_and_the_newer_name_replaces_the_older_one() {
    const OLDER: &str = "CAMUNDA_OPTIMIZE_API_AUDIENCE";
    const NEWER: &str = "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_AUDIENCES";
    let audiences = |environment: &[(&str, &str)]| {
        let given =
            with(|given| given.access.jwk_set_uri = Some("https://h/keys".parse().unwrap()));
        load(given, environment).unwrap().jwt.unwrap().audiences
    };
    assert_eq!(audiences(&[]), ["optimize"]);
    assert_eq!(audiences(&[(OLDER, "a,b")]), ["a,b"], "it is one there");
    assert_eq!(audiences(&[(OLDER, "a"), (NEWER, "b, c")]), ["b", "c"]);
    assert_eq!(audiences(&[(OLDER, "a"), (NEWER, "")]), ["a"]);
    let first = "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_AUDIENCES_0";
    let second = "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_AUDIENCES_1";
    assert_eq!(audiences(&[(first, "b"), (second, "c")]), ["b", "c"]);

    for (text, expected) in [
        ("audience: one\n", vec!["one"]),
        ("audience: [one, two]\n", vec!["one", "two"]),
    ] {
        let file = file(&format!("jwk-set-uri: https://h/keys\n{text}"));
        let config = Config::load(Settings::default(), Some(file.path()), &Environment::new());
        assert_eq!(config.unwrap().jwt.unwrap().audiences, expected);
    }
}
