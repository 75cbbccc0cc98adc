//! Flash images with an enrolment in them. Here: UF2 (Microsoft's specification), what one drags onto a board's USB drive: the
//! enrolment alone, or added to a firmware image. Not here: making firmware images (`xtask`).

/// Where an RP2350 board keeps its enrolment: the last 64 KB of 2 MB of flash.
pub const ENROLMENT: u32 = 0x101F_0000;
/// RP2350, Arm, secure.
const FAMILY: u32 = 0xE48B_FF59;
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
    #[error("the enrolment's address must be a multiple of 4096 (a sector of flash)")]
    Address,
}

/// An image of `enrolment` at `address`, behind the blocks of `image` if there is one.
///
/// # Errors
/// When `image` is none, or does not leave that place alone.
pub fn with_enrolment(image: Option<&[u8]>, enrolment: &[u8], address: u32) -> Result<Vec<u8>, ImageError> {
    if !address.is_multiple_of(4096) {
        return Err(ImageError::Address);
    }
    let mut pages = image.map_or(Ok(Vec::new()), read)?;
    let end = u64::from(address) + enrolment.len().next_multiple_of(PAGE) as u64;
    let there = |at: &u32| u64::from(*at) + PAGE as u64 > u64::from(address) && u64::from(*at) < end;
    if pages.iter().any(|(at, _)| there(at)) {
        return Err(ImageError::Taken);
    }
    for (n, bytes) in enrolment.chunks(PAGE).enumerate() {
        // As erased flash behind it.
        let mut page = [0xFF; PAGE];
        page[..bytes.len()].copy_from_slice(bytes);
        pages.push((address + (n * PAGE) as u32, page));
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
        assert_eq!(alone.len(), 3);
        let flash: Vec<u8> = alone.iter().flat_map(|(_, page)| *page).collect();
        assert!(flash.starts_with(&enrolment) && flash[700..].iter().all(|byte| *byte == 0xFF));
        assert_eq!(alone[2].0, ENROLMENT + 512);
        let both = read(&with_enrolment(Some(&firmware), &enrolment, ENROLMENT).unwrap()).unwrap();
        assert_eq!((both.len(), &both[2..]), (5, &alone[..]));
    }

    #[test]
    fn what_is_no_image_or_lies_in_the_way_is_refused() {
        let firmware = written(&vec![(ENROLMENT, [1; PAGE])]);
        let put = |image: &[u8], at| with_enrolment(Some(image), &[7; 300], at);
        assert_eq!(put(&firmware, ENROLMENT), Err(ImageError::Taken));
        assert_eq!(put(&firmware, ENROLMENT + 1), Err(ImageError::Address));
        assert!(put(&firmware, ENROLMENT + 4096).is_ok());
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
