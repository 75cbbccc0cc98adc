//! Packets that wait for their time. Here: fixed memory that all streams share. Not here: which packets are wanted.
//!
//! Packets lie one after the other, so that a decoder gets them as they are; holes are closed only when there is no room left
//! at the end.

use heapless::Vec;

/// Bytes of packets: 1.5 s of two streams at 64 kbit/s.
const BYTES: usize = 24 * 1024;
/// Packets: 1.2 s of two streams at 20 ms.
const PACKETS: usize = 128;

#[derive(Clone, Copy)]
struct Entry {
    index: u64,
    at: u16,
    length: u16,
    stream: u8,
}

/// The packets of up to 256 streams.
pub(crate) struct Jitter {
    entries: Vec<Entry, PACKETS>,
    bytes: [u8; BYTES],
    end: usize,
}

impl Default for Jitter {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            bytes: [0; BYTES],
            end: 0,
        }
    }
}

impl Jitter {
    /// Keeps a packet that is not there yet; `false` if there is no room.
    pub(crate) fn insert(&mut self, stream: u8, index: u64, payload: &[u8]) -> bool {
        if self.entries.is_full() {
            return false;
        }
        if self.end + payload.len() > BYTES {
            self.close_holes();
        }
        let (Some(room), Ok(length)) = (
            self.bytes.get_mut(self.end..self.end + payload.len()),
            u16::try_from(payload.len()),
        ) else {
            return false;
        };
        room.copy_from_slice(payload);
        let at = self.end as u16;
        let _ = self.entries.push(Entry {
            index,
            at,
            length,
            stream,
        });
        self.end += payload.len();
        true
    }

    pub(crate) fn get(&self, stream: u8, index: u64) -> Option<&[u8]> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.stream == stream && entry.index == index)?;
        self.bytes
            .get(usize::from(entry.at)..usize::from(entry.at) + usize::from(entry.length))
    }

    /// Forgets all packets of a stream before `index`.
    pub(crate) fn forget(&mut self, stream: u8, before: u64) {
        // Order is kept: holes are closed from the front.
        self.entries
            .retain(|entry| entry.stream != stream || entry.index >= before);
        if self.entries.is_empty() {
            self.end = 0;
        }
    }

    fn close_holes(&mut self) {
        let mut end = 0;
        for entry in &mut self.entries {
            let (from, length) = (usize::from(entry.at), usize::from(entry.length));
            self.bytes.copy_within(from..from + length, end);
            entry.at = end as u16;
            end += length;
        }
        self.end = end;
    }
}

const _: () = assert!(BYTES <= u16::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// It holds what was put in and not taken out, and a second of it fits whatever happened before.
        #[test]
        fn as_a_map(steps in proptest::collection::vec((0u8..3, 0u64..40, 0usize..700, any::<bool>()), 0..300)) {
            let mut jitter = Jitter::default();
            let mut map = BTreeMap::<(u8, u64), std::vec::Vec<u8>>::new();
            for (stream, index, length, forget) in steps {
                if forget {
                    jitter.forget(stream, index);
                    map.retain(|(s, i), _| *s != stream || *i >= index);
                } else if !map.contains_key(&(stream, index)) {
                    let payload = vec![(index as u8) ^ stream; length];
                    let full = map.len() == PACKETS || map.values().map(|payload| payload.len()).sum::<usize>() + length > BYTES;
                    prop_assert_eq!(jitter.insert(stream, index, &payload), !full);
                    if !full {
                        map.insert((stream, index), payload);
                    }
                }
                for stream in 0..3 {
                    for index in 0..40 {
                        prop_assert_eq!(jitter.get(stream, index), map.get(&(stream, index)).map(|payload| &payload[..]));
                    }
                }
            }
        }
    }
}
