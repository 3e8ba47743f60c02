//! The `variables` member of a process row: every name of the report, in order, missing ones empty.
//!
//! Source: crates/optimize/docs/raw-data.md, "Variables of rows" and "Variable names of a page".

use std::cmp::Ordering;
use std::collections::HashMap;

use super::document::{Text, Values, document};
use crate::followers::Followers;
use crate::json::{KnownText, string_of};

/// What older releases of Optimize show instead of the value of an object variable.
pub const OBJECT_PLACEHOLDER: &str = "<<OBJECT_VARIABLE_VALUE>>";

/// How object variables are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ObjectVariables {
    /// The stored value, a list of texts.
    #[default]
    Values,
    /// A fixed text.
    Placeholder,
}

document! {
    /// One variable of an instance.
    pub struct Variable<'a> {
        name: Text<'a> = "name",
        variable_type: Text<'a> = "type",
        value: Values<'a> = "value",
    }
}

impl Variable<'_> {
    /// Its name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// The order of names in a row: that of Java strings, by UTF-16 code unit.
pub(crate) fn java_order(a: &str, b: &str) -> Ordering {
    utf16::units(a).cmp(utf16::units(b))
}

/// The variable names of all instances that match a report, in the order of a row.
#[derive(Debug, Default)]
pub struct VariableNames {
    names: Vec<String>,
    /// They as JSON.
    json: Vec<String>,
    positions: HashMap<String, usize>,
}

impl VariableNames {
    /// Orders names; duplicates count once.
    pub fn new(mut names: Vec<String>) -> Self {
        names.sort_unstable_by(|a, b| java_order(a, b));
        names.dedup();
        let positions = names
            .iter()
            .enumerate()
            .map(|(i, name)| (name.clone(), i))
            .collect();
        Self {
            json: names.iter().map(|name| string_of(name)).collect(),
            names,
            positions,
        }
    }

    /// The names, ordered.
    pub fn as_slice(&self) -> &[String] {
        &self.names
    }

    /// Bytes that they take, roughly.
    pub fn weight(&self) -> usize {
        self.names.iter().map(|name| 3 * name.len() + 160).sum()
    }
}

/// Room that is used again for every row: which variable of the row has the name at which position.
#[derive(Debug, Default)]
pub struct Scratch {
    by_position: Vec<Option<usize>>,
    others: Vec<usize>,
    followers: Followers,
}

impl VariableNames {
    /// The position of the next name of a row; `followers` are those of these names.
    pub(crate) fn position(&self, name: &str, followers: &mut Followers) -> Option<usize> {
        let is_it = |guess: usize| self.names.get(guess).is_some_and(|known| known == name);
        followers.find(is_it, || self.positions.get(name).copied())
    }
}

impl Scratch {
    /// Finds the place of each variable of a row, whose names are given in the order of the row; `name_of` gives the name
    /// of one of them again.
    ///
    /// A variable without a name is skipped; of two with the same name the last one counts.
    pub(crate) fn place<'n>(
        &mut self,
        names: &VariableNames,
        of_row: impl Iterator<Item = Option<&'n str>>,
        name_of: impl Fn(usize) -> &'n str,
    ) {
        self.by_position.clear();
        self.by_position.resize(names.names.len(), None);
        self.others.clear();
        self.followers.begin_row();
        for (index, name) in of_row.enumerate() {
            let Some(name) = name else { continue };
            match names
                .position(name, &mut self.followers)
                .and_then(|position| self.by_position.get_mut(position))
            {
                Some(slot) => *slot = Some(index),
                None => self.others.push(index),
            }
        }
        // Names that came up after the names were collected: rare, and a row always keeps its own.
        (self.others).sort_by(|a, b| java_order(name_of(*a), name_of(*b)).then(b.cmp(a)));
        (self.others).dedup_by(|later, earlier| name_of(*later) == name_of(*earlier));
    }

    /// Which variable has the name at a position.
    pub(crate) fn at(&self, position: usize) -> Option<usize> {
        self.by_position.get(position).copied().flatten()
    }

    /// The variables whose names are not among the known ones, by name.
    pub(crate) fn others(&self) -> &[usize] {
        &self.others
    }
}

/// The variables of a row.
pub struct RowVariables<'r> {
    variables: &'r [Variable<'r>],
    names: &'r VariableNames,
    object_variables: ObjectVariables,
    placed: &'r Scratch,
}

/// What a row shows of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableValue<'r> {
    /// An empty text: the instance has no such variable, or no value for it.
    Nothing,
    /// What older releases of Optimize show of an object.
    Placeholder,
    /// An object without value.
    Null,
    /// The values of an object.
    List(&'r [Text<'r>]),
    /// A value, as a text whatever its type is.
    One(&'r Text<'r>),
    /// Several values, or none, as one text: see [`joined`].
    Joined(&'r [Text<'r>]),
}

impl<'r> RowVariables<'r> {
    /// Finds the place of each variable among `names`.
    pub fn of(
        variables: &'r [Variable<'r>],
        names: &'r VariableNames,
        object_variables: ObjectVariables,
        scratch: &'r mut Scratch,
    ) -> Self {
        let name_at = |index: usize| name_of(variables, index);
        let of_row = variables.iter().map(|variable| variable.name.as_deref());
        scratch.place(names, of_row, name_at);
        Self {
            variables,
            names,
            object_variables,
            placed: scratch,
        }
    }

    /// Hands on each name with its value, in the order of a row.
    pub fn for_each(&self, mut take: impl FnMut(KnownText<'_>, VariableValue<'r>)) {
        let name_of = |index: &usize| name_of(self.variables, *index);
        let mut others = self.placed.others.iter().peekable();
        let names = self.names.names.iter().zip(&self.names.json);
        for ((name, json), slot) in names.zip(&self.placed.by_position) {
            while let Some(other) =
                others.next_if(|other| java_order(name_of(other), name) == Ordering::Less)
            {
                take(name_of(other).into(), self.value_of(Some(*other)));
            }
            let json = Some(json.as_str());
            take(KnownText { text: name, json }, self.value_of(*slot));
        }
        for other in others {
            take(name_of(other).into(), self.value_of(Some(*other)));
        }
    }

    fn value_of(&self, index: Option<usize>) -> VariableValue<'r> {
        let Some(variable) = index.and_then(|index| self.variables.get(index)) else {
            return VariableValue::Nothing;
        };
        let is_object = variable
            .variable_type
            .as_deref()
            .is_some_and(|t| t.eq_ignore_ascii_case("object"));
        match (variable.value.as_slice(), is_object, self.object_variables) {
            (_, true, ObjectVariables::Placeholder) => VariableValue::Placeholder,
            (None, true, ObjectVariables::Values) => VariableValue::Null,
            (Some(values), true, ObjectVariables::Values) => VariableValue::List(values),
            (None, false, _) => VariableValue::Nothing,
            (Some([value]), false, _) if value.is_there() => VariableValue::One(value),
            (Some(values), false, _) => VariableValue::Joined(values),
        }
    }
}

fn name_of<'v>(variables: &'v [Variable<'_>], index: usize) -> &'v str {
    let variable = variables.get(index);
    (variable.and_then(|variable| variable.name.as_deref())).unwrap_or_default()
}

/// Several values as one text. A `null` among them prints as in Java.
pub fn joined<'v>(values: impl IntoIterator<Item = &'v Text<'v>>) -> String {
    let mut text = String::new();
    for (number, value) in values.into_iter().enumerate() {
        if number > 0 {
            text.push_str(", ");
        }
        text.push_str(value.as_deref().unwrap_or("null"));
    }
    text
}
