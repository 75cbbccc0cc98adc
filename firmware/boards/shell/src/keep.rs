//! How a board keeps what has changed since it was flashed by cable: as a record beside that, which stays as it was. Here: the record's
//! bytes. Not here: what is kept ([`loa_protocol::flash`]); where it goes, which is a board's: to a place that does not hold
//! the latest record, so that a loss of power at any instant leaves that.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–7 | fingerprint of everything that follows, up to its end |
//! | 8–15 | fingerprint of what was flashed by cable: another cable, another life |
//! | 16–19 | count: the highest is the latest |
//! | 20–21 | length of the rest |
//! | 22– | what would have been flashed |

use loa_protocol::enrolment::MAX_ENROLMENT;
use loa_protocol::report::fingerprint;

const HEAD: usize = 22;
/// Length of a record, in bytes: whole pages of flash.
pub const RECORD: usize = (HEAD + MAX_ENROLMENT).next_multiple_of(256);

/// What was found: the latest record.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept<'p> {
    /// Which of the places it is in.
    pub place: usize,
    /// Its count.
    pub count: u32,
    /// What is in it.
    pub flash: &'p [u8],
}

/// Makes record number `count`; `flashed` is the partition that was written by cable, at least [`MAX_ENROLMENT`] bytes. `None` if
/// `flash` does not fit.
#[must_use]
pub fn record(flashed: &[u8], count: u32, flash: &[u8]) -> Option<[u8; RECORD]> {
    let mut record = [0xFF; RECORD];
    let length = flash.len();
    record.get_mut(HEAD..HEAD + length)?.copy_from_slice(flash);
    record[8..16].copy_from_slice(&origin(flashed)?);
    record[16..20].copy_from_slice(&count.to_be_bytes());
    record[20..22].copy_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
    let proof = fingerprint(&record[8..HEAD + length]);
    record[..8].copy_from_slice(&proof);
    Some(record)
}

/// The latest record in `places`; those that are half written, or belong to another life, are passed over.
#[must_use]
pub fn latest<'p>(flashed: &[u8], places: impl IntoIterator<Item = &'p [u8]>) -> Option<Kept<'p>> {
    let origin = origin(flashed)?;
    let read = |(place, bytes): (usize, &'p [u8])| {
        let length = usize::from(u16::from_be_bytes(bytes.get(20..22)?.try_into().ok()?));
        let proven = bytes.get(8..HEAD + length)?;
        let count = u32::from_be_bytes(bytes.get(16..20)?.try_into().ok()?);
        if bytes.get(..8)? != fingerprint(proven) || proven.get(..8)? != origin {
            return None;
        }
        let flash = proven.get(HEAD - 8..)?;
        Some(Kept { place, count, flash })
    };
    let found = places.into_iter().enumerate().filter_map(read);
    found.max_by_key(|kept| kept.count)
}

fn origin(flashed: &[u8]) -> Option<[u8; 8]> {
    flashed.get(..MAX_ENROLMENT).map(fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flash(count: u32) -> [u8; 2000] {
        [count as u8; 2000]
    }

    const FLASHED: [u8; MAX_ENROLMENT] = [3; MAX_ENROLMENT];

    #[test]
    fn wherever_writing_stops_the_one_before_is_found() {
        let erased = [0xFF; RECORD];
        assert_eq!(latest(&FLASHED, [&erased[..], &erased]), None);
        let (first, second) = (record(&FLASHED, 1, &flash(1)), record(&FLASHED, 2, &flash(2)));
        let (first, second) = (first.unwrap(), second.unwrap());
        // Everywhere in the head, here and there behind it.
        for end in (0..=HEAD).chain((HEAD..RECORD).step_by(89)).chain([RECORD]) {
            let mut half = erased;
            half[..end].copy_from_slice(&second[..end]);
            let kept = latest(&FLASHED, [&first[..], &half]).unwrap();
            let whole = half == second;
            assert_eq!(
                (kept.place, kept.count),
                (usize::from(whole), 1 + u32::from(whole)),
                "{end}"
            );
            assert_eq!(kept.flash, flash(kept.count));
        }
    }

    #[test]
    fn damage_and_another_cable_are_noticed() {
        let whole = record(&FLASHED, 1, &flash(1)).unwrap();
        for at in (0..HEAD + 4).chain([HEAD + 500]) {
            let mut damaged = whole;
            damaged[at] ^= 1;
            assert_eq!(latest(&FLASHED, [&damaged[..]]), None, "{at}");
        }
        assert_eq!(latest(&[4; MAX_ENROLMENT], [&whole[..]]), None);
        assert_eq!(latest(&FLASHED[1..], [&whole[..]]), None);
        assert_eq!(record(&FLASHED, 1, &[0; RECORD]), None);
    }
}
