//! Variable filters, and how a variable is found in a document (crates/optimize/docs/filters.md, "Variables").
//!
//! Variables are nested documents. An instance can have several of one name and type, for scopes of its own, so
//! "undefined or null" and "defined" are no opposites: both hold where one of them is null and another is not.

use serde_json::{Value, json};

use super::FilterContext;
use super::dates;
use super::durations::range_operator;
use super::query::{Bool, all_of, any_of, exists, nested, none_of, term, terms};
use crate::report::definition::{VariableCondition, VariableFilter, VariableType};

/// Length up to which every part of a text is in the index
/// (`MAX_GRAM`; crates/optimize/docs/indices.md, "Stored variables").
const LONGEST_GRAM: usize = 10;

/// Length up to which a text is in the index as a whole
/// (`IGNORE_ABOVE_CHAR_LIMIT`; crates/optimize/docs/indices.md, "Stored variables").
const LONGEST_VALUE: usize = 7_000;

/// A variable, as a way to find it in a document.
#[derive(Debug, Clone, PartialEq)]
pub struct VariableQueries {
    path: &'static str,
    identity: Vec<Value>,
}

impl VariableQueries {
    /// A variable of a process instance; one of the same name and another type is another variable.
    pub fn of_process(name: &str, variable_type: VariableType) -> Self {
        Self {
            path: "variables",
            identity: vec![term("variables.name", name)],
        }
        .of_type(variable_type)
    }

    /// An input of a decision instance, by the id of its clause.
    pub fn of_decision_input(clause_id: &str) -> Self {
        Self {
            path: "inputs",
            identity: vec![term("inputs.clauseId", clause_id)],
        }
    }

    /// An output of a decision instance, by the id of its clause.
    pub fn of_decision_output(clause_id: &str) -> Self {
        Self {
            path: "outputs",
            identity: vec![term("outputs.clauseId", clause_id)],
        }
    }

    /// The same variable, where it is stored with this type.
    #[must_use]
    pub fn of_type(mut self, variable_type: VariableType) -> Self {
        let field = format!("{}.type", self.path);
        self.identity.push(term(&field, variable_type.id()));
        self
    }

    /// The path of the nested documents.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The clauses that tell this variable from others, within the nested document.
    pub fn identity(&self) -> &[Value] {
        &self.identity
    }

    /// The clause that tells this variable by its name or the id of its clause alone, whatever type it has.
    pub fn name_clause(&self) -> Option<&Value> {
        self.identity.first()
    }

    /// The field that has the value as a text. It is missing where the value is null, and where it has more than 7,000
    /// characters.
    pub fn text_field(&self) -> String {
        format!("{}.value", self.path)
    }

    /// The field that has the value as its type; whatever is no number and no date is a text.
    pub fn value_field(&self, variable_type: VariableType) -> String {
        let field = self.text_field();
        match variable_type {
            VariableType::Short | VariableType::Integer | VariableType::Long => {
                format!("{field}.long")
            }
            VariableType::Double => format!("{field}.double"),
            VariableType::Date => format!("{field}.date"),
            VariableType::String
            | VariableType::Boolean
            | VariableType::Object
            | VariableType::Json => field,
        }
    }

    /// Matches an instance that has this variable, with a value for which the clauses hold.
    pub fn with(&self, clauses: Vec<Value>) -> Value {
        let mut must = self.identity.clone();
        must.extend(clauses);
        nested(self.path, all_of(must))
    }

    /// Matches an instance that does not have this variable, or that has it without a value.
    ///
    /// That is an instance that is not among those that have it and never without a value. Elasticsearch looks for variables without a
    /// value only as far as there are such then, where it asks each instance otherwise.
    pub fn undefined_or_null(&self) -> Value {
        let without_value = Bool {
            must: self.identity.clone(),
            must_not: vec![exists(&self.text_field())],
            ..Bool::default()
        };
        let always_has_value = Bool {
            must: vec![self.with(Vec::new())],
            must_not: vec![nested(self.path, without_value.into())],
            ..Bool::default()
        };
        none_of(vec![always_has_value.into()])
    }

