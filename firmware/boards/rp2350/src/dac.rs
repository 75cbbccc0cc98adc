//! The DAC: I2S at 48 kHz, 16 bits, both channels the same, made by a PIO and fed by DMA, without end.

use crate::{Interrupts, pins};
use core::cell::RefCell;
use core::mem::swap;
use embassy_rp::Peri;
use embassy_rp::peripherals::{DMA_CH2, PIO0};
use embassy_rp::pio::Pio;
use embassy_rp::pio_programs::i2s::{PioI2sOut, PioI2sOutProgram};
use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embassy_time::Instant;
use loa_board_shell::Feeder;
use loa_protocol::SAMPLE_RATE;
use loa_receiver::Micros;

const BITS: u32 = 16;
/// 10 ms: how long a block lasts, and so how long filling the next may take.
const BLOCK: usize = 480;
const BLOCK_MICROSECONDS: u64 = BLOCK as u64 * 1_000_000 / SAMPLE_RATE as u64;
/// From the end of a block's transfer to the sound of the next one's first sample, in microseconds: 8 samples in the PIO's FIFO and 20 in
/// the DAC's filter (PCM5102A data sheet, table 7.8). Computed, not measured.
const DELAY: u64 = 28 * 1_000_000 / SAMPLE_RATE as u64;
/// Room for what the receiver hands out ahead: 340 ms.
const ROOM: usize = 16_384;

static FEEDER: CriticalSectionMutex<RefCell<Feeder<ROOM>>> = CriticalSectionMutex::new(RefCell::new(Feeder::new()));

/// Lets `pcm` sound from `at` on. What there is no room for does not.
pub(crate) fn play(at: Micros, pcm: &[i16]) {
    // A block at a time, so that interrupts are not kept waiting: a PIO's FIFO is empty after 160 µs.
    for (n, block) in pcm.chunks(BLOCK).enumerate() {
        let at = Micros(at.0 + n as u64 * BLOCK_MICROSECONDS);
        FEEDER.lock(|feeder| feeder.borrow_mut().put(at, block));
    }
}

/// Keeps the DAC fed.
#[embassy_executor::task]
pub(crate) async fn feed(pins: pins::Dac, pio: Peri<'static, PIO0>, channel: Peri<'static, DMA_CH2>) -> ! {
    let Pio { mut common, sm0, .. } = Pio::new(pio, Interrupts);
    let program = PioI2sOutProgram::new(&mut common);
    let mut i2s = PioI2sOut::new(
        &mut common,
        sm0,
        channel,
        Interrupts,
        pins.data,
        pins.bit_clock,
        pins.word_clock,
        SAMPLE_RATE,
        BITS,
        &program,
    );
    i2s.start();
    let (mut first, mut second) = ([0; BLOCK], [0; BLOCK]);
    let (mut sounding, mut next) = (&mut first, &mut second);
    loop {
        let began = Instant::now().as_micros();
        let transfer = i2s.write(sounding);
        let at = Micros(began + BLOCK_MICROSECONDS + DELAY);
        FEEDER.lock(|feeder| {
            feeder
                .borrow_mut()
                .fill(at, next, |word, sample| *word = both_channels(sample))
        });
        transfer.await;
        swap(&mut sounding, &mut next);
    }
}

/// A word of I2S: left in the upper half, right in the lower.
fn both_channels(sample: i16) -> u32 {
    u32::from(sample.cast_unsigned()) * 0x1_0001
}
