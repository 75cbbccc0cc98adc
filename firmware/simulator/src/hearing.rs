//! How a simulated receiver decodes: as the firmware does, or not at all.

use loa_opus::OpusDecoder;
use loa_receiver::{DecodeError, Decoder};

/// The decoder of a simulated receiver.
#[expect(
    clippy::large_enum_variant,
    reason = "almost all are the large one, and it lies in a box with its receiver"
)]
pub(crate) enum Hearing {
    /// The firmware's decoder.
    Opus(OpusDecoder),
    /// None: packets become silence of their length. For thousands of receivers to load a server with.
    Deaf,
}

impl Hearing {
    pub(crate) fn new(decode: bool) -> Self {
        match decode {
            true => Self::Opus(OpusDecoder::new()),
            false => Self::Deaf,
        }
    }
}

impl Decoder for Hearing {
    fn decode(&mut self, packet: Option<&[u8]>, fec: bool, pcm: &mut [i16]) -> Result<usize, DecodeError> {
        match (self, packet) {
            (Self::Opus(decoder), _) => decoder.decode(packet, fec, pcm),
            (Self::Deaf, Some(packet)) if !fec => {
                let room = samples(packet)
                    .and_then(|samples| pcm.get_mut(..samples))
                    .ok_or(DecodeError)?;
                room.fill(0);
                Ok(room.len())
            }
            (Self::Deaf, _) => {
                pcm.fill(0);
                Ok(pcm.len())
            }
        }
    }

    fn reset(&mut self) {
        if let Self::Opus(decoder) = self {
            decoder.reset();
        }
    }
}

/// How many samples at 48 kHz an Opus packet holds (RFC 6716 §3.1, §3.2).
fn samples(packet: &[u8]) -> Option<usize> {
    let toc = *packet.first()?;
    let frame = match toc >> 3 {
        silk @ 0..12 => [480, 960, 1920, 2880][usize::from(silk % 4)],
        hybrid @ 12..16 => [480, 960][usize::from(hybrid % 2)],
        celt => [120, 240, 480, 960][usize::from(celt % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => usize::from(packet.get(1)? & 0x3F),
    };
    (1..=5760).contains(&(frame * frames)).then_some(frame * frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deaf_receiver_knows_how_long_packets_are() {
        for (packet, expected) in [
            (&[3 << 3][..], Ok(2880)),
            (&[13 << 3 | 1, 0], Ok(1920)),
            (&[31 << 3 | 3, 6, 0], Ok(5760)),
            (&[31 << 3 | 3, 7, 0], Err(DecodeError)),
            (&[31 << 3 | 3], Err(DecodeError)),
            (&[], Err(DecodeError)),
        ] {
            let mut pcm = [1; 5760];
            assert_eq!(
                Hearing::Deaf.decode(Some(packet), false, &mut pcm),
                expected,
                "{packet:?}"
            );
        }
        let mut pcm = [1; 960];
        assert_eq!(Hearing::Deaf.decode(None, false, &mut pcm), Ok(960));
        assert_eq!(pcm, [0; 960]);
    }
}
