//! The members of an object, but for those that somebody may not see.

use optimize::access::Restrictions;
use optimize::json::JsonText;
use optimize::raw_data::dates::RowDate;
use optimize::raw_data::document::Text;

use super::text;

/// What tables call the column that shows the same as a member, and the text of the member up to its value, such as `"businessKey":`.
pub type Member<'m> = (&'m str, &'m str);

/// A member that is called as its column is.
macro_rules! column {
    ($name:literal) => {
        ($name, concat!("\"", $name, "\":"))
    };
}
pub(super) use column;

/// Writes the names of members. A member is left out where the column of a table is that shows the same.
pub struct Members<'r> {
    /// None where nothing is left out, as mostly.
    restrictions: Option<&'r Restrictions>,
    is_first: bool,
}

impl<'r> Members<'r> {
    /// Of an object that has none yet.
    #[inline]
    pub fn new(restrictions: &'r Restrictions) -> Self {
        Self {
            restrictions: restrictions.leave_out_something().then_some(restrictions),
            is_first: true,
        }
    }

    /// Begins a member. False where it is left out.
    #[inline]
    pub fn begin(&mut self, (column, begin): Member<'_>, out: &mut JsonText) -> bool {
        if (self.restrictions).is_some_and(|restrictions| restrictions.leave_out(column)) {
            return false;
        }
        self.begin_always(begin, out);
        true
    }

    /// Begins a member that no table has as a column: what is in it is left out by columns of its own.
    #[inline]
    pub fn begin_always(&mut self, begin: &str, out: &mut JsonText) {
        if !std::mem::take(&mut self.is_first) {
            out.raw(",");
        }
        out.raw(begin);
    }

    /// Writes a member that is a text.
    #[inline]
    pub fn text(&mut self, member: Member<'_>, value: &Text<'_>, out: &mut JsonText) {
        if self.begin(member, out) {
            text::write(value, out);
        }
    }

    /// Writes a member that is a date.
    #[inline]
    pub fn date(&mut self, member: Member<'_>, value: &RowDate<'_>, out: &mut JsonText) {
        if self.begin(member, out) {
            text::write_date(value, out);
        }
    }
}
