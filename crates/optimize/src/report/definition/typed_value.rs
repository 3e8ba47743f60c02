//! The shape `{"type": …, "value": …}` in which groupings and distributions are stored.

use serde::{Deserialize, de};

use super::enums::DateUnit;

/// A discriminator, and a value that is only read once the discriminator is known.
#[derive(Deserialize)]
pub(super) struct TypedValue {
    /// The discriminator.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    value: serde_json::Value,
}

impl TypedValue {
    /// Reads the value as what the discriminator asks for.
    pub fn value<'de, T: Deserialize<'de>, E: de::Error>(self) -> Result<T, E> {
        let kind = self.kind;
        T::deserialize(self.value)
            .map_err(|error| E::custom(format!("value of type `{kind}`: {error}")))
    }
}

/// The value of a grouping by date.
#[derive(Deserialize)]
pub(super) struct Unit {
    /// Length of a bucket.
    pub unit: DateUnit,
}