    /// Matches an instance that has this variable with a value.
    pub fn defined(&self) -> Value {
        self.with(vec![exists(&self.text_field())])
    }

    fn clause(&self, filter: &VariableFilter, context: &FilterContext) -> Value {
        let field = self.value_field(filter.variable_type);
        match &filter.condition {
            VariableCondition::OneOf {
                values,
                or_undefined,
                negated,
            } => {
                let mut found = Vec::new();
                if !values.is_empty() || !or_undefined {
                    found.push(self.with(vec![terms(&field, values.clone())]));
                }
                self.list(found, *or_undefined, *negated)
            }
            VariableCondition::Contains {
                texts,
                or_undefined,
                negated,
            } => {
                let found = texts
                    .iter()
                    .map(|text| self.with(vec![self.contains(text)]));
                self.list(found.collect(), *or_undefined, *negated)
            }
            VariableCondition::Compare { operator, bound } => self.with(vec![
                json!({"range": {field: {range_operator(*operator): bound}}}),
            ]),
            VariableCondition::Exists => self.with(Vec::new()),
            VariableCondition::Date(date) => {
                let mut found = Vec::new();
                // Both flags, and a flag and a range, are alternatives: a range beside `excludeUndefined` has no effect.
                if date.include_undefined {
                    found.push(self.undefined_or_null());
                } else if date.exclude_undefined {
                    found.push(self.defined());
                }
                let in_range = dates::clause(date, &field, context);
                found.extend(in_range.map(|in_range| self.with(vec![in_range])));
                any_of(found)
            }
        }
    }

    fn list(&self, mut found: Vec<Value>, or_undefined: bool, negated: bool) -> Value {
        if or_undefined {
            found.push(self.undefined_or_null());
        }
        let found = any_of(found);
        if negated { none_of(vec![found]) } else { found }
    }

    /// A text within the value. Short ones are in the index as they are, longer ones are searched for with wildcards, and
    /// those that the text itself has work as such. Length is counted as Java does it.
    ///
    /// What is too long to be in any value is not searched for: Elasticsearch refuses very long patterns.
    fn contains(&self, text: &str) -> Value {
        let text = text.to_lowercase();
        let field = self.text_field();
        if utf16::units(&text).count() <= LONGEST_GRAM {
            return term(&format!("{field}.nGramField"), text);
        }
        let can_stand_for_nothing = |unit: &u16| [u16::from(b'*'), u16::from(b'\\')].contains(unit);
        let shortest_match = utf16::units(&text).filter(|unit| !can_stand_for_nothing(unit));
        if shortest_match.count() > LONGEST_VALUE {
            return json!({"match_none": {}});
        }
        json!({"wildcard": {format!("{field}.lowercaseField"): {"value": format!("*{text}*")}}})
    }
}

/// A filter on a variable of process instances.
pub(super) fn process_variable_clause(filter: &VariableFilter, context: &FilterContext) -> Value {
    VariableQueries::of_process(&filter.name, filter.variable_type).clause(filter, context)
}

/// A filter on an input of decision instances. The type only decides on the field: it is no part of the question.
pub(super) fn decision_input_clause(filter: &VariableFilter, context: &FilterContext) -> Value {
    VariableQueries::of_decision_input(&filter.name).clause(filter, context)
}

