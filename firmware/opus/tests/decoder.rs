//! The decoder against packets that libopus' encoder made: lengths, redundancy, concealment, and what it refuses.

use loa_opus::{MAX_PACKET_SAMPLES, OpusDecoder};
use loa_receiver::{DecodeError, Decoder};
use proptest::prelude::*;

/// Frames of `length` samples of something like a voice: a tone that moves, with harmonics, under an envelope.
fn voice(length: usize, frames: usize) -> Vec<i16> {
    let sample = |n: usize| {
        let t = n as f64 / 48_000.0;
        let phase = core::f64::consts::TAU * (160.0 * t + 12.0 * (2.0 * t).sin());
        let harmonics: f64 = (1..8).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
        (harmonics * 6000.0 * (0.6 + 0.4 * (9.0 * t).sin())) as i16
    };
    (0..length * frames).map(sample).collect()
}

fn packets(application: opus::Application, pcm: &[i16], length: usize) -> Vec<Vec<u8>> {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, application).expect("48 kHz mono is supported");
    encoder.set_bitrate(opus::Bitrate::Bits(32_000)).expect("in range");
    encoder.set_inband_fec(true).expect("always possible");
    encoder.set_packet_loss_perc(20).expect("in range");
    pcm.chunks(length)
        .map(|frame| encoder.encode_vec(frame, 1275).expect("a whole frame"))
        .collect()
}

fn decode(decoder: &mut OpusDecoder, packet: &[u8]) -> Vec<i16> {
    let mut pcm = [0; MAX_PACKET_SAMPLES];
    let length = decoder.decode(Some(packet), false, &mut pcm).expect("the encoder's");
    pcm[..length].to_vec()
}

fn distance(a: &[i16], b: &[i16]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum()
}

#[test]
fn every_duration_comes_out_as_long_as_it_went_in_heard_rebuilt_or_concealed() {
    for application in [
        opus::Application::Voip,
        opus::Application::Audio,
        opus::Application::LowDelay,
    ] {
        for length in [120, 240, 480, 960, 1920, 2880, 3840, 4800, 5760] {
            let packets = packets(application, &voice(length, 6), length);
            let mut decoder = OpusDecoder::new();
            let mut pcm = [0; MAX_PACKET_SAMPLES];
            for step in 0..2 {
                assert_eq!(decode(&mut decoder, &packets[3 * step]).len(), length);
                let pcm = &mut pcm[..length];
                assert_eq!(
                    decoder.decode(Some(&packets[3 * step + 2]), true, pcm),
                    Ok(length),
                    "rebuilt"
                );
                assert_eq!(decoder.decode(Some(&packets[3 * step + 2]), false, pcm), Ok(length));
                assert_eq!(decoder.decode(None, false, pcm), Ok(length), "concealed");
            }
        }
    }
}

#[test]
fn redundancy_is_nearer_to_what_was_lost_than_concealment() {
    for length in [960, 2880] {
        let pcm = voice(length, 30);
        let packets = packets(opus::Application::Voip, &pcm, length);
        let mut whole = OpusDecoder::new();
        let want: Vec<Vec<i16>> = packets.iter().map(|packet| decode(&mut whole, packet)).collect();
        let (mut rebuilt, mut concealed) = (0.0, 0.0);
        for lost in (5..28).step_by(2) {
            for fec in [true, false] {
                let mut decoder = OpusDecoder::new();
                packets[..lost]
                    .iter()
                    .for_each(|packet| drop(decode(&mut decoder, packet)));
                let mut pcm = vec![0; length];
                let packet = fec.then_some(&packets[lost + 1][..]);
                assert_eq!(decoder.decode(packet, fec, &mut pcm), Ok(length));
                *if fec { &mut rebuilt } else { &mut concealed } += distance(&pcm, &want[lost]);
            }
        }
        assert!(rebuilt < concealed * 0.9, "{length}: {rebuilt} {concealed}");
    }
}

#[test]
fn after_a_reset_it_has_heard_nothing() {
    let packets = packets(opus::Application::Audio, &voice(960, 20), 960);
    let mut fresh = OpusDecoder::new();
    let want: Vec<_> = packets.iter().map(|packet| decode(&mut fresh, packet)).collect();
    let mut used = OpusDecoder::new();
    packets.iter().rev().for_each(|packet| drop(decode(&mut used, packet)));
    used.reset();
    for (packet, want) in packets.iter().zip(want) {
        assert!(decode(&mut used, packet) == want);
    }
    // It may be moved about.
    let mut moved = Box::new(used);
    moved.reset();
    assert_eq!(decode(&mut moved, &packets[0]).len(), 960);
}

#[test]
fn what_is_none_or_does_not_fit_is_refused_and_it_goes_on() {
    let packets = packets(opus::Application::Voip, &voice(2880, 3), 2880);
    let mut decoder = OpusDecoder::new();
    let mut pcm = [0; MAX_PACKET_SAMPLES];
    let mut refused =
        |packet: Option<&[u8]>, fec, room: usize| decoder.decode(packet, fec, &mut pcm[..room]) == Err(DecodeError);
    assert!(refused(Some(&[]), false, 2880));
    assert!(refused(Some(&packets[0]), false, 2760), "no room");
    assert!(refused(Some(&packets[0]), false, 0));
    assert!(refused(None, false, 100), "not a multiple of 2.5 ms");
    assert!(refused(Some(&packets[1]), true, 2879));
    // Code 3 with no frames, and with more than 120 ms (RFC 6716 §3.2.5).
    assert!(refused(Some(&[0x03, 0x00]), false, 2880));
    assert!(refused(Some(&[0x1B, 0x3F]), false, 5760));
    assert_eq!(decode(&mut decoder, &packets[0]).len(), 2880);
}

proptest! {
    #[test]
    fn any_bytes_yield_samples_or_an_error(
        packets in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..200), any::<bool>(), 0usize..49), 1..20),
    ) {
        let mut decoder = OpusDecoder::new();
        let mut pcm = [0; MAX_PACKET_SAMPLES];
        for (packet, fec, grains) in packets {
            let room = grains * 120;
            if let Ok(length) = decoder.decode(Some(&packet), fec, &mut pcm[..room]) {
                prop_assert!(length <= room);
            }
            if room > 0 {
                prop_assert_eq!(decoder.decode(None, false, &mut pcm[..room]), Ok(room));
            }
        }
    }
}
