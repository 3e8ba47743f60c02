//! The program `optimize-export`.

use std::process::ExitCode;

fn main() -> ExitCode {
    optimize_export::commands::command_line::run()
}
