//! Any channel layout to mono. Here: the weights. The weights of one layout add up to one, so that mono never clips
//! where the channels did not; surround follows ITU-R BS.775 (centre 1, sides and rears less, no low-frequency effects).

use symphonia::core::audio::{Channels, Position};

/// The weight of each channel, in the layout's order; they add up to 1.
pub(super) fn weights(channels: &Channels) -> Vec<f32> {
    let count = channels.count();
    let raw = match channels {
        Channels::Positioned(positions) if count > 2 => positions.iter().map(weight).collect(),
        _ => vec![1.0; count],
    };
    normalised(raw)
}

/// The weights for the channel orders of Opus and Vorbis (RFC 7845 §5.1.1.2), which name no positions in the file.
pub(super) fn vorbis_order_weights(count: usize) -> Vec<f32> {
    const SIDE: f32 = std::f32::consts::FRAC_1_SQRT_2;
    normalised(match count {
        3 => vec![SIDE, 1.0, SIDE],
        5 => vec![SIDE, 1.0, SIDE, 0.5, 0.5],
        6 => vec![SIDE, 1.0, SIDE, 0.5, 0.5, 0.0],
        7 => vec![SIDE, 1.0, SIDE, 0.5, 0.5, 0.5, 0.0],
        8 => vec![SIDE, 1.0, SIDE, 0.5, 0.5, 0.5, 0.5, 0.0],
        _ => vec![1.0; count],
    })
}

fn weight(position: Position) -> f32 {
    if position == Position::FRONT_CENTER {
        1.0
    } else if position == Position::FRONT_LEFT || position == Position::FRONT_RIGHT {
        std::f32::consts::FRAC_1_SQRT_2
    } else if position == Position::LFE1 || position == Position::LFE2 {
        0.0
    } else {
        0.5
    }
}

fn normalised(mut weights: Vec<f32>) -> Vec<f32> {
    let sum: f32 = weights.iter().sum();
    if sum > 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use symphonia::core::audio::layouts;

    #[test]
    fn every_layout_sums_to_one() {
        for layout in [
            layouts::CHANNEL_LAYOUT_MONO,
            layouts::CHANNEL_LAYOUT_STEREO,
            layouts::CHANNEL_LAYOUT_5P1,
        ] {
            assert!((weights(&layout).iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        for count in 1..=8 {
            assert!((vorbis_order_weights(count).iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn low_frequency_effects_are_left_out() {
        assert!(weights(&layouts::CHANNEL_LAYOUT_5P1).contains(&0.0));
    }
}
