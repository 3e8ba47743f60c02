//! What somebody may see of a report: definitions, tenants and columns.
//!
//! Optimize itself has no such rights behind its public API: whoever has a token reads everything. So nothing here is Optimize's.
//!
//! [`Limits`] are those of one rule, [`Restrictions`] those of all rules that somebody falls under: all of them hold, so that
//! no combination gives more than each one alone. What they say about definitions and tenants becomes a part of the query, and
//! holds whatever the report says.

use serde_json::{Value, json};

use crate::scope::{DefinitionKind, DefinitionScope, Scope};

pub mod columns;
mod parts;
mod patterns;

pub use parts::{Part, parts};
pub use patterns::Patterns;

/// Tenants that may be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tenants {
    /// Those with an id.
    pub named: Patterns,
    /// Whether instances without a tenant may be seen.
    pub none: bool,
}

impl Tenants {
    fn allow(&self, tenant: Option<&str>) -> bool {
        tenant.map_or(self.none, |tenant| self.named.match_text(tenant))
    }

    fn query(&self, field: &str) -> Value {
        let without = json!({"bool": {"must_not": [{"exists": {"field": field}}]}});
        let should = (self.named.queries(field).into_iter()).chain(self.none.then_some(without));
        any_of(should.collect())
    }
}

/// What one rule allows. What is not given is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Keys of process definitions. Where only decisions are given, no process is allowed.
    pub processes: Option<Patterns>,
    /// Keys of decision definitions. Where only processes are given, no decision is allowed.
    pub decisions: Option<Patterns>,
    /// Tenants.
    pub tenants: Option<Tenants>,
    /// Columns that are left out, as tables call them: `variable:iban`, `input:…`, `output:…`, `businessKey`.
    pub left_out: Patterns,
}

impl Limits {
    /// The keys that are allowed of a kind; `None` if any is.
    fn definitions(&self, kind: DefinitionKind) -> Option<&Patterns> {
        static NOTHING: Patterns = Patterns::NONE;
        let of_kind = match kind {
            DefinitionKind::Process => &self.processes,
            DefinitionKind::Decision => &self.decisions,
        };
        let is_limited = self.processes.is_some() || self.decisions.is_some();
        is_limited.then(|| of_kind.as_ref().unwrap_or(&NOTHING))
    }

    /// What an instance has to match.
    fn clauses(&self, kind: DefinitionKind) -> impl Iterator<Item = Value> {
        let fields = kind.instance_fields();
        let keys = self.definitions(kind);
        let keys = keys.map(|keys| any_of(keys.queries(fields.key)));
        let tenants = self.tenants.as_ref();
        let tenants = tenants.map(|tenants| tenants.query(fields.tenant));
        keys.into_iter().chain(tenants)
    }
}

/// One of these has to match.
fn any_of(should: Vec<Value>) -> Value {
    if should.is_empty() {
        return json!({"match_none": {}});
    }
    json!({"bool": {"minimum_should_match": 1, "should": should}})
}

/// The limits of all rules that somebody falls under. None restrict nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restrictions(Vec<Limits>);

impl Restrictions {
    /// All of these hold.
    pub fn all_of(limits: impl IntoIterator<Item = Limits>) -> Self {
        Self(limits.into_iter().collect())
    }

    /// Whether everything may be seen.
    pub fn is_none(&self) -> bool {
        self.0.iter().all(|limits| *limits == Limits::default())
    }

    /// Whether instances of a definition may be seen.
    pub fn allow_definition(&self, kind: DefinitionKind, key: &str) -> bool {
        let mut limits = self.0.iter();
        limits.all(|limits| (limits.definitions(kind)).is_none_or(|keys| keys.match_text(key)))
    }

    /// Whether instances of some definition of a kind may be seen, as far as each rule alone tells.
    pub fn allow_some_definition(&self, kind: DefinitionKind) -> bool {
        let mut keys = self.0.iter().filter_map(|limits| limits.definitions(kind));
        keys.all(|keys| *keys != Patterns::NONE)
    }

    /// Whether instances of a tenant may be seen; none is that of instances without one.
    pub fn allow_tenant(&self, tenant: Option<&str>) -> bool {
        let mut tenants = self.0.iter().filter_map(|limits| limits.tenants.as_ref());
        tenants.all(|tenants| tenants.allow(tenant))
    }

    /// Whether a column is left out.
    #[inline]
    pub fn leave_out(&self, column: &str) -> bool {
        (self.0.iter()).any(|limits| limits.left_out.match_text(column))
    }

    /// The same for a column whose name is made of a prefix and the name of what it shows.
    pub fn leave_out_named(&self, prefix: &str, name: &str) -> bool {
        (self.0.iter()).any(|limits| limits.left_out.match_two(prefix, name))
    }

    /// Takes out of a list what is left out; the names of columns are made of a prefix and the names of the items.
    pub fn take_out<T>(
        &self,
        prefix: &str,
        items: &mut Vec<T>,
        name_of: impl Fn(&T) -> Option<&str>,
    ) {
        if self.leave_out_something() {
            items.retain(|item| {
                name_of(item).is_none_or(|name| !self.leave_out_named(prefix, name))
            });
        }
    }

    /// Whether there are columns that are left out.
    #[inline]
    pub fn leave_out_something(&self) -> bool {
        (self.0.iter()).any(|limits| limits.left_out != Patterns::NONE)
    }

    /// What is left of a scope: only definitions and tenants that may be seen. Its query says the same once more, for each
    /// instance, because a report may name no definition at all.
    pub fn narrow(&self, scope: Scope) -> Scope {
        if self.is_none() {
            return scope;
        }
        let kind = scope.kind;
        let is_left = |definition: &mut DefinitionScope| {
            let had_tenants = !definition.tenant_ids.is_empty();
            (definition.tenant_ids).retain(|tenant| self.allow_tenant(tenant.as_deref()));
            let has_tenants = !definition.tenant_ids.is_empty();
            // Names of its flow nodes would show, and its own.
            self.allow_definition(kind, &definition.key) && (has_tenants || !had_tenants)
        };
        let limits = self.0.iter().flat_map(|limits| limits.clauses(kind));
        scope.narrowed(is_left, limits.collect())
    }

    /// Text that two restrictions have in common only if they are the same; `None` if everything may be seen. It is made of the
    /// names of members too: another release may write it differently, and make clients start over.
    pub fn canonical(&self) -> Option<String> {
        (!self.is_none()).then(|| format!("{:?}", self.0))
    }
}

#[cfg(test)]
mod tests;
