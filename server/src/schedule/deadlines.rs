//! What waits for somebody, and until when. Here: the order in which it is urgent: pure. Not here: what waits (`store`), for whom
//! (`http`).

use std::collections::BTreeMap;

use loa_protocol::UnixMicros;

/// What is `asked` for, or is to begin after `now` by `starts`: each once, with its earliest start. The soonest come first, then what has no
/// start, in the order in which it was asked for.
pub fn waiting<T: Copy + Ord>(
    now: UnixMicros,
    asked: &[T],
    starts: impl IntoIterator<Item = (T, UnixMicros)>,
) -> Vec<(T, Option<UnixMicros>)> {
    let mut first: BTreeMap<T, UnixMicros> = BTreeMap::new();
    for (it, start) in starts.into_iter().filter(|it| it.1 > now) {
        first.entry(it).and_modify(|at| *at = start.min(*at)).or_insert(start);
    }
    let mut due: Vec<_> = first.iter().map(|(it, at)| (*it, Some(*at))).collect();
    due.sort_by_key(|it| it.1);
    let others = asked.iter().filter(|it| !first.contains_key(it));
    due.extend(others.map(|it| (*it, None)));
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soonest_is_the_most_urgent() {
        let at = UnixMicros;
        let starts = [
            ('b', at(300)),
            ('a', at(500)),
            ('b', at(200)),
            ('c', at(100)),
            ('c', at(50)),
        ];
        let due = waiting(at(100), &['z', 'a', 'y'], starts);
        let wanted = [('b', Some(at(200))), ('a', Some(at(500))), ('z', None), ('y', None)];
        // What has begun waits for nothing any more.
        assert_eq!(due, wanted);
        assert_eq!(waiting::<char>(at(600), &[], starts), []);
    }
}
