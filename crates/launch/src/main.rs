//! `cargo xtask`: builds the developer's tools, with cargo's own progress, and becomes them.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// The program with the tools.
const TOOLS: &str = "xtask";

fn main() -> ExitCode {
    match launch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Comes back only when the tools could not be built or started.
fn launch() -> io::Result<ExitCode> {
    let built = launch::cargo()
        .args(launch::build_arguments(TOOLS))
        .status()?;
    if !built.success() {
        return Ok(ExitCode::FAILURE);
    }
    // Cargo puts all programs of one profile into one folder.
    let mut tools = Command::new(std::env::current_exe()?.with_file_name(TOOLS));
    launch::forget_own_package(&mut tools);
    Err(tools.args(std::env::args_os().skip(1)).exec())
}
