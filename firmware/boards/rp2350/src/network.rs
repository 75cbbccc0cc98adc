//! The network: W5500 over SPI, which passes Ethernet frames only (MACRAW); TCP/IP is embassy-net's.
#![expect(unsafe_code, reason = "a spawner of the executor that runs this")]

use crate::{Interrupts, WIRES, identity, pins};
use embassy_executor::Spawner;
use embassy_net::{Config, DhcpConfig, Runner, Stack, StackResources};
use embassy_net_wiznet::chip::W5500;
use embassy_net_wiznet::{Device, State};
use embassy_rp::Peri;
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::peripherals::{DMA_CH0, DMA_CH1, SPI0};
use embassy_rp::spi::{self, Async, Spi};
use embassy_time::Delay;
use embedded_hal_bus::spi::ExclusiveDevice;
use loa_board_shell::{Contact, Datagrams, Media, SOCKETS};
use static_cell::{ConstStaticCell, StaticCell};

/// The W5500's data sheet guarantees 33.3 MHz (chapter 5.5.4).
const SPI_HERTZ: u32 = 30_000_000;
/// Frames that wait each way.
const RECEIVE: usize = 8;
const SEND: usize = 4;

type Bus = ExclusiveDevice<Spi<'static, SPI0, Async>, Output<'static>, Delay>;
type Chip = embassy_net_wiznet::Runner<'static, W5500, Bus, Input<'static>, Output<'static>>;

/// What the network is made of.
pub(crate) struct Network {
    pub(crate) pins: pins::Ethernet,
    pub(crate) spi: Peri<'static, SPI0>,
    pub(crate) send: Peri<'static, DMA_CH0>,
    pub(crate) receive: Peri<'static, DMA_CH1>,
    /// For ports and sequence numbers.
    pub(crate) seed: u64,
}

impl Network {
    /// Starts it on the executor that this runs on, whose spawner comes back, and asks for an address by DHCP, as a receiver by its name.
    pub(crate) async fn start(self, contact: &'static Contact) -> (Stack<'static>, Spawner) {
        let pins = self.pins;
        let mut config = spi::Config::default();
        config.frequency = SPI_HERTZ;
        let spi = Spi::new(
            self.spi,
            pins.clock,
            pins.mosi,
            pins.miso,
            self.send,
            self.receive,
            Interrupts,
            config,
        );
        let bus =
            ExclusiveDevice::new(spi, Output::new(pins.chip_select, Level::High), Delay).expect("pins do not fail");
        let interrupt = Input::new(pins.interrupt, Pull::Up);
        let reset = Output::new(pins.reset, Level::High);
        static STATE: StaticCell<State<RECEIVE, SEND>> = StaticCell::new();
        let state = STATE.init_with(State::new);
        let chip = embassy_net_wiznet::new(identity::ethernet_address(), state, bus, interrupt, reset).await;
        let Ok((device, chip)) = chip else {
            panic!("the W5500 does not answer")
        };

        let mut dhcp = DhcpConfig::default();
        dhcp.hostname = heapless::String::try_from(contact.name()).ok();
        static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
        let resources = RESOURCES.init_with(StackResources::new);
        let (stack, runner) = embassy_net::new(device, Config::dhcpv4(dhcp), resources, self.seed);
        // SAFETY: this runs in a task of an embassy executor, with the context that it was polled with.
        let spawner = unsafe { Spawner::for_current_executor().await };
        spawner.spawn(frames(chip).expect("spawned once"));
        spawner.spawn(packets(runner).expect("spawned once"));
        spawner.spawn(carry(stack, contact).expect("spawned once"));
        (stack, spawner)
    }

    /// Starts it, and the media socket of a receiver.
    pub(crate) async fn start_with_media(self, contact: &'static Contact) -> &'static Media {
        let (stack, spawner) = self.start(contact).await;
        static DATAGRAMS: ConstStaticCell<Datagrams> = ConstStaticCell::new(Datagrams::new());
        static MEDIA: StaticCell<Media> = StaticCell::new();
        let media = &*MEDIA.init(Media::open(stack, DATAGRAMS.take()));
        spawner.spawn(follow(media, stack, contact).expect("spawned once"));
        media
    }
}

#[embassy_executor::task]
async fn frames(chip: Chip) -> ! {
    chip.run().await
}

#[embassy_executor::task]
async fn packets(mut runner: Runner<'static, Device<'static>>) -> ! {
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
