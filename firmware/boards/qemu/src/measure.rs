//! Counts instructions while a broadcast sounds (feature `measure`): what the receiver costs beside its codec.
//!
//! Run with `-icount shift=0`: then an instruction takes a nanosecond of the machine's time, and a tick of its 20 MHz timer is 50
//! instructions. When the receiver leaves `Streaming`, `measure.json` is written into QEMU's working directory (a later broadcast replaces it),
//! all figures in instructions:
//!
//! - `per_tick`: a loop of known length, counted at boot: 50.0, or it did not run with `-icount shift=0`, and nothing below means anything.
//! - `microseconds`: how long the broadcast was measured; `awake`: everything between waking up and sleeping, interrupts,
//!   network and MQTT included.
//! - `decode`, `conceal`: calls of the decoder from within the receiver, with and without a packet.
//! - `datagram`, `message`, `timer`: what else the receiver and its shell did after such an event, the decoder's share taken out.
//!   A datagram's is what SRTP and the jitter buffer cost.
//! - `stack`: the most bytes that the stack has had since boot, interrupts on top of each other included.
//! - `alone`: the same calls of libopus again, in the same order, by a loop that does nothing else.

use crate::semihosting::{File, Mode};
use crate::time::ticks;
use core::cell::RefCell;
use core::fmt::Write;
use critical_section::Mutex;
use embassy_time::Instant;
use loa_board_shell::Work;
use loa_opus::{MAX_PACKET_SAMPLES, OpusDecoder};
use loa_receiver::{DecodeError, Decoder, Status};

/// What is recorded of each call of the decoder: its kind, its room in samples, the packet's length.
const HEADER: usize = 5;
const PACKET: u8 = 0;
const FEC: u8 = 1;
const CONCEAL: u8 = 2;
const PACKETS: &core::ffi::CStr = c"packets.bin";

/// Iterations and instructions of the calibrating loop.
const LOOP: u32 = 1_000_000;
const LOOP_INSTRUCTIONS: u64 = 2 * LOOP as u64;

#[derive(Clone, Copy, Default)]
struct Count {
    times: u64,
    ticks: u64,
    longest: u64,
}

impl Count {
    fn add(&mut self, ticks: u64) {
        self.times += 1;
        self.ticks += ticks;
        self.longest = self.longest.max(ticks);
    }
}

#[derive(Default)]
struct Meter {
    /// Ticks of the calibrating loop.
    calibration: u64,
    /// When the broadcast began, while one sounds.
    since: Option<Instant>,
    woke: u64,
    awake: u64,
    began: u64,
    /// Ticks of the decoder since `began`.
    decoding: u64,
    decode: Count,
    conceal: Count,
    datagram: Count,
    message: Count,
    timer: Count,
    packets: Option<File>,
}

static METER: Mutex<RefCell<Option<Meter>>> = Mutex::new(RefCell::new(None));

fn with<R>(f: impl FnOnce(&mut Meter) -> R) -> R {
    critical_section::with(|section| f(METER.borrow_ref_mut(section).get_or_insert_default()))
}

/// Finds out how long an instruction is.
#[expect(unsafe_code, reason = "instructions that are counted must be known")]
pub(crate) fn calibrate() {
    let before = ticks();
    // SAFETY: counts a register down.
    unsafe {
        core::arch::asm!("2: subs {count}, #1", "bne 2b", count = inout(reg) LOOP => _, options(nomem, nostack));
    }
    let calibration = ticks() - before;
    with(|meter| meter.calibration = calibration);
}

pub(crate) fn wake() {
    with(|meter| meter.woke = ticks());
}

pub(crate) fn sleep() {
    with(|meter| {
        if meter.since.is_some() {
            meter.awake += ticks() - meter.woke;
        }
    });
}

pub(crate) fn begins() {
    with(|meter| {
        meter.decoding = 0;
        meter.began = ticks();
    });
}

pub(crate) fn ends(work: Work) {
    let now = ticks();
    with(|meter| {
        if meter.since.is_some() {
            let spent = (now - meter.began).saturating_sub(meter.decoding);
            let count = match work {
                Work::Datagram => &mut meter.datagram,
                Work::Message => &mut meter.message,
                Work::Timer => &mut meter.timer,
            };
            count.add(spent);
        }
    });
}

/// The receiver's state has changed.
pub(crate) fn status(status: Status) {
    let streaming = status == Status::Streaming;
    match with(|meter| (meter.since, streaming)) {
        (None, true) => with(|meter| {
            let calibration = meter.calibration;
            let packets = File::open(PACKETS, Mode::Write);
            let since = Some(Instant::now());
            *meter = Meter {
                calibration,
                packets,
                since,
                woke: ticks(),
                began: ticks(),
                ..Meter::default()
            };
        }),
        (Some(since), false) => {
            let meter = with(|meter| {
                meter.awake += ticks() - meter.woke;
                // Closes the file, too.
                core::mem::take(meter)
            });
            with(|fresh| (fresh.calibration, fresh.woke) = (meter.calibration, meter.woke));
            let (microseconds, stack) = (since.elapsed().as_micros(), stack());
            report(&meter, microseconds, stack, &alone());
        }
        _ => {}
    }
}

