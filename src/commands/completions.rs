//! `completions` and `man`: what a shell and `man` want to know about the command line.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::printed;

/// Flags of `completions`.
#[derive(clap::Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// Flags of `man`.
#[derive(clap::Args)]
pub struct Man {
    /// Folder for the pages, one per command; it is made if it is not there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Prints the completions of `command`.
pub fn print_completions(arguments: Completions, mut command: Command) -> Result<ExitCode, String> {
    let name = command.get_name().to_owned();
    // The generator panics where it can't write.
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut text);
    printed(io::stdout().write_all(&text))
        .map_err(|error| format!("the completions can't be printed: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the pages of `command` and its own commands.
pub fn write_man_pages(arguments: Man, command: Command) -> Result<ExitCode, String> {
    fs::create_dir_all(&arguments.folder)
        .and_then(|()| clap_mangen::generate_to(command, &arguments.folder))
        .map_err(|error| format!("{}: {error}", arguments.folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
