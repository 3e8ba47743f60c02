//! Numbers that look random and are the same on every machine.

/// The seed of all sample data.
const SEED: u64 = 0x0071_3125_E7B0_4A57;

/// A SplitMix64 generator: small, even enough for sample data, and its results are fixed by its definition and not by a library's version.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of the item `number` of one kind. Items do not depend on each other, so a smaller sample is the beginning of a larger one.
    pub fn of_item(kind: u64, number: u64) -> Self {
        let mut random = Self {
            state: SEED ^ kind.rotate_left(40) ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93),
        };
        random.next();
        random
    }

    /// A generator that a caller has chosen, for what need not be the same every time.
    pub fn seeded(seed: u64, number: u64) -> Self {
        let mut random = Self {
            state: seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93),
        };
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let count = u64::try_from(high - low).unwrap_or(0) + 1;
        low + i64::try_from(self.next() % count).unwrap_or(0)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: i64) -> bool {
        self.between(1, 100) <= chance
    }

    /// One of the choices.
    pub fn one_of<T: Copy>(&mut self, choices: &[T], otherwise: T) -> T {
        let last = i64::try_from(choices.len()).unwrap_or(i64::MAX) - 1;
        let index = usize::try_from(self.between(0, last.max(0))).unwrap_or(0);
        choices.get(index).copied().unwrap_or(otherwise)
    }

    /// An identifier in the form of a UUID.
    pub fn id(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-11ef-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            0x8000 | (high & 0x3FFF),
            low & 0xFFFF_FFFF_FFFF
        )
    }
}
