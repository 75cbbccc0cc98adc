//! The serial port on the module's USB connector, where a technician reads the code of a device that has no identity yet. Here: the port, and
//! the code, once a second as long as somebody reads. Nothing that is sent to it is looked at; a receiver has none.

use crate::Interrupts;
use core::convert::Infallible;
use core::fmt::Write;
use embassy_futures::join::join;
use embassy_rp::Peri;
use embassy_rp::peripherals::USB;
use embassy_rp::usb::Driver;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer};
use embassy_usb::class::cdc_acm::{CdcAcmClass, State};
use embassy_usb::{Builder, Config};
use loa_protocol::claim::Code;

/// Raspberry Pi's vendor number, and what its SDK calls a serial port of an RP2350: every system has a driver for it.
const PORT: (u16, u16) = (0x2E8A, 0x0009);
/// Longest packet at full speed (USB 2.0, 5.8.3); the line is shorter.
const PACKET: u16 = 64;
const AGAIN: Duration = Duration::from_secs(1);

static CODE: Signal<CriticalSectionRawMutex, Code> = Signal::new();

/// Lets the port say this code.
pub(crate) fn show(code: Code) {
    CODE.signal(code);
}

/// Opens the port once there is a code, and says it for ever.
pub(crate) async fn serve(usb: Peri<'static, USB>) -> ! {
    let mut line = heapless::String::<{ PACKET as usize - 1 }>::new();
    write!(line, "Mã ghi danh · claim code: {}\r\n", CODE.wait().await).expect("49 bytes");
    let mut config = Config::new(PORT.0, PORT.1);
    config.product = Some("Loa");
    let (mut descriptors, mut capabilities, mut control) = ([0; 128], [0; 16], [0; 64]);
    let mut state = State::new();
    let mut builder = Builder::new(
        Driver::new(usb, Interrupts),
        config,
        &mut descriptors,
        &mut capabilities,
        &mut [],
        &mut control,
    );
    let mut port = CdcAcmClass::new(&mut builder, &mut state, PACKET);
    let mut device = builder.build();
    let say = async {
        loop {
            port.wait_connection().await;
            // Waits until somebody reads; unplugged meanwhile: the next one is told.
            let _ = port.write_packet(line.as_bytes()).await;
            Timer::after(AGAIN).await;
        }
    };
    let never: (_, Infallible) = join(device.run(), say).await;
    match never.1 {}
}
