//! What `cargo xtask demo` compiles is what `cargo test` needs: no dependency is compiled a second time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect, in its helpers too"
)]

use std::collections::BTreeSet;

use serde_json::Value;

/// A call of the compiler for a dependency, without what it is called by: `id` has all that tells two of one target apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Unit {
    target: String,
    id: String,
}

#[test]
fn demo_and_tests_compile_each_dependency_once() {
    let tests = [
        units(&["test", "--no-run"]),
        units(&["test", "--no-run", "--workspace"]),
    ];
    for program in ["xtask", "optimize-export"] {
        let built = units(&launch::build_arguments(program));
        assert!(built.len() > 100, "{program}: {}", built.len());
        for tests in &tests {
            let targets: BTreeSet<_> = tests.iter().map(|unit| &unit.target).collect();
            let twice: Vec<_> = built
                .difference(tests)
                .filter(|unit| targets.contains(&unit.target))
                .map(|unit| format!("{} {}", unit.target, unit.id))
                .collect();
            assert!(twice.is_empty(), "{program}: {twice:#?}");
        }
    }
}

/// What cargo would compile besides the workspace.
fn units(arguments: &[&str]) -> BTreeSet<Unit> {
    let output = launch::cargo()
        .args(arguments)
        .args(["--unit-graph", "-Z", "unstable-options"])
        // Only nightly toolchains show their plans otherwise.
        .env("RUSTC_BOOTSTRAP", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let graph: Value = serde_json::from_slice(&output.stdout).unwrap();
    let units = graph["units"].as_array().unwrap();
    units
        .iter()
        .filter(|unit| !unit["pkg_id"].as_str().unwrap().starts_with("path+"))
        .map(|unit| {
            let mut profile = unit["profile"].clone();
            // It is `dev` or `test`, which makes no difference by itself.
            profile.as_object_mut().unwrap().remove("name");
            Unit {
                target: format!(
                    "{} {} {}",
                    unit["pkg_id"], unit["target"]["name"], unit["mode"]
                ),
                id: format!("{} {} {profile}", unit["platform"], unit["features"]),
            }
        })
        .collect()
}