/// A decoder whose calls are counted and recorded.
pub(crate) struct Measured<D>(D);

impl<D> From<D> for Measured<D> {
    fn from(decoder: D) -> Self {
        Self(decoder)
    }
}

impl<D: Decoder> Decoder for Measured<D> {
    fn decode(&mut self, packet: Option<&[u8]>, fec: bool, pcm: &mut [i16]) -> Result<usize, DecodeError> {
        let before = ticks();
        let result = self.0.decode(packet, fec, pcm);
        let spent = ticks() - before;
        with(|meter| {
            if let Some(file) = &mut meter.packets {
                let bytes = packet.unwrap_or_default();
                let kind = if packet.is_none() {
                    CONCEAL
                } else {
                    if fec { FEC } else { PACKET }
                };
                let [room_low, room_high] = (pcm.len() as u16).to_le_bytes();
                let [low, high] = (bytes.len() as u16).to_le_bytes();
                file.write(&[kind, room_low, room_high, low, high]);
                file.write(bytes);
                if packet.is_some() {
                    meter.decode.add(spent)
                } else {
                    meter.conceal.add(spent)
                }
            }
            // What the recording took is taken out of the receiver's share, too.
            meter.decoding += ticks() - before;
        });
        result
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

/// How much of the stack has been used: cortex-m-rt painted it at boot.
#[expect(unsafe_code, reason = "looks at the stack's memory")]
fn stack() -> usize {
    unsafe extern "C" {
        static _stack_end: u32;
        static _stack_start: u32;
    }
    let (mut lowest, top) = (&raw const _stack_end, &raw const _stack_start);
    // SAFETY: from the end of the variables to the stack's beginning all is RAM, whether it has been used or not.
    while lowest < top && unsafe { lowest.read_volatile() } == cortex_m_rt::STACK_PAINT_VALUE {
        lowest = lowest.wrapping_add(1);
    }
    top as usize - lowest as usize
}

/// Decodes what was recorded once more, and nothing else.
#[inline(never)]
fn alone() -> Count {
    let mut count = Count::default();
    let Some(mut file) = File::open(PACKETS, Mode::Read) else {
        return count;
    };
    let mut decoder = OpusDecoder::new();
    let mut pcm = [0; MAX_PACKET_SAMPLES];
    let (mut header, mut packet) = ([0; HEADER], [0; loa_protocol::MAX_DATAGRAM]);
    while file.read(&mut header) == HEADER {
        let [kind, room_low, room_high, low, high] = header;
        let bytes = &mut packet[..usize::from(u16::from_le_bytes([low, high])).min(loa_protocol::MAX_DATAGRAM)];
        file.read(bytes);
        let pcm = &mut pcm[..usize::from(u16::from_le_bytes([room_low, room_high])).min(MAX_PACKET_SAMPLES)];
        let before = ticks();
        // What it refused the first time it refuses again.
        let _ = decoder.decode((kind != CONCEAL).then_some(bytes), kind == FEC, pcm);
        count.add(ticks() - before);
        crate::watchdog::feed();
    }
    count
}

fn report(meter: &Meter, microseconds: u64, stack: usize, alone: &Count) {
    let instructions = |ticks: u64| ticks * LOOP_INSTRUCTIONS / meter.calibration.max(1);
    let thousandths = LOOP_INSTRUCTIONS * 1000 / meter.calibration.max(1);
    let mut json = heapless::String::<1024>::new();
    let mut write = || -> core::fmt::Result {
        write!(json, "{{\"per_tick\":{}.{:03}", thousandths / 1000, thousandths % 1000)?;
        write!(
            json,
            ",\"microseconds\":{microseconds},\"awake\":{}",
            instructions(meter.awake)
        )?;
        write!(json, ",\"stack\":{stack}")?;
        for (name, count) in [
            ("decode", &meter.decode),
            ("conceal", &meter.conceal),
            ("datagram", &meter.datagram),
            ("message", &meter.message),
            ("timer", &meter.timer),
            ("alone", alone),
        ] {
            let (all, longest) = (instructions(count.ticks), instructions(count.longest));
            write!(
                json,
                ",\"{name}\":{{\"times\":{},\"instructions\":{all},\"longest\":{longest}}}",
                count.times
            )?;
        }
        writeln!(json, "}}")
    };
    write().expect("twenty numbers fit into a kilobyte");
    let written = File::open(c"measure.json", Mode::Write).is_some_and(|mut file| file.write(json.as_bytes()));
    assert!(written, "measure.json can be written");
    log::info!("measure.json written");
}
