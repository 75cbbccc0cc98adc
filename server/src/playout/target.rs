//! Who a broadcast is addressed to. Here: areas with everything below them, and receivers, resolved to receivers with
//! the depth that precedence wants. Not here: asking the database.

use std::collections::BTreeMap;

use loa_protocol::ReceiverId;

use super::archive::{BroadcastRow, ReceiverRow};
use crate::schedule::forecast;

/// The receivers that `broadcast` is addressed to, each with how deep the area lies that it was addressed by (0 is the
/// root; one addressed by itself lies below its own area).
pub(super) fn resolve<'a>(
    broadcast: &BroadcastRow,
    receivers: impl IntoIterator<Item = &'a ReceiverRow>,
) -> BTreeMap<ReceiverId, u8> {
    let depth = |it: &ReceiverRow| forecast::depth(&broadcast.areas, &broadcast.receivers, it.id, &it.areas);
    receivers
        .into_iter()
        .filter_map(|receiver| Some((receiver.id, depth(receiver)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use loa_protocol::key::Secret;
    use loa_protocol::precedence::Class;
    use loa_protocol::{AreaId, BroadcastId, UnixMicros};

    #[test]
    fn areas_reach_down_and_the_nearest_to_the_root_counts() {
        let (province, commune, village, other) = (AreaId([1; 16]), AreaId([2; 16]), AreaId([3; 16]), AreaId([4; 16]));
        let receiver = |n: u8, areas: &[AreaId]| ReceiverRow {
            id: ReceiverId([n; 16]),
            secret: Secret([n; 32]),
            epoch: 0,
            renewal: None,
            last: Default::default(),
            areas: areas.to_vec(),
            volume: 80,
            place: Default::default(),
            key_number: None,
        };
        let all = [
            receiver(1, &[province, commune, village]),
            receiver(2, &[province, commune]),
            receiver(3, &[province, other]),
            receiver(4, &[province]),
        ];
        let broadcast = |areas: &[AreaId], receivers: &[u8]| BroadcastRow {
            id: BroadcastId([0; 16]),
            class: Class::Normal,
            start: UnixMicros(0),
            begun: false,
            overrides: false,
            programme: Default::default(),
            samples: 0,
            live: None,
            areas: areas.to_vec(),
            receivers: receivers.iter().map(|n| ReceiverId([*n; 16])).collect(),
        };
        let got = |areas: &[AreaId], receivers: &[u8]| -> Vec<(u8, u8)> {
            resolve(&broadcast(areas, receivers), &all)
                .into_iter()
                .map(|(id, depth)| (id.0[0], depth))
                .collect()
        };
        assert_eq!(got(&[commune], &[]), [(1, 1), (2, 1)]);
        assert_eq!(got(&[village, province], &[]), [(1, 0), (2, 0), (3, 0), (4, 0)]);
        assert_eq!(got(&[village], &[3]), [(1, 2), (3, 2)]);
        assert_eq!(got(&[], &[]), []);
    }
}
