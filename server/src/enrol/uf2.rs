//! Flash images with an enrolment in them. Here: UF2 (Microsoft's specification), what one drags onto a board's USB drive: the
//! enrolment alone, or added to a firmware image. What the board itself keeps behind it is erased with it: a device that is flashed
//! anew, also with the same file, begins anew. Not here: making firmware images (`xtask`).

/// Where an RP2350 board keeps its enrolment: the last 64 KB of 2 MB of flash.
pub const ENROLMENT: u32 = 0x101F_0000;
/// RP2350, Arm, secure.
const FAMILY: u32 = 0xE48B_FF59;
/// Bytes of flash that are erased at once.
const SECTOR: u32 = 4096;
/// What a board may write: the sector that is flashed, and two for what changes later (`firmware/boards/rp2350/src/flash.rs`).
const PARTITION: u32 = 3 * SECTOR;
/// Bytes of flash in a block.
const PAGE: usize = 256;
/// Bytes of a block.
const BLOCK: usize = 512;
const BEGIN: [u32; 2] = [0x0A32_4655, 0x9E5D_5157];
const END: u32 = 0x0AB1_6F30;
/// A family is named.
const FLAGS: u32 = 0x2000;

/// Why there is no image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It is no UF2 file.
    #[error("not a UF2 image: block {0} is damaged")]
    Block(usize),
    /// It holds something where the enrolment goes.
    #[error("the image itself lies where the enrolment goes")]
    Taken,
    /// The place does not begin a sector of flash.
    #[error("the enrolment's address must be a multiple of {SECTOR} (a sector of flash)")]
    Address,
    /// It is longer than a sector.
    #[error("an enrolment has at most {SECTOR} bytes")]
    Long,
}

/// An image of `enrolment` at `address`, and of erased flash behind it, after the blocks of `image` if there is one.
///
/// # Errors
/// When `image` is none, or does not leave that place alone.
pub fn with_enrolment(image: Option<&[u8]>, enrolment: &[u8], address: u32) -> Result<Vec<u8>, ImageError> {
    let end = address
        .checked_add(PARTITION)
        .filter(|_| address.is_multiple_of(SECTOR));
    let end = end.ok_or(ImageError::Address)?;
    if enrolment.len() > SECTOR as usize {
        return Err(ImageError::Long);
    }
    let mut pages = image.map_or(Ok(Vec::new()), read)?;
    let there = |at: u32| at > address.saturating_sub(PAGE as u32) && at < end;
    if pages.iter().any(|(at, _)| there(*at)) {
        return Err(ImageError::Taken);
    }
    // All pages of each sector: not every boot ROM erases one of which only some come.
    let mut rest = enrolment.chunks(PAGE);
    for at in (address..end).step_by(PAGE) {
        let mut page = [0xFF; PAGE];
        let bytes = rest.next().unwrap_or_default();
        page[..bytes.len()].copy_from_slice(bytes);
        pages.push((at, page));
    }
    Ok(written(&pages))
}

/// Pages with their addresses.
type Pages = Vec<(u32, [u8; PAGE])>;

fn read(image: &[u8]) -> Result<Pages, ImageError> {
    let (blocks, rest) = image.as_chunks::<BLOCK>();
    if blocks.is_empty() || !rest.is_empty() {
        return Err(ImageError::Block(blocks.len()));
    }
    let page = |(n, block): (usize, &[u8; BLOCK])| {
        let word = |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
        let fits = [word(0), word(4)] == BEGIN
            && word(508) == END
            && word(16) == PAGE as u32
            && word(20) == n as u32
            && word(24) == blocks.len() as u32;
        let bytes = block[32..32 + PAGE].try_into().ok().filter(|_| fits);
        Ok((word(12), bytes.ok_or(ImageError::Block(n))?))
    };
    blocks.iter().enumerate().map(page).collect()
}

fn written(pages: &Pages) -> Vec<u8> {
    let mut image = Vec::with_capacity(pages.len() * BLOCK);
    for (n, (at, bytes)) in pages.iter().enumerate() {
        let head = [
            BEGIN[0],
            BEGIN[1],
            FLAGS,
            *at,
            PAGE as u32,
            n as u32,
            pages.len() as u32,
            FAMILY,
        ];
        let mut block = [0; BLOCK];
        for (to, word) in block.chunks_exact_mut(4).zip(head) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        block[32..32 + PAGE].copy_from_slice(bytes);
        block[BLOCK - 4..].copy_from_slice(&END.to_le_bytes());
        image.extend(block);
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrolment_lies_where_the_board_reads_it() {
        let enrolment: Vec<u8> = (0..700u32).map(|n| n as u8).collect();
        let firmware = written(&vec![(0x1000_0000, [1; PAGE]), (0x1000_0100, [2; PAGE])]);
        let alone = read(&with_enrolment(None, &enrolment, ENROLMENT).unwrap()).unwrap();
        let places: Vec<u32> = alone.iter().map(|(at, _)| *at).collect();
        assert_eq!(places, (0..48).map(|n| ENROLMENT + n * 256).collect::<Vec<_>>());
        let flash: Vec<u8> = alone.iter().flat_map(|(_, page)| *page).collect();
        // What the board keeps in the second and third sector is erased.
        assert!(flash.starts_with(&enrolment) && flash[700..].iter().all(|byte| *byte == 0xFF));
        let both = read(&with_enrolment(Some(&firmware), &enrolment, ENROLMENT).unwrap()).unwrap();
        assert_eq!((both.len(), &both[2..]), (50, &alone[..]));
    }

    #[test]
    fn what_is_no_image_or_lies_in_the_way_is_refused() {
        let firmware = written(&vec![(ENROLMENT, [1; PAGE])]);
        let put = |image: &[u8], at| with_enrolment(Some(image), &[7; 300], at);
        assert_eq!(put(&firmware, ENROLMENT), Err(ImageError::Taken));
        for at in [ENROLMENT + 1, ENROLMENT + 256, u32::MAX - 4095] {
            assert_eq!(put(&firmware, at), Err(ImageError::Address));
        }
        assert_eq!(put(&firmware, ENROLMENT - 2 * SECTOR), Err(ImageError::Taken));
        assert!(put(&firmware, ENROLMENT + SECTOR).is_ok() && put(&firmware, ENROLMENT - PARTITION).is_ok());
        assert_eq!(with_enrolment(None, &[7; 4097], ENROLMENT), Err(ImageError::Long));
        for broken in [&firmware[..511], b"", b"nonsense"] {
            assert!(matches!(put(broken, 0), Err(ImageError::Block(_))));
        }
        for at in [0, 4, 16, 20, 24, 508] {
            let mut bent = firmware.clone();
            bent[at] ^= 1;
            assert_eq!(put(&bent, 0), Err(ImageError::Block(0)), "{at}");
        }
    }
}
