//! What the rows of all tables have in common.

use jiff::tz::TimeZone;

use super::schema::{Column, ColumnType};
use super::value::{Instant, Value};
use crate::raw_data::dates;
use crate::raw_data::document::Text;
use crate::raw_data::reuse::emptied;

/// Takes the rows of a table, one after the other; its error ends the table.
pub type EachRow<'f, E> = &'f mut dyn FnMut(&[Value<'_>]) -> Result<(), E>;

/// The room of a row, which the next row uses again.
#[derive(Debug, Default)]
pub(super) struct Room(Vec<Value<'static>>);

impl Room {
    /// An empty row.
    pub fn take<'d>(&mut self) -> Vec<Value<'d>> {
        std::mem::take(&mut self.0)
    }

    /// Gives the room of a row back.
    pub fn give_back(&mut self, row: Vec<Value<'_>>) {
        self.0 = emptied(row);
    }
}

/// What a column is that a table always has.
pub(super) struct Fixed {
    column_type: ColumnType,
    is_nullable: bool,
    source: &'static str,
}

impl Fixed {
    /// One that may lack values: a stored document may lack anything.
    pub const fn nullable(column_type: ColumnType, source: &'static str) -> Self {
        Self {
            column_type,
            is_nullable: true,
            source,
        }
    }

    /// One that has a value in every row, because it is counted and not read.
    pub const fn required(column_type: ColumnType, source: &'static str) -> Self {
        Self {
            is_nullable: false,
            ..Self::nullable(column_type, source)
        }
    }

    /// The column, under its name.
    pub fn column(&self, name: &str) -> Column {
        match self.is_nullable {
            true => Column::nullable(name, self.column_type, self.source),
            false => Column::required(name, self.column_type, self.source),
        }
    }
}

/// Those of all columns that were selected, in the order wanted.
pub(super) fn selected<T: Copy>(all: &[T], positions: &[usize]) -> Vec<T> {
    let positions = positions.iter();
    positions.filter_map(|at| all.get(*at).copied()).collect()
}

/// A stored text.
pub(super) fn text<'d>(stored: &'d Text<'_>) -> Value<'d> {
    Value::text(stored.as_deref())
}

/// A stored date, shown as in a row of raw data.
pub(super) fn date<'d>(stored: &'d Text<'_>, zone: Option<&TimeZone>) -> Value<'d> {
    stored.as_deref().map_or(Value::Null, |stored| {
        Value::Instant(Instant {
            millis: dates::epoch_millis(stored),
            shown: dates::shown(stored, zone),
        })
    })
}

/// `true` or `false`. Elasticsearch takes nothing else for a field of booleans, but for an empty text, which it takes for
/// false (its reference, "Boolean field type").
pub(super) fn boolean(stored: &Text<'_>) -> Value<'static> {
    match stored.as_deref() {
        Some("true") => Value::Boolean(true),
        Some("false" | "") => Value::Boolean(false),
        _ => Value::Null,
    }
}

/// A number of things.
pub(super) fn count(number: usize) -> Value<'static> {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::raw_data::cursor::{Cursor, Read};

    /// Rows as text: a cell as its encoders would get it, with its kind.
    pub fn shown(row: &[Value<'_>]) -> String {
        let cell = |value: &Value<'_>| match value {
            Value::Null => "-".to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::Integer(number) => number.to_string(),
            Value::Double(number) => format!("{number:?}"),
            Value::Boolean(value) => value.to_string(),
            Value::Instant(Instant { millis, shown }) => match millis {
                Some(millis) => format!("{shown}={millis}"),
                None => format!("{shown}=?"),
            },
            Value::List(texts) => format!("{texts:?}"),
            Value::Json(json) => format!("json {json}"),
        };
        row.iter().map(cell).collect::<Vec<_>>().join(" | ")
    }

    /// Reads a document, which something has to follow.
    pub fn read<'a, T: Read<'a>>(json: &'a str) -> T {
        Cursor::new(json).read().unwrap()
    }

    #[test]
    fn the_room_of_a_row_is_used_again() {
        let mut room = Room::default();
        let mut row = room.take();
        let text = String::from("text");
        row.extend((0..100).map(|_| Value::text(Some(&text))));
        let capacity = row.capacity();
        room.give_back(row);
        let row = room.take();
        assert!(row.is_empty());
        assert_eq!(row.capacity(), capacity);
    }

    #[test]
    fn a_date_that_is_none_is_shown_as_it_is() {
        let soon: Text<'_> = read("\"soon\" ");
        assert_eq!(shown(&[date(&soon, None)]), "soon=?");
        assert_eq!(date(&Text::default(), None), Value::Null);
    }

    #[test]
    fn booleans_are_what_elasticsearch_takes_for_them() {
        for (stored, expected) in [
            ("true ", "true"),
            ("\"false\" ", "false"),
            ("\"\" ", "false"),
            ("null ", "-"),
            ("\"yes\" ", "-"),
        ] {
            assert_eq!(shown(&[boolean(&read(stored))]), expected);
        }
    }
}
