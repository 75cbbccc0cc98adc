//! Priority from above and priority of one's own. Here: where the two meet, and which goes first as things are: pure. Whoever answers for
//! the area decides whether that is right. Not here: what else gets into each other's way (`forecast`).

use loa_protocol::precedence::{Class, Rank, goes_before};
use loa_protocol::{BroadcastId, UnixMicros};

use super::forecast::{Item, Spot, depth};

/// Two of class priority that are to sound at one time and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rivals {
    /// The one from above.
    pub above: BroadcastId,
    /// One's own.
    pub own: BroadcastId,
    /// From when on both are to sound.
    pub from: UnixMicros,
    /// Until when.
    pub to: UnixMicros,
    /// At how many receivers.
    pub receivers: usize,
    /// The one from above goes first.
    pub above_first: bool,
}

/// Where what comes from `above` and what is one's `own` meet at `spots`, in the order of time.
pub fn rivals(spots: &[Spot], above: &[Item], own: &[Item]) -> Vec<Rivals> {
    let mut found = Vec::new();
    for one in above.iter().filter(|it| it.class == Class::Priority) {
        for other in own.iter().filter(|it| it.class == Class::Priority) {
            let (from, to) = (one.start.max(other.start), one.end.min(other.end));
            if from >= to {
                continue;
            }
            let both = spots
                .iter()
                .filter_map(|spot| Some((rank(one, spot)?, rank(other, spot)?)));
            let both: Vec<_> = both.collect();
            let Some((first, second)) = both.first() else { continue };
            found.push(Rivals {
                above: one.broadcast,
                own: other.broadcast,
                from,
                to,
                receivers: both.len(),
                above_first: goes_before(first, second),
            });
        }
    }
    found.sort_by_key(|it| (it.from, it.above, it.own));
    found
}

fn rank(it: &Item, spot: &Spot) -> Option<Rank> {
    Some(Rank {
        class: it.class,
        depth: depth(&it.areas, &it.receivers, spot.receiver, &spot.path)?,
        start: it.start,
        broadcast: it.broadcast,
    })
}

#[cfg(test)]
mod tests {
    use loa_protocol::{AreaId, ReceiverId};

    use super::*;

    fn item(n: u8, class: Class, (start, end): (u64, u64), area: u8) -> Item {
        Item {
            broadcast: BroadcastId([n; 16]),
            class,
            start: UnixMicros(start),
            end: UnixMicros(end),
            overrides: false,
            areas: vec![AreaId([area; 16])],
            receivers: Vec::new(),
        }
    }

    #[test]
    fn only_priority_at_one_time_and_place_is_to_be_decided() {
        let spot = |n: u8, path: &[u8]| Spot {
            receiver: ReceiverId([n; 16]),
            path: path.iter().map(|n| AreaId([*n; 16])).collect(),
        };
        let spots = [spot(1, &[1, 2, 3]), spot(2, &[1, 2])];
        let to_all = item(10, Class::Priority, (100, 200), 1);
        let accepted = item(11, Class::Priority, (150, 260), 2);
        let own = item(20, Class::Priority, (120, 180), 2);
        let of_village = item(21, Class::Priority, (120, 130), 3);
        let others = [
            item(22, Class::Normal, (100, 200), 2),
            item(23, Class::Priority, (260, 300), 2),
            item(24, Class::Priority, (100, 200), 9),
        ];
        let mine = [&[own.clone(), of_village.clone()], &others[..]].concat();
        let found = rivals(&spots, &[to_all.clone(), accepted.clone()], &mine);
        let rivals = |above: &Item, own: &Item, (from, to), receivers, above_first| Rivals {
            above: above.broadcast,
            own: own.broadcast,
            from: UnixMicros(from),
            to: UnixMicros(to),
            receivers,
            above_first,
        };
        let wanted = [
            rivals(&to_all, &own, (120, 180), 2, true),
            rivals(&to_all, &of_village, (120, 130), 1, true),
            // The same area: the earlier goes first.
            rivals(&accepted, &own, (150, 180), 2, false),
        ];
        assert_eq!(found, wanted);
    }
}
