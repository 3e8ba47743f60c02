//! The Helm chart, checked without Helm, by what it renders (tests/deploy/helm, which `.ci/deploy` keeps as the chart renders it): by default the same pod
//! as deploy/kubernetes, which decides, and never a setting that the service doesn't know.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::kubernetes::{container, environment_of, parsed};
use super::*;
use crate::auth::access;

const CHART: &str = include_str!("../../../deploy/helm/optimize-export/Chart.yaml");

/// The objects that the chart renders, by their kinds, with the values of that name.
fn rendered(name: &str) -> Vec<(String, Value)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/deploy/helm/{name}.yaml"));
    let text = fs::read_to_string(file).unwrap();
    let documents = text.split("\n---\n").map(parsed);
    documents
        .map(|object| (object["kind"].as_str().unwrap().to_owned(), object))
        .collect()
}

fn one(name: &str, kind: &str) -> Value {
    let mut found = rendered(name).into_iter().filter(|(of, _)| of == kind);
    let (_, object) = found.next().unwrap();
    assert!(found.next().is_none(), "{name}: several {kind}s");
    object
}

fn pod_of(object: &Value) -> Option<&Value> {
    [
        "/spec/template/spec",
        "/spec/jobTemplate/spec/template/spec",
        "/spec",
    ]
    .iter()
    .filter_map(|place| object.pointer(place))
    .find(|pod| pod["containers"].is_array())
}

/// Where a container finds which file of a secret: the name of a variable, with the secret and the key that the file at its path is.
fn secrets(pod: &Value) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let container = container(pod);
    let mut files = BTreeMap::new();
    for mount in container["volumeMounts"].as_array().unwrap() {
        let volumes = pod["volumes"].as_array().unwrap();
        let mut named = volumes
            .iter()
            .filter(|volume| volume["name"] == mount["name"]);
        let volume = named.next().unwrap();
        if volume["secret"].is_null() && volume["projected"].is_null() {
            continue;
        }
        let folder = text(&mount["mountPath"]);
        let modes = [
            &volume["secret"]["defaultMode"],
            &volume["projected"]["defaultMode"],
        ];
        // Octal for Kubernetes; whatever it is for the reader here, it is the same.
        assert!(modes.contains(&&parsed("0440")), "{volume}");
        if let Some(sources) = volume["projected"]["sources"].as_array() {
            for secret in sources.iter().map(|source| &source["secret"]) {
                for item in secret["items"].as_array().unwrap() {
                    let path = format!("{folder}/{}", text(&item["path"]));
                    files.insert(path, (text(&secret["name"]), text(&item["key"])));
                }
            }
        } else {
            // The whole secret: every key is a file.
            for path in environment_of(container).values() {
                if let Some(key) = path.strip_prefix(&format!("{folder}/")) {
                    let secret = text(&volume["secret"]["secretName"]);
                    files.insert(path.clone(), (secret, key.to_owned()));
                }
            }
        }
    }
    let variables = environment_of(container).into_iter();
    variables
        // Rules are no secret.
        .filter(|(name, _)| name.ends_with("_FILE") && name != "OPTIMIZE_EXPORT_ACCESS_RULES_FILE")
        .map(|(name, path)| (name, files.remove(&path).unwrap()))
        .collect()
}

/// What differs by nature: labels are of the release, and single files of several secrets take another kind of volume.
fn comparable(pod: &Value) -> Value {
    let mut pod = pod.clone();
    pod.as_object_mut().unwrap().remove("volumes");
    for constraint in pod["topologySpreadConstraints"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        constraint.as_object_mut().unwrap().remove("labelSelector");
    }
    let variables = environment_of(container(&pod));
    pod["containers"][0]["env"] = json!(variables);
    pod
}

#[test]
fn by_default_a_pod_is_that_of_the_manifests() {
    let ours = parsed(include_str!("../../../deploy/kubernetes/deployment.yaml"));
    let rendered = one("default", "Deployment");
    let (our_pod, its_pod) = (pod_of(&ours).unwrap(), pod_of(&rendered).unwrap());
    assert_eq!(comparable(its_pod), comparable(our_pod));
    assert_eq!(secrets(its_pod), secrets(our_pod));
    for same in ["replicas", "strategy"] {
        assert_eq!(rendered["spec"][same], ours["spec"][same], "{same}");
    }
}

