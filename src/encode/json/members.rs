//! The members of an object, but for those that somebody may not see.

use optimize::access::Restrictions;
use optimize::json::JsonText;

/// Writes the names of members. A member is left out where a table's column of the same name is.
pub struct Members<'r> {
    /// None where nothing is left out, as mostly.
    restrictions: Option<&'r Restrictions>,
    /// What tables have before the name.
    prefix: &'static str,
    is_first: bool,
}

impl<'r> Members<'r> {
    /// Of an object that has none yet, which tables have as columns of their own.
    pub fn new(restrictions: &'r Restrictions) -> Self {
        Self::with_prefix("", restrictions)
    }

    /// Of an object whose members tables have as columns with this prefix.
    pub fn with_prefix(prefix: &'static str, restrictions: &'r Restrictions) -> Self {
        Self {
            restrictions: restrictions.leave_out_something().then_some(restrictions),
            prefix,
            is_first: true,
        }
    }

    /// Begins a member; `begin` is its text up to its value, such as `"businessKey":`. False where it is left out.
    pub fn begin(&mut self, begin: &str, out: &mut JsonText) -> bool {
        let name = || begin.trim_end_matches(':').trim_matches('"');
        if (self.restrictions)
            .is_some_and(|restrictions| restrictions.leave_out_named(self.prefix, name()))
        {
            return false;
        }
        if !std::mem::take(&mut self.is_first) {
            out.raw(",");
        }
        out.raw(begin);
        true
    }
}
