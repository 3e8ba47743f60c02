//! Calls of cargo from within, such that they and `cargo test` share what they compile.
//!
//! Cargo compiles a dependency once for each set of its features, and unites the features that the packages of one call ask for. So
//! the developer's tools, the service and the tests would each have most of the dependencies for themselves, were they built alone.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// What `cargo run` tells a process about the package that it is of, by the beginnings of the names.
const ABOUT_THE_PACKAGE: [&str; 4] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
];

/// Arguments for cargo that build one program of the workspace with the features that everything has together in a test. Naming a
/// test is what brings in the features that only tests ask for; this one is small.
pub fn build_arguments(program: &str) -> [&str; 6] {
    [
        "build",
        "--workspace",
        "--bin",
        program,
        "--test",
        "one_build",
    ]
}

/// The cargo that has started this process, at the root of the workspace.
pub fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    forget_own_package(&mut command);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command
}

/// Takes away what `cargo run` has told this process about its own package.
///
/// Build scripts watch some of these variables. A nested cargo that saw them would compile half of the dependencies anew, and the
/// next cargo outside would do so again.
pub fn forget_own_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ABOUT_THE_PACKAGE
            .iter()
            .any(|start| text.starts_with(start))
        {
            command.env_remove(&name);
        }
    }
}
