//! Which of several broadcasts a receiver plays: the rule that server and receiver both apply, so that they agree.

use crate::{BroadcastId, Error, UnixMicros};
use core::cmp::Reverse;

/// How urgent a bulletin is (Circular 39/2020: thông thường, ưu tiên, khẩn cấp). The numbers are those on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Class {
    /// Thông thường.
    #[default]
    Normal = 0,
    /// Ưu tiên.
    Priority = 1,
    /// Khẩn cấp: plays at once, at any hour.
    Emergency = 2,
}

impl TryFrom<u8> for Class {
    type Error = Error;

    fn try_from(number: u8) -> Result<Self, Error> {
        match number {
            0 => Ok(Self::Normal),
            1 => Ok(Self::Priority),
            2 => Ok(Self::Emergency),
            _ => Err(Error::OutOfRange("class")),
        }
    }
}

/// What decides between broadcasts that want the same receiver at the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// Its class.
    pub class: Class,
    /// How deep in the tree the area lies that it was addressed to; 0 is the root.
    pub depth: u8,
    /// When it begins.
    pub start: UnixMicros,
    /// Its identifier: the last resort, so that there is always one answer.
    pub broadcast: BroadcastId,
}

/// Whether `a` plays and `b` gives way: the higher class, then the area nearer the root, then the earlier start, then the
/// smaller identifier.
#[must_use]
pub fn goes_before(a: &Rank, b: &Rank) -> bool {
    let key = |rank: &Rank| (Reverse(rank.class), rank.depth, rank.start, rank.broadcast);
    key(a) < key(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rank(class: Class, depth: u8, start: u64, id: u8) -> Rank {
        Rank {
            class,
            depth,
            start: UnixMicros(start),
            broadcast: BroadcastId([id; 16]),
        }
    }

    #[test]
    fn each_rule_yields_to_the_one_before() {
        let order = [
            rank(Class::Emergency, 3, 9, 9),
            rank(Class::Priority, 0, 9, 9),
            rank(Class::Priority, 1, 5, 9),
            rank(Class::Priority, 1, 6, 1),
            rank(Class::Priority, 1, 6, 2),
            rank(Class::Normal, 0, 0, 0),
        ];
        for pair in order.windows(2) {
            assert!(
                goes_before(&pair[0], &pair[1]) && !goes_before(&pair[1], &pair[0]),
                "{pair:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn of_two_different_broadcasts_exactly_one_goes_before(
            (c1, d1, s1, i1) in (0u8..3, 0u8..4, 0u64..4, 0u8..4),
            (c2, d2, s2, i2) in (0u8..3, 0u8..4, 0u64..4, 4u8..8),
        ) {
            let a = rank(Class::try_from(c1).unwrap(), d1, s1, i1);
            let b = rank(Class::try_from(c2).unwrap(), d2, s2, i2);
            prop_assert!(goes_before(&a, &b) != goes_before(&b, &a));
        }
    }
}
