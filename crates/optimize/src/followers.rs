//! Which of known names comes after which: mostly instances list what they have in the same order.

/// Finds the number of the next name of a row by guessing that it is the one that followed the name before it in the last row that had
/// that. Numbers are from 0 on, without large gaps: there is room for each that was found.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    /// The follower of each number, behind that of the beginning of a row.
    of: Vec<usize>,
    /// The place in it that belongs to the name before.
    place: usize,
}

impl Followers {
    /// Begins a row.
    pub(crate) fn begin_row(&mut self) {
        self.place = 0;
    }

    /// The number of the next name of the row: the one that is guessed if `is_it`, and what `look_up` gives otherwise. A name that
    /// has none does not count.
    #[inline]
    pub(crate) fn find(
        &mut self,
        is_it: impl FnOnce(usize) -> bool,
        look_up: impl FnOnce() -> Option<usize>,
    ) -> Option<usize> {
        let number = match self.of.get(self.place) {
            Some(guess) if is_it(*guess) => *guess,
            _ => self.learn(look_up()?),
        };
        self.place = number + 1;
        Some(number)
    }

    fn learn(&mut self, number: usize) -> usize {
        if self.of.len() <= self.place {
            self.of.resize(self.place + 1, number);
        }
        if let Some(follower) = self.of.get_mut(self.place) {
            *follower = number;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    /// The numbers of the names of a row, and how many of them were looked up.
    fn find(followers: &mut Followers, row: &[&str]) -> (Vec<Option<usize>>, usize) {
        let looked_up = Cell::new(0);
        followers.begin_row();
        let numbers = row.iter().map(|name| {
            followers.find(
                |guess| NAMES.get(guess) == Some(name),
                || {
                    looked_up.set(looked_up.get() + 1);
                    NAMES.iter().position(|known| known == name)
                },
            )
        });
        (numbers.collect(), looked_up.get())
    }

    #[test]
    fn what_came_in_this_order_before_is_not_looked_up_again() {
        let mut followers = Followers::default();
        assert_eq!(find(&mut followers, &["a", "c", "d"]).1, 3);
        assert_eq!(find(&mut followers, &["a", "c", "d"]).1, 0);
        // One more in between, one less, and one that nobody knows.
        assert_eq!(find(&mut followers, &["a", "b", "c", "d"]).1, 2);
        assert_eq!(find(&mut followers, &["a", "c", "d"]).1, 1);
        assert_eq!(find(&mut followers, &["a", "x", "c", "d"]).1, 1);
        assert_eq!(find(&mut followers, &["d"]).1, 1);
    }

    proptest! {
        #[test]
        fn every_name_has_its_number(rows in prop::collection::vec(prop::collection::vec("[a-e]", 0..8), 0..12)) {
            let mut followers = Followers::default();
            for row in &rows {
                let row: Vec<&str> = row.iter().map(String::as_str).collect();
                let expected: Vec<_> = row.iter().map(|name| NAMES.iter().position(|known| known == name)).collect();
                prop_assert_eq!(find(&mut followers, &row).0, expected);
            }
            prop_assert!(followers.of.len() <= NAMES.len() + 1);
        }
    }
}