/// A filter on an output of decision instances.
pub(super) fn decision_output_clause(filter: &VariableFilter, context: &FilterContext) -> Value {
    VariableQueries::of_decision_output(&filter.name).clause(filter, context)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{clause, decision_clause};
    use super::*;

    fn nested_variable(name: &str, variable_type: &str, more: &[Value]) -> Value {
        let mut must = vec![
            json!({"term": {"variables.name": {"value": name}}}),
            json!({"term": {"variables.type": {"value": variable_type}}}),
        ];
        must.extend(more.iter().cloned());
        json!({"nested": {"path": "variables", "score_mode": "none", "query": {"bool": {"must": must}}}})
    }

    fn nested_clause(path: &str, more: &[Value]) -> Value {
        let mut must = vec![json!({"term": {format!("{path}.clauseId"): {"value": "v"}}})];
        must.extend(more.iter().cloned());
        json!({"nested": {"path": path, "score_mode": "none", "query": {"bool": {"must": must}}}})
    }

    fn undefined_or_null(variable_type: &str) -> Value {
        json!({"bool": {"must_not": [{"bool": {
            "must": [nested_variable("v", variable_type, &[])],
            "must_not": [{"nested": {"path": "variables", "score_mode": "none", "query": {"bool": {
                "must": [{"term": {"variables.name": {"value": "v"}}}, {"term": {"variables.type": {"value": variable_type}}}],
                "must_not": [{"exists": {"field": "variables.value"}}]}}}}]}}]}})
    }

    fn variable(variable_type: &str, data: Value) -> Value {
        clause(
            "variable",
            "instance",
            json!({"type": variable_type, "name": "v", "data": data}),
        )
    }

    #[test]
    fn values_are_looked_for_in_the_field_of_their_type() {
        for (variable_type, stored, field, values) in [
            (
                "String",
                json!(["a", "B"]),
                "variables.value",
                json!(["a", "B"]),
            ),
            (
                "Short",
                json!(["5", "7"]),
                "variables.value.long",
                json!([5, 7]),
            ),
            ("Integer", json!(["5"]), "variables.value.long", json!([5])),
            (
                "Long",
                json!(["9223372036854775807"]),
                "variables.value.long",
                json!([i64::MAX]),
            ),
            (
                "Double",
                json!(["5", "1.5"]),
                "variables.value.double",
                json!([5.0, 1.5]),
            ),
        ] {
            let found = nested_variable("v", variable_type, &[json!({"terms": {field: values}})]);
            let in_list = json!({"operator": "in", "values": stored});
            assert_eq!(
                variable(variable_type, in_list),
                json!({"bool": {"should": [found]}})
            );
            let not_in = json!({"operator": "not in", "values": stored});
            assert_eq!(
                variable(variable_type, not_in),
                json!({"bool": {"must_not": [{"bool": {"should": [found]}}]}})
            );
        }
    }

    #[test]
    fn null_in_a_list_is_a_variable_that_is_undefined_or_null() {
        for variable_type in ["String", "Long"] {
            let stored = json!({"operator": "in", "values": [null]});
            let undefined = json!({"bool": {"should": [undefined_or_null(variable_type)]}});
            assert_eq!(variable(variable_type, stored), undefined);
            let stored = json!({"operator": "not in", "values": [null]});
            assert_eq!(
                variable(variable_type, stored),
                json!({"bool": {"must_not": [undefined]}})
            );
        }
        let stored = json!({"operator": "in", "values": ["1.5", null]});
        let found = nested_variable(
            "v",
            "Double",
            &[json!({"terms": {"variables.value.double": [1.5]}})],
        );
        let expected = json!({"bool": {"should": [found, undefined_or_null("Double")]}});
        assert_eq!(variable("Double", stored), expected);
    }

    #[test]
    fn what_no_number_can_be_is_found_nowhere() {
        let stored = json!({"operator": "in", "values": ["5", "5.5"]});
        let found = nested_variable(
            "v",
            "Long",
            &[json!({"terms": {"variables.value.long": [5]}})],
        );
        assert_eq!(
            variable("Long", stored),
            json!({"bool": {"should": [found]}})
        );
    }

    #[test]
    fn booleans_have_no_operator() {
        let found = nested_variable(
            "v",
            "Boolean",
            &[json!({"terms": {"variables.value": [false]}})],
        );
        let stored = json!({"values": [false, null]});
        let expected = json!({"bool": {"should": [found, undefined_or_null("Boolean")]}});
        assert_eq!(variable("Boolean", stored), expected);
    }

    #[test]
    fn short_texts_are_grams_and_longer_ones_patterns() {
        let gram = |text: &str| {
            nested_variable(
                "v",
                "String",
                &[json!({"term": {"variables.value.nGramField": {"value": text}}})],
            )
        };
        let pattern = |text: &str| {
            nested_variable(
                "v",
                "String",
                &[json!({"wildcard": {"variables.value.lowercaseField": {"value": text}}})],
            )
        };
        for (text, expected) in [
            ("O w", gram("o w")),
            ("", gram("")),
            ("0123456789", gram("0123456789")),
            ("Hello World", pattern("*hello world*")),
            ("a*b?c\\d and more", pattern("*a*b?c\\d and more*")),
            // Java counts a character outside of the basic plane twice, and lower case letters.
            ("😀😀😀😀😀", gram("😀😀😀😀😀")),
            ("😀😀😀😀😀a", pattern("*😀😀😀😀😀a*")),
            ("123456789İ", pattern("*123456789i\u{307}*")),
        ] {
            let stored = json!({"operator": "contains", "values": [text]});
            assert_eq!(
                variable("String", stored),
                json!({"bool": {"should": [expected]}}),
                "{text}"
            );
        }
        let none = nested_variable("v", "String", &[json!({"match_none": {}})]);
        for (text, expected) in [
            (
                "x".repeat(7_000),
                pattern(&format!("*{}*", "x".repeat(7_000))),
            ),
            ("x".repeat(7_001), none.clone()),
            ("x".repeat(100_000), none),
            ("*".repeat(7_001), pattern(&"*".repeat(7_003))),
        ] {
            let stored = json!({"operator": "contains", "values": [text]});
            assert_eq!(
                variable("String", stored),
                json!({"bool": {"should": [expected]}})
            );
        }
        let stored = json!({"operator": "not contains", "values": ["A", null]});
        let expected = json!({"bool": {"must_not": [{"bool": {"should": [gram("a"), undefined_or_null("String")]}}]}});
        assert_eq!(variable("String", stored), expected);
    }

    #[test]
    fn numbers_are_compared_exactly() {
        for (operator, name) in [("<", "lt"), ("<=", "lte"), (">", "gt"), (">=", "gte")] {
            for (variable_type, field, stored, bound) in [
                ("Short", "variables.value.long", "-5", json!(-5)),
                ("Integer", "variables.value.long", "5", json!(5)),
                (
                    "Long",
                    "variables.value.long",
                    "75309396599875985",
                    json!(75_309_396_599_875_985_i64),
                ),
                ("Double", "variables.value.double", "12.5", json!(12.5)),
            ] {
                let data = json!({"operator": operator, "values": [stored, "1"]});
                let range = json!({"range": {field: {name: bound}}});
                assert_eq!(
                    variable(variable_type, data),
                    nested_variable("v", variable_type, &[range])
                );
            }
        }
    }

    #[test]
    fn numbers_can_be_compared_with_what_is_no_number() {
        for (stored, bound) in [
            ("NaN", "NaN"),
            ("1e999", "Infinity"),
            ("-Infinity", "-Infinity"),
        ] {
            let range = json!({"range": {"variables.value.double": {"lt": bound}}});
            let data = json!({"operator": "<", "values": [stored]});
            assert_eq!(
                variable("Double", data),
                nested_variable("v", "Double", &[range])
            );
        }
    }

    #[test]
    fn a_number_that_contains_something_is_one_that_exists() {
        for operator in ["contains", "not contains"] {
            let data = json!({"operator": operator, "values": ["5"]});
            assert_eq!(
                variable("Integer", data),
                nested_variable("v", "Integer", &[])
            );
        }
    }

    #[test]
    fn dates_have_a_range_or_are_undefined_or_are_set() {
        let range = json!({"range": {"variables.value.date": {
            "gte": "2024-03-31T23:30:00.000+0000", "lte": "2024-03-31T23:30:15.123+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}});
        let in_range = nested_variable("v", "Date", &[range]);
        let defined = nested_variable(
            "v",
            "Date",
            &[json!({"exists": {"field": "variables.value"}})],
        );
        let this_minute = json!({"value": 0, "unit": "minutes"});
        let none = json!(null);
        for (start, include, exclude, expected) in [
            (&this_minute, false, false, vec![in_range.clone()]),
            (
                &this_minute,
                true,
                false,
                vec![undefined_or_null("Date"), in_range.clone()],
            ),
            (&this_minute, false, true, vec![defined.clone(), in_range]),
            (&none, true, true, vec![undefined_or_null("Date")]),
            (&none, false, true, vec![defined]),
        ] {
            let data = json!({"type": "relative", "start": start, "includeUndefined": include, "excludeUndefined": exclude});
            assert_eq!(
                variable("Date", data),
                json!({"bool": {"should": expected}})
            );
        }
        assert_eq!(
            variable("Date", json!({"type": "fixed"})),
            json!({"bool": {}})
        );
    }

    #[test]
    fn one_of_several_variables_is_enough() {
        let stored = json!({"data": [
            {"type": "Boolean", "name": "v", "data": {"values": [false]}},
            {"type": "Double", "name": "w", "data": {"operator": "<", "values": ["2.0"]}}]});
        let v = nested_variable(
            "v",
            "Boolean",
            &[json!({"terms": {"variables.value": [false]}})],
        );
        let w = nested_variable(
            "w",
            "Double",
            &[json!({"range": {"variables.value.double": {"lt": 2.0}}})],
        );
        let expected = json!({"bool": {"should": [{"bool": {"should": [v]}}, w]}});
        assert_eq!(clause("multipleVariable", "instance", stored), expected);
        assert_eq!(
            clause("multipleVariable", "instance", json!({"data": []})),
            json!({"bool": {}})
        );
    }

    #[test]
    fn decision_variables_are_found_by_their_clause_whatever_their_type() {
        for (filter_type, path) in [("inputVariable", "inputs"), ("outputVariable", "outputs")] {
            let with = |variable_type: &str, data: Value| {
                decision_clause(
                    filter_type,
                    json!({"type": variable_type, "name": "v", "data": data}),
                )
            };
            let value = format!("{path}.value");
            let found = |field: &str, values: Value| {
                nested_clause(
                    path,
                    &[json!({"terms": {format!("{value}{field}"): values}})],
                )
            };
            let undefined = json!({"bool": {"must_not": [{"bool": {
                "must": [nested_clause(path, &[])],
                "must_not": [{"nested": {"path": path, "score_mode": "none", "query": {"bool": {
                    "must": [{"term": {format!("{path}.clauseId"): {"value": "v"}}}],
                    "must_not": [{"exists": {"field": value}}]}}}}]}}]}});
            let any_of = |should: &[Value]| json!({"bool": {"should": should}});

            assert_eq!(
                with("String", json!({"operator": "in", "values": ["a", null]})),
                any_of(&[found("", json!(["a"])), undefined.clone()])
            );
            assert_eq!(
                with("String", json!({"operator": "not in", "values": ["a"]})),
                json!({"bool": {"must_not": [any_of(&[found("", json!(["a"]))])]}})
            );
            let contains = nested_clause(
                path,
                &[json!({"term": {format!("{value}.nGramField"): {"value": "a"}}})],
            );
            assert_eq!(
                with("String", json!({"operator": "contains", "values": ["A"]})),
                any_of(std::slice::from_ref(&contains))
            );
            assert_eq!(
                with(
                    "String",
                    json!({"operator": "not contains", "values": ["A"]})
                ),
                json!({"bool": {"must_not": [any_of(&[contains])]}})
            );
            assert_eq!(
                with("Boolean", json!({"values": [true]})),
                any_of(&[found("", json!([true]))])
            );
            assert_eq!(
                with("Integer", json!({"operator": "not in", "values": ["5"]})),
                json!({"bool": {"must_not": [any_of(&[found(".long", json!([5]))])]}})
            );
            assert_eq!(
                with("Double", json!({"operator": ">=", "values": ["200.0"]})),
                nested_clause(
                    path,
                    &[json!({"range": {format!("{value}.double"): {"gte": 200.0}}})]
                )
            );
            let range = json!({"range": {format!("{value}.date"): {"lte": "2024-03-01T00:00:00.000+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}});
            assert_eq!(
                with(
                    "Date",
                    json!({"type": "fixed", "end": "2024-03-01T00:00:00.000+0000", "includeUndefined": true})
                ),
                any_of(&[undefined, nested_clause(path, &[range])])
            );
        }
    }
}
