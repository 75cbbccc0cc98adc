//! Every decoder, given hundreds of thousands of inputs that look almost like the real thing: golden vectors cut, joined,
//! and changed here and there. The inputs are the same in every run; fuzzing by coverage is in `protocol/fuzz`.

mod decoders;
mod keys;

use std::path::Path;

/// Inputs for each decoder.
const INPUTS: u32 = 200_000;
/// Inputs for those whose envelope is that of commands, and as slow to sign.
const SIGNED: u32 = 50_000;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        (self.draw() % end as u64) as usize
    }
}

/// Bytes that decoders look at closely: CBOR's heads and their limits, COSE's tags, the ends of ranges.
const TELLING: [u8; 24] = [
    0x00, 0x01, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1F, 0x20, 0x38, 0x40, 0x58, 0x5F, 0x60, 0x7F, 0x80, 0x9F, 0xA0, 0xBF,
    0xC0, 0xD2, 0xF4, 0xF5, 0xFF,
];

fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        match random.below(9) {
            0 => input.truncate(at),
            1 => input.insert(at, random.draw() as u8),
            2 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            3 => {
                let (from, length) = (random.below(input.len() + 1), random.below(24));
                let piece: Vec<u8> = input[from..].iter().take(length).copied().collect();
                input.splice(at..at, piece);
            }
            4 if at < input.len() => {
                let end = (at + 1 + random.below(16)).min(input.len());
                input.drain(at..end);
            }
            5 | 6 if at < input.len() => input[at] = TELLING[random.below(TELLING.len())],
            7 if at < input.len() => input[at] ^= 1 << random.below(8),
            8 if at < input.len() => {
                let end = (at + 8).min(input.len());
                input[at..end].fill(TELLING[random.below(TELLING.len())]);
            }
            _ => {}
        }
    }
    input.truncate(2100);
    input
}

/// The golden vectors; of sealed ones also what is inside, since that is what is sealed anew.
fn seeds(decoder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the vectors are there") {
        let path = entry.expect("the vectors can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with(decoder) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("vectors are text");
        let digits: Vec<u8> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| line.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8))
            .collect();
        let whole: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        seeds.extend(inside(&whole));
        seeds.push(whole);
    }
    assert!(!seeds.is_empty(), "no vector begins with {decoder}");
    seeds
}

/// The payload of a COSE envelope, or of the enrolment's frame, wherever it is taken for one.
fn inside(whole: &[u8]) -> Option<Vec<u8>> {
    if let Some(framed) = whole.strip_prefix(b"LOA1").or(whole.strip_prefix(b"LOA0")) {
        return framed.get(2..).map(<[u8]>::to_vec);
    }
    let mut envelope = minicbor::Decoder::new(whole);
    envelope.tag().ok()?;
    envelope.array().ok()?;
    envelope.bytes().ok()?;
    envelope.skip().ok()?;
    envelope.bytes().ok().map(<[u8]>::to_vec)
}

fn hammer(decoder: &str) {
    let (_, attempt) = decoders::ALL
        .into_iter()
        .find(|(name, _)| *name == decoder)
        .expect("a known decoder");
    let seeds = seeds(decoder);
    let mut random = Random(u64::from_be_bytes(*b"loa/fuzz"));
    let inputs = match decoder {
        "succession" | "claim_answer" => SIGNED,
        _ => INPUTS,
    };
    for n in 0..inputs {
        let input = mutate(&mut random, &seeds);
        let held = std::panic::catch_unwind(|| attempt(&input));
        assert!(held.is_ok(), "{decoder}, input {n}: {input:02x?}");
    }
}

macro_rules! hammer {
    ($($decoder:ident),*) => {
        $(
            #[test]
            fn $decoder() {
                hammer(stringify!($decoder));
            }
        )*

        #[test]
        fn no_decoder_is_left_out() {
            assert_eq!([$(stringify!($decoder)),*], decoders::ALL.map(|(name, _)| name));
        }
    };
}

hammer!(
    command,
    telemetry,
    receipt,
    succession,
    rotation,
    claim_request,
    claim_answer,
    claim_configuration,
    claim_code,
    hello,
    answer,
    enrolment,
    rtp,
    rtcp,
    srtp,
    topic
);
