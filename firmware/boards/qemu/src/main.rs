//! The receiver on QEMU's `mps2-an505`, an Arm Cortex-M33 with Ethernet: the board that tests boot. The receiver, the codec, MQTT, TLS and the network
//! are those of a board one can buy; the DAC is a file.
//!
//! Run in a folder of its own, since it writes its files into QEMU's working directory:
//!
//! ```text
//! qemu-system-arm -M mps2-an505 -nographic -monitor none -serial null -semihosting-config enable=on,target=native
//!   -nic user,model=lan9118,mac=52:54:00:00:00:01 -device loader,file=ENROLMENT,addr=0x103F0000,force-raw=on -kernel IMAGE
//! ```
//!
//! The host's loopback is 10.0.2.2. `ENROLMENT` is what [`loa_receiver::Enrolment::encode`] writes, or a claim configuration. What it
//! plays: [`sound`]. What it says, on standard error: what changes, and its claim code. It exits with 2 if it has neither, with 101 if
//! it panics; reboots reset the machine.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod board;
mod ethernet;
mod executor;
mod flash;
mod interrupts;
mod journal;
#[cfg(feature = "measure")]
mod measure;
mod pins;
mod random;
mod register;
mod semihosting;
mod sound;
mod time;
mod watchdog;

use board::Qemu;
use embassy_executor::Spawner;
use embassy_net::{Config, DhcpConfig, Runner, Stack, StackResources};
#[cfg(not(feature = "measure"))]
use embassy_time::{Duration, Ticker};
use ethernet::Ethernet;
use loa_board_shell::{Contact, Datagrams, Media, SOCKETS, Wires};
use loa_opus::OpusDecoder;
use loa_protocol::flash::Flash;
use loa_receiver::claim::Claimant;
use loa_receiver::{Build, Receiver};
use rand_core::RngCore;
use random::HostRandom;
use semihosting::exit;
use static_cell::{ConstStaticCell, StaticCell};

/// Exit codes of QEMU.
const NOT_ENROLLED: u32 = 2;
pub(crate) const PANICKED: u32 = 101;

const BUILD: Build = Build {
    firmware: env!("CARGO_PKG_VERSION"),
    board: "qemu-an505",
};

#[cfg(not(feature = "measure"))]
type Opus = &'static mut OpusDecoder;
#[cfg(feature = "measure")]
type Opus = measure::Measured<&'static mut OpusDecoder>;

static WIRES: Wires = Wires::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    time::start();
    journal::start();
    #[cfg(feature = "measure")]
    measure::calibrate();
    let mut random = HostRandom::open().expect("the host has random numbers in /dev/urandom");
    let (life, contact) = life(&mut random);
    let ethernet = Ethernet::start().expect("a LAN9118 is there: -nic user,model=lan9118");
    let mut dhcp = DhcpConfig::default();
    dhcp.hostname = contact_name(contact);
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    let (stack, runner) = embassy_net::new(
        ethernet,
        Config::dhcpv4(dhcp),
        RESOURCES.init(StackResources::new()),
        random.seed(),
    );

    let board = Qemu::new();
    log::info!("{} boots", contact.name());
    executor::run(
        |urgent: Spawner| {
            urgent.spawn(network(runner).expect("spawned once"));
            urgent.spawn(carry(stack, contact).expect("spawned once"));
            match life {
                Life::Receiver(receiver) => {
                    static DATAGRAMS: ConstStaticCell<Datagrams> = ConstStaticCell::new(Datagrams::new());
                    static MEDIA: StaticCell<Media> = StaticCell::new();
                    let media = &*MEDIA.init(Media::open(stack, DATAGRAMS.take()));
                    urgent.spawn(follow(media, stack, contact).expect("spawned once"));
                    urgent.spawn(attend(media, receiver, board).expect("spawned once"));
                }
                Life::Claimant(claimant) => urgent.spawn(claim(claimant, board).expect("spawned once")),
            }
        },
        |patient: Spawner| {
            patient.spawn(converse(contact, random).expect("spawned once"));
            // No board one can buy needs it, so it is not measured.
            #[cfg(not(feature = "measure"))]
            patient.spawn(tick().expect("spawned once"));
        },
    )
}

/// What the board is until it starts afresh.
enum Life {
    Receiver(&'static mut Receiver<Opus>),
    Claimant(&'static mut Claimant),
}

/// Not inlined, so that what it needs of the stack while it builds is given back.
#[inline(never)]
fn life(random: &mut HostRandom) -> (Life, &'static Contact) {
    static DECODER: StaticCell<OpusDecoder> = StaticCell::new();
    static RECEIVER: StaticCell<Receiver<Opus>> = StaticCell::new();
    static CLAIMANT: StaticCell<Claimant> = StaticCell::new();
    static CONTACT: StaticCell<Contact> = StaticCell::new();
    let mut seed = [0; 32];
    random.fill_bytes(&mut seed);
    let (life, contact) = match flash::read() {
        Ok(Some(Flash::Enrolled(enrolment))) => {
            let decoder = Opus::from(DECODER.init_with(OpusDecoder::new));
            let receiver = RECEIVER.init_with(|| Receiver::new(enrolment, BUILD, seed, decoder));
            let contact = Contact::of(&receiver.session(0));
            (Life::Receiver(receiver), contact)
        }
        Ok(Some(Flash::Claiming(configuration))) => {
            let claimant = CLAIMANT.init_with(|| Claimant::new(configuration, BUILD, seed));
            let contact = Contact::claim(claimant);
            (Life::Claimant(claimant), contact)
        }
        Ok(None) => {
            log::error!(
                "not enrolled: nothing at {:#x} (-device loader,file=…,force-raw=on)",
                flash::PARTITION
            );
            exit(NOT_ENROLLED)
        }
        Err(error) => {
            log::error!("the enrolment is damaged: {error}");
            exit(NOT_ENROLLED)
        }
    };
    (life, CONTACT.init(contact.expect("a session fits a contact")))
}

fn contact_name(contact: &Contact) -> Option<heapless::String<32>> {
    heapless::String::try_from(contact.name()).ok()
}

/// A task of its own: sockets wake it whenever they are asked for anything.
#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Ethernet>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn carry(stack: Stack<'static>, contact: &'static Contact) -> ! {
    loa_board_shell::carry(stack, contact, &WIRES).await
}

#[embassy_executor::task]
async fn follow(media: &'static Media, stack: Stack<'static>, contact: &'static Contact) -> ! {
    media.follow(stack, contact).await
}

#[embassy_executor::task]
async fn attend(media: &'static Media, receiver: &'static mut Receiver<Opus>, mut board: Qemu) -> ! {
    loa_board_shell::attend(media, receiver, &mut board, &WIRES).await
}

#[embassy_executor::task]
async fn claim(claimant: &'static mut Claimant, mut board: Qemu) -> ! {
    loa_board_shell::claim(claimant, &mut board, &WIRES).await
}

#[embassy_executor::task]
async fn converse(contact: &'static Contact, mut random: HostRandom) -> ! {
    loa_board_shell::converse(contact, &WIRES, &mut random).await
}

/// Keeps QEMU awake: while its guest sleeps, its user-mode network looks at new TCP connections only once a second.
#[cfg(not(feature = "measure"))]
#[embassy_executor::task]
async fn tick() -> ! {
    let mut ticker = Ticker::every(Duration::from_millis(5));
    loop {
        ticker.next().await;
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    log::error!("{info}");
    exit(PANICKED)
}