#[test]
fn by_default_its_surroundings_are_those_of_the_manifests() {
    for (kind, manifest) in [
        (
            "Service",
            include_str!("../../../deploy/kubernetes/service.yaml"),
        ),
        (
            "NetworkPolicy",
            include_str!("../../../deploy/kubernetes/networkpolicy.yaml"),
        ),
        (
            "PodDisruptionBudget",
            include_str!("../../../deploy/kubernetes/poddisruptionbudget.yaml"),
        ),
    ] {
        let without_labels = |object: Value| {
            let mut spec = object["spec"].clone();
            let fields = spec.as_object_mut().unwrap();
            // The type of a Service is said by the chart and Kubernetes' default in the manifest.
            for of_the_release in ["selector", "podSelector", "type"] {
                fields.remove(of_the_release);
            }
            spec
        };
        assert_eq!(
            without_labels(one("default", kind)),
            without_labels(parsed(manifest)),
            "{kind}"
        );
    }
}

#[test]
fn the_job_is_that_of_the_manifests() {
    let ours = parsed(include_str!(
        "../../../deploy/kubernetes/examples/sync.yaml"
    ));
    let rendered = one("sync", "CronJob");
    let (mut our_pod, mut its_pod) = (
        comparable(pod_of(&ours).unwrap()),
        comparable(pod_of(&rendered).unwrap()),
    );
    for pod in [&mut our_pod, &mut its_pod] {
        // What is synchronized, and by which role, is each one's own.
        pod.as_object_mut().unwrap().remove("serviceAccountName");
        let container = pod["containers"][0].as_object_mut().unwrap();
        container.remove("args");
        container.remove("envFrom");
    }
    assert_eq!(its_pod, our_pod);
    let without_pod = |mut job: Value| {
        let spec = job["spec"].as_object_mut().unwrap();
        spec["jobTemplate"]["spec"]
            .as_object_mut()
            .unwrap()
            .remove("template");
        job["spec"].clone()
    };
    assert_eq!(without_pod(rendered), without_pod(ours));
}

#[test]
fn the_service_knows_every_setting_that_the_chart_renders() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/helm");
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let cases: BTreeSet<String> = names
        .filter_map(|name| name.strip_suffix(".values.yaml").map(str::to_owned))
        .collect();
    assert!(cases.len() > 5, "{cases:?}");
    for case in cases {
        let mut pods = 0;
        for (kind, object) in rendered(&case) {
            let Some(pod) = pod_of(&object) else { continue };
            pods += 1;
            let variables = environment_of(container(pod));
            check_variables(&variables).unwrap_or_else(|error| panic!("{case} {kind}: {error}"));
            // The secret of each file is mounted where it is looked for.
            if container(pod)["volumeMounts"].is_array() {
                secrets(pod);
            }
        }
        assert!(pods >= 2, "{case}: the service, and what checks it");
    }
}

#[test]
fn the_service_reads_the_rules_that_the_chart_renders() {
    let rules = one("elasticsearch", "ConfigMap");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, rules["data"]["access-rules.yaml"].as_str().unwrap()).unwrap();
    let rules = access::read(file.path()).unwrap();
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["sales lake", "everything"]);
    let tenants = rules[0].limits.tenants.as_ref().unwrap();
    assert!(tenants.none, "the null of the list is still one");

    // Every pod that is told of the file has it.
    for (kind, object) in rendered("elasticsearch") {
        let Some(pod) = pod_of(&object) else { continue };
        let path = environment_of(container(pod)).remove("OPTIMIZE_EXPORT_ACCESS_RULES_FILE");
        let mounts = container(pod)["volumeMounts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let is_there = mounts.iter().any(|mount| mount["name"] == "access-rules");
        assert_eq!(path.is_some(), is_there, "{kind}");
        if let Some(path) = path {
            assert_eq!(path, "/etc/optimize-export/access-rules.yaml");
        }
    }
}

#[test]
fn the_chart_is_of_the_same_version() {
    let chart = parsed(CHART);
    for version in ["version", "appVersion"] {
        assert_eq!(chart[version], env!("CARGO_PKG_VERSION"), "{version}");
    }
}
