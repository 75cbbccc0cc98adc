//! The receiver on a W5500-EVB-Pico2 (RP2350A with W5500 Ethernet) with an I2S DAC: the board one can buy. `hardware/README.md` says how to
//! build one.
//!
//! It has been compiled and linked, and its receiver and shell run on another board; this image itself HAS NOT RUN ON SILICON yet. To be
//! looked at first when it does: the order of the I2S bits, the delay of the output ([`dac`]), the W5500's reset and interrupt, what flash
//! without a cache costs, and the USB port of a device that asks to be enrolled ([`serial`]).
//!
//! Three priorities, each an executor: [`dac`] refills the DAC's buffer every 10 ms and may interrupt everything; [`attend`] is the
//! network and the receiver; the main thread has TLS and MQTT and whatever time is left.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod board;
mod dac;
mod flash;
mod identity;
mod network;
mod pins;
mod priorities;
mod reset;
mod serial;

use board::Rp2350;
use embassy_executor::Spawner;
use embassy_rp::clocks::ClockConfig;
use embassy_rp::trng::{self, Trng};
use embassy_rp::{Peri, bind_interrupts, dma, peripherals, pio, usb};
use loa_board_shell::{Contact, Wires};
use loa_opus::OpusDecoder;
use loa_protocol::flash::Flash;
use loa_receiver::claim::Claimant;
use loa_receiver::{Build, Receiver};
use network::Network;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use static_cell::StaticCell;

/// An exact multiple of the DAC's 48 kHz × 32 bits × 2 (a PIO loop of two instructions), so that its bit clock does not jitter; close
/// to the 150 MHz the chip is made for.
const SYSTEM_HERTZ: u32 = 153_600_000;

const BUILD: Build = Build {
    firmware: env!("CARGO_PKG_VERSION"),
    board: "rp2350-w5500",
};

bind_interrupts!(pub(crate) struct Interrupts {
    DMA_IRQ_0 => dma::InterruptHandler<peripherals::DMA_CH0>, dma::InterruptHandler<peripherals::DMA_CH1>,
        dma::InterruptHandler<peripherals::DMA_CH2>;
    PIO0_IRQ_0 => pio::InterruptHandler<peripherals::PIO0>;
    TRNG_IRQ => trng::InterruptHandler<peripherals::TRNG>;
    USBCTRL_IRQ => usb::InterruptHandler<peripherals::USB>;
});

type Opus = &'static mut OpusDecoder;

pub(crate) static WIRES: Wires = Wires::new();

#[embassy_executor::main(executor = "embassy_rp::executor::Executor", entry = "cortex_m_rt::entry")]
async fn main(spawner: Spawner) {
    let clocks = ClockConfig::system_freq(SYSTEM_HERTZ).expect("12 MHz × 128 / 10");
    let chip = embassy_rp::init(embassy_rp::config::Config::new(clocks));
    let (ethernet, dac, amplifier, led) = pins::take_pins!(chip);
    // Mute first, whatever else is wrong.
    let board = Rp2350::new(amplifier, led, chip.WATCHDOG, flash::Flash::new(chip.FLASH));

    let Ok(Some(flash)) = flash::read() else {
        board.not_enrolled().await
    };
    let mut seed = [0; 32];
    Trng::new(chip.TRNG, Interrupts, trng::Config::default())
        .fill_bytes(&mut seed)
        .await;
    let mut random = ChaCha20Rng::from_seed(seed);

    let mut seed = [0; 32];
    random.fill_bytes(&mut seed);
    let (life, contact) = life(flash, seed);
    let (sound, urgent) = priorities::start();
    let network = Network {
        pins: ethernet,
        spi: chip.SPI0,
        send: chip.DMA_CH0,
        receive: chip.DMA_CH1,
        seed: random.next_u64(),
    };
    match life {
        Life::Receiver(receiver) => {
            sound.spawn(dac::feed(dac, chip.PIO0, chip.DMA_CH2).expect("spawned once"));
            urgent.spawn(attend(network, receiver, board, contact).expect("spawned once"));
        }
        Life::Claimant(claimant) => {
            urgent.spawn(serve(chip.USB).expect("spawned once"));
            urgent.spawn(claim(network, claimant, board, contact).expect("spawned once"));
        }
    }
    spawner.spawn(converse(contact, random).expect("spawned once"));
}

/// What the board is until it starts afresh.
enum Life {
    Receiver(&'static mut Receiver<Opus>),
    Claimant(&'static mut Claimant),
}

/// Not inlined, so that what it needs of the stack while it builds is given back.
#[inline(never)]
fn life(flash: Flash, seed: [u8; 32]) -> (Life, &'static Contact) {
    static DECODER: StaticCell<OpusDecoder> = StaticCell::new();
    static RECEIVER: StaticCell<Receiver<Opus>> = StaticCell::new();
    static CLAIMANT: StaticCell<Claimant> = StaticCell::new();
    static CONTACT: StaticCell<Contact> = StaticCell::new();
    let (life, contact) = match flash {
        Flash::Enrolled(enrolment) => {
            let decoder = DECODER.init_with(OpusDecoder::new);
            let receiver = RECEIVER.init_with(|| Receiver::new(enrolment, BUILD, seed, decoder));
            let contact = Contact::of(&receiver.session(0));
            (Life::Receiver(receiver), contact)
        }
        Flash::Claiming(configuration) => {
            let claimant = CLAIMANT.init_with(|| Claimant::new(configuration, BUILD, seed));
            let contact = Contact::claim(claimant);
            (Life::Claimant(claimant), contact)
        }
    };
    (life, CONTACT.init(contact.expect("a session fits a contact")))
}

#[embassy_executor::task]
async fn attend(
    network: Network,
    receiver: &'static mut Receiver<Opus>,
    mut board: Rp2350,
    contact: &'static Contact,
) -> ! {
    let media = network.start_with_media(contact).await;
    loa_board_shell::attend(media, receiver, &mut board, &WIRES).await
}

#[embassy_executor::task]
async fn claim(network: Network, claimant: &'static mut Claimant, mut board: Rp2350, contact: &'static Contact) -> ! {
    network.start(contact).await;
    loa_board_shell::claim(claimant, &mut board, &WIRES).await
}

#[embassy_executor::task]
async fn serve(usb: Peri<'static, peripherals::USB>) -> ! {
    serial::serve(usb).await
}

#[embassy_executor::task]
async fn converse(contact: &'static Contact, mut random: ChaCha20Rng) -> ! {
    loa_board_shell::converse(contact, &WIRES, &mut random).await
}
