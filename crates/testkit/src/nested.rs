//! Commands that may call cargo again.

use std::process::Command;

/// Takes away what `cargo run` has told this process about its own package.
///
/// Build scripts watch some of these variables. A nested cargo that saw them would compile half of the dependencies anew, and the next cargo
/// outside would do so again.
pub fn forget_own_package(command: &mut Command) {
    const ABOUT_THE_PACKAGE: [&str; 4] = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
    ];
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
