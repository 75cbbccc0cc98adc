//! A server's part, for tests: a programme in Opus, commands and packets sealed for a receiver.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes128Gcm, KeyInit};
use loa_opus::OpusDecoder;
use loa_protocol::command::{Command, Order, Play, Policy, Recipient};
use loa_protocol::key::Secret;
use loa_protocol::precedence::Class;
use loa_protocol::srtp::{SessionKeys, rtp_nonce};
use loa_protocol::{AreaId, BroadcastId, MAX_MESSAGE, ReceiverId, SigningKey, StreamId, UnixMicros};
use loa_receiver::{Decoder, Enrolment};

/// 2026-12-01T05:30:00+07:00.
pub const MORNING: u64 = 1_796_077_800_000_000;
pub const SECOND: u64 = 1_000_000;
/// How long before it sounds a packet is sent.
pub const LATENCY: u64 = 400_000;
const PACKET: usize = 2880;

pub fn server_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

pub fn enrolment(n: u8, mqtt_port: u16, media_port: u16) -> Enrolment {
    Enrolment {
        receiver: ReceiverId([n; 16]),
        secret: Secret([n ^ 0x55; 32]),
        server_key: server_key().verifying_key(),
        areas: [AreaId([0xA0; 16])].into_iter().collect(),
        mqtt_host: "127.0.0.1".try_into().expect("short"),
        mqtt_port,
        mqtt_ca: None,
        media_host: "127.0.0.1".try_into().expect("short"),
        media_port,
        key_number: 1,
        next_ca: None,
        epoch: 0,
        unfinished: None,
    }
}

/// Speech-like sound in Opus packets of 60 ms, and what the firmware's decoder makes of them.
pub struct Programme {
    pub packets: Vec<Vec<u8>>,
    pub samples: u64,
    pub pre_skip: u16,
    /// What is to be heard, sample for sample.
    pub decoded: Vec<i16>,
}

impl Programme {
    pub fn new(seconds: f64) -> Self {
        let samples = (seconds * 48_000.0) as usize;
        let mut encoder =
            opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Audio).expect("libopus works");
        encoder.set_bitrate(opus::Bitrate::Bits(32_000)).expect("a bitrate");
        encoder.set_inband_fec(true).expect("redundancy");
        encoder.set_packet_loss_perc(10).expect("a share");
        let pre_skip = encoder.get_lookahead().expect("a delay") as u16;
        let count = (samples + usize::from(pre_skip)).div_ceil(PACKET);
        let mut noise = 1u32;
        let sound: Vec<i16> = (0..count * PACKET)
            .map(|n| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let t = n as f64 / 48_000.0;
                let tone = (t * 220.0 * std::f64::consts::TAU).sin() + (t * (300.0 + 200.0 * t) * 6.0).sin() / 2.0;
                let syllables = 0.55 + 0.45 * (t * 4.0 * std::f64::consts::TAU).sin();
                (tone * syllables * 6000.0) as i16 + (noise >> 22) as i16
            })
            .collect();
        let packets: Vec<Vec<u8>> = sound
            .chunks(PACKET)
            .map(|frame| encoder.encode_vec(frame, 1200).expect("a frame of 60 ms"))
            .collect();
        let mut decoder = OpusDecoder::new();
        let mut decoded = Vec::new();
        for packet in &packets {
            let mut pcm = [0; PACKET];
            assert_eq!(decoder.decode(Some(packet), false, &mut pcm), Ok(PACKET));
            decoded.extend(pcm);
        }
        decoded.drain(..usize::from(pre_skip));
        decoded.truncate(samples);
        Self {
            packets,
            samples: samples as u64,
            pre_skip,
            decoded,
        }
    }

    /// The order to play it.
    pub fn play(&self, id: u8, start: UnixMicros) -> Play {
        Play {
            broadcast: BroadcastId([id; 16]),
            stream: StreamId([id; 16]),
            ssrc: 1000 + u32::from(id),
            class: Class::Normal,
            depth: 1,
            start,
            samples: self.samples,
            packet_samples: PACKET as u16,
            pre_skip: self.pre_skip,
            overrides: false,
        }
    }
}

/// When packet `index` leaves.
pub fn sent_at(play: &Play, index: u64) -> UnixMicros {
    UnixMicros(play.start.0 + index * u64::from(play.packet_samples) * 1000 / 48 - LATENCY)
}

/// Packet `index` of a stream, sealed for a receiver.
pub fn sealed(play: &Play, to: &Enrolment, index: u64, payload: &[u8]) -> Vec<u8> {
    let keys = SessionKeys::derive(&to.secret.srtp(play.stream));
    let mut packet = vec![0x80, 111];
    packet.extend((index as u16).to_be_bytes());
    packet.extend(((index * u64::from(play.packet_samples)) as u32).to_be_bytes());
    packet.extend(play.ssrc.to_be_bytes());
    let mut body = payload.to_vec();
    let nonce = rtp_nonce(&keys.rtp_salt, play.ssrc, index);
    let cipher = Aes128Gcm::new(&keys.rtp_key.into());
    let tag = cipher
        .encrypt_in_place_detached(&nonce.into(), &packet, &mut body)
        .expect("small");
    packet.extend(body);
    packet.extend(tag);
    packet
}

/// A signed command to a receiver.
pub fn command(to: &Enrolment, number: u64, now: UnixMicros, order: Order) -> Vec<u8> {
    let command = Command {
        to: Recipient::Receiver(to.receiver),
        number,
        issued: now,
        expires: now.offset(600 * 1_000_000),
        order,
    };
    let mut message = [0; MAX_MESSAGE];
    let length = command.seal(&server_key(), &mut message).expect("a command fits");
    message[..length].to_vec()
}

pub fn everything_allowed() -> Order {
    Order::Policy(Policy::unrestricted())
}
