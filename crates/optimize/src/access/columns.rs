//! How tables call the columns that depend on the instances. They stand here, because what is left out of rows is called so too.

/// Before the name of a variable, in the name of its column.
pub const VARIABLE_PREFIX: &str = "variable:";
/// Before the id of an input.
pub const INPUT_PREFIX: &str = "input:";
/// Before the id of an output.
pub const OUTPUT_PREFIX: &str = "output:";
/// How the sorting of a report calls the column of an input, before its id.
pub const SORTED_INPUT_PREFIX: &str = "inputVariable:";
/// The same for an output.
pub const SORTED_OUTPUT_PREFIX: &str = "outputVariable:";
/// Before the id of a flow node, in the name of the column that has its duration.
pub const DURATION_PREFIX: &str = "dur:";
