//! The manifests for Kubernetes, checked without a cluster: what they ask for exists, and what they must not lack is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::containers::loaded;
use super::*;

const DEPLOYMENT: &str = include_str!("../../../deploy/kubernetes/deployment.yaml");
const SERVICE: &str = include_str!("../../../deploy/kubernetes/service.yaml");
const NETWORK_POLICY: &str = include_str!("../../../deploy/kubernetes/networkpolicy.yaml");
const KUSTOMIZATION: &str = include_str!("../../../deploy/kubernetes/kustomization.yaml");
const TLS: &str = include_str!("../../../deploy/kubernetes/components/tls/deployment.yaml");
const SECRET: &str = include_str!("../../../deploy/kubernetes/examples/secret.yaml");
const POD_MONITOR: &str = include_str!("../../../deploy/kubernetes/examples/podmonitor.yaml");
const SYNC: &str = include_str!("../../../deploy/kubernetes/examples/sync.yaml");
const ROUTE: &str = include_str!("../../../deploy/kubernetes/examples/httproute.yaml");

pub(super) fn parsed(manifest: &str) -> Value {
    serde_saphyr::from_str(manifest).unwrap()
}

fn pod() -> Value {
    parsed(DEPLOYMENT)["spec"]["template"]["spec"].clone()
}

pub(super) fn container(pod: &Value) -> &Value {
    assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
    &pod["containers"][0]
}

pub(super) fn environment_of(container: &Value) -> Environment {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let variables = container["env"].as_array().unwrap().iter();
    variables
        .map(|variable| (text(&variable["name"]), text(&variable["value"])))
        .collect()
}

/// The names of a container's ports, with their numbers.
fn ports(container: &Value) -> BTreeMap<String, u64> {
    let ports = container["ports"].as_array().unwrap().iter();
    ports
        .map(|port| {
            (
                port["name"].as_str().unwrap().to_owned(),
                port["containerPort"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_deployment_configures_the_service() {
    let pod = pod();
    let container = container(&pod);
    let mut environment = environment_of(container);
    check_variables(&environment).unwrap();
    assert_eq!(container["args"], json!(["serve"]));
    let image = container["image"].as_str().unwrap();
    assert_eq!(
        image,
        concat!("optimize-export:", env!("CARGO_PKG_VERSION"))
    );

    // Every file of a secret is a key of the example, under the folder where the secret is mounted.
    let keys = parsed(SECRET)["stringData"].as_object().unwrap().clone();
    let folder = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
    let files = environment
        .iter()
        .filter(|(name, _)| name.ends_with("_FILE"));
    let read: BTreeSet<&str> = files
        .map(|(_, path)| path.strip_prefix(folder).unwrap().trim_start_matches('/'))
        .collect();
    assert_eq!(read, keys.keys().map(String::as_str).collect());

    // The rest, with the secrets of the example given directly.
    environment.retain(|name, _| !name.ends_with("_FILE"));
    for (key, variable) in [
        (
            "elasticsearch-password",
            "OPTIMIZE_EXPORT_ELASTICSEARCH_PASSWORD",
        ),
        ("scroll-key", "OPTIMIZE_EXPORT_SCROLL_KEY"),
    ] {
        let value = keys[key].as_str().unwrap().to_owned();
        environment.insert(variable.to_owned(), value);
    }
    let config = loaded(&environment);
    assert_eq!(config.elasticsearch.urls[0].scheme(), "https");
    assert_eq!(config.log_format, LogFormat::Json);
    assert!(config.scroll_key.is_some(), "replicas need a common one");
}

#[test]
fn ports_and_probes_are_those_of_the_service() {
    let pod = pod();
    let container = container(&pod);
    let defaults = loaded(&Environment::new());
    let expected = [
        ("export", defaults.listen.port()),
        ("management", defaults.management_listen.port()),
    ];
    let expected = expected.map(|(name, port)| (name.to_owned(), u64::from(port)));
    assert_eq!(ports(container), BTreeMap::from(expected));

    let health = include_str!("../../http/health.rs");
    for (probe, path) in [
        ("startupProbe", "live"),
        ("livenessProbe", "live"),
        ("readinessProbe", "ready"),
    ] {
        let asked = &container[probe]["httpGet"];
        assert_eq!(
            asked,
            &json!({"path": format!("/health/{path}"), "port": "management"})
        );
        assert!(
            health.contains(&format!(r#"path!("health" / "{path}")"#)),
            "{path}"
        );
    }

    let published = &parsed(SERVICE)["spec"]["ports"];
    assert_eq!(published[0]["targetPort"], "export");
    assert_eq!(published[0]["port"], defaults.listen.port());
    assert_eq!(
        published.as_array().unwrap().len(),
        1,
        "management is not published"
    );
    let route = parsed(ROUTE);
    assert_eq!(
        route["spec"]["rules"][0]["backendRefs"][0]["port"],
        defaults.listen.port()
    );
    let monitored = &parsed(POD_MONITOR)["spec"]["podMetricsEndpoints"][0];
    assert_eq!(monitored["port"], "management");
}

#[test]
fn whatever_selects_the_pods_has_their_label() {
    let deployment = parsed(DEPLOYMENT);
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&parsed(SERVICE)["spec"]["selector"], labels);
    assert_eq!(
        &parsed(NETWORK_POLICY)["spec"]["podSelector"]["matchLabels"],
        labels
    );
    assert_eq!(
        &parsed(POD_MONITOR)["spec"]["selector"]["matchLabels"],
        labels
    );
    let budget = include_str!("../../../deploy/kubernetes/poddisruptionbudget.yaml");
    assert_eq!(&parsed(budget)["spec"]["selector"]["matchLabels"], labels);
    for constraint in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        .as_array()
        .unwrap()
    {
        assert_eq!(&constraint["labelSelector"]["matchLabels"], labels);
    }
}

#[test]
fn the_rule_for_a_provider_of_tokens_fits_into_the_policy() {
    let rules = |manifest: &str| {
        let policy = parsed(manifest);
        policy["spec"]["egress"].as_array().unwrap().clone()
    };
    let with_rule: Vec<&str> = NETWORK_POLICY
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rule| rule.starts_with("   "))
                .unwrap_or(line)
        })
        .collect();
    let (before, after) = (rules(NETWORK_POLICY), rules(&with_rule.join("\n")));
    assert_eq!(after.len(), before.len() + 1);
    let rule = after.last().unwrap();
    assert_eq!(rule["ports"][0]["port"], 8080);
    // Both in one item: pods of that name in that namespace, and not either.
    assert_eq!(rule["to"].as_array().unwrap().len(), 1);
}

#[test]
fn a_pod_can_do_nothing_that_the_service_does_not_need() {
    let pod = pod();
    let container = container(&pod);
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "RuntimeDefault"
    );
    let dockerfile = include_str!("../../../Dockerfile");
    let user = &pod["securityContext"]["runAsUser"];
    assert!(
        dockerfile.contains(&format!("\nUSER {user}:{user}\n")),
        "{user}"
    );
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        })
    );
    for bound in ["requests", "limits"] {
        for resource in ["cpu", "memory"] {
            assert!(
                container["resources"][bound][resource].is_string(),
                "{bound} {resource}"
            );
        }
    }
    for mount in container["volumeMounts"].as_array().unwrap() {
        assert_eq!(mount["readOnly"], true);
        assert!(
            mount["subPath"].is_null(),
            "a file by subPath never changes"
        );
    }
}

