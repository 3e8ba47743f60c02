//! Defaults in the text of `--help`, written there from the constants that are in force.

use std::fmt::Display;

use clap::{Arg, ValueEnum};

/// What `#[arg(default_is = …)]` calls. clap's own defaults can't be told from what was given, and would beat the file.
pub(super) trait DefaultInHelp {
    /// Puts `[default: …]` behind the doc comment of a setting.
    fn default_is(self, value: impl Display) -> Self;
}

impl DefaultInHelp for Arg {
    fn default_is(self, value: impl Display) -> Self {
        let text = self.get_help().map(ToString::to_string).unwrap_or_default();
        self.help(format!("{text} [default: {value}]"))
    }
}

/// A value of an enum as users write it.
pub(super) fn name_of(value: impl ValueEnum) -> String {
    let name = value.to_possible_value();
    name.map(|name| name.get_name().to_owned())
        .unwrap_or_default()
}