#[test]
fn pages_under_way_can_finish_before_a_pod_is_killed() {
    let pod = pod();
    let pause = container(&pod)["lifecycle"]["preStop"]["sleep"]["seconds"]
        .as_u64()
        .unwrap();
    let granted = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(
        granted > pause + u64::from(limits::DEFAULT_SHUTDOWN_TIMEOUT),
        "{granted}"
    );
}

#[test]
fn the_component_for_tls_reads_what_cert_manager_writes() {
    let patch = parsed(TLS);
    let pod = &patch["spec"]["template"]["spec"];
    let container = container(pod);
    let environment = environment_of(container);
    check_variables(&environment).unwrap();
    let folder = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
    let files: Vec<_> = environment
        .values()
        .map(|path| path.strip_prefix(folder).unwrap())
        .collect();
    assert_eq!(files, ["/tls.crt", "/tls.key"]);
    // A patch finds what it changes by these names.
    assert_eq!(
        patch["metadata"]["name"],
        parsed(DEPLOYMENT)["metadata"]["name"]
    );
    assert_eq!(container["name"], self::container(&self::pod())["name"]);
}

#[test]
fn the_job_that_fills_a_lake_may_do_no_more_than_the_service() {
    let job = parsed(SYNC);
    let sync = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let (own, served) = (container(sync), pod());
    let of_service = container(&served);
    check_variables(&environment_of(own)).unwrap();
    assert_eq!(own["args"][0], "sync");
    for same in ["image", "securityContext", "volumeMounts"] {
        assert_eq!(own[same], of_service[same], "{same}");
    }
    for same in [
        "automountServiceAccountToken",
        "enableServiceLinks",
        "securityContext",
        "volumes",
    ] {
        assert_eq!(sync[same], served[same], "{same}");
    }
    // Its settings are those of the service, and read nothing that the secret does not have.
    for (name, value) in environment_of(own) {
        assert_eq!(
            environment_of(of_service).get(&name),
            Some(&value),
            "{name}"
        );
    }
    assert_eq!(job["spec"]["concurrencyPolicy"], "Forbid");
    let labels = &job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"];
    let of_service = &parsed(DEPLOYMENT)["spec"]["selector"]["matchLabels"];
    assert_ne!(labels, of_service, "the service would send clients to it");
}

#[test]
fn the_kustomization_names_every_manifest() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes");
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let manifests: BTreeSet<String> = names
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.ends_with(".yaml") && name != "kustomization.yaml")
        .collect();
    let kustomization = parsed(KUSTOMIZATION);
    let resources = kustomization["resources"].as_array().unwrap().iter();
    assert_eq!(
        resources
            .map(|resource| resource.as_str().unwrap().to_owned())
            .collect::<BTreeSet<_>>(),
        manifests
    );
}
