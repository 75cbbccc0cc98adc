//! The board's Ethernet: SMSC LAN9118, as QEMU emulates it, for embassy-net. Polled FIFOs; the interrupt only wakes.
#![expect(unsafe_code, reason = "registers")]

use crate::register::Register;
use core::task::Context;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;

/// Interrupt number, as [`crate::interrupts`] sees it.
pub(crate) const INTERRUPT: u16 = 48;

/// Longest Ethernet frame without its checksum, in bytes, and room for it in whole words with the checksum.
const FRAME: usize = 1514;
const BUFFER: usize = 1520;

const fn register(offset: usize) -> Register {
    // SAFETY: the LAN9118 of the board, Secure alias (ARM DAI 0505, table 3-3); it masters no bus.
    unsafe { Register::at(0x5200_0000, offset) }
}

// LAN9118 data sheet, chapter 5.
static RX_DATA: Register = register(0x00);
static TX_DATA: Register = register(0x20);
static RX_STATUS: Register = register(0x40);
static TX_STATUS: Register = register(0x48);
static INT_CFG: Register = register(0x54);
static INT_STS: Register = register(0x58);
static INT_EN: Register = register(0x5C);
static BYTE_TEST: Register = register(0x64);
static FIFO_INT: Register = register(0x68);
static RX_CFG: Register = register(0x6C);
static TX_CFG: Register = register(0x70);
static HW_CFG: Register = register(0x74);
static RX_FIFO_INF: Register = register(0x7C);
static TX_FIFO_INF: Register = register(0x80);
static MAC_CSR_CMD: Register = register(0xA4);
static MAC_CSR_DATA: Register = register(0xA8);
static AFC_CFG: Register = register(0xAC);

/// Indirect registers of the MAC.
const MAC_CR: u32 = 1;
const MAC_ADDRH: u32 = 2;
const MAC_ADDRL: u32 = 3;

/// MAC_CR: receive, transmit, full duplex, pass multicast.
const MAC_RUN: u32 = 1 << 2 | 1 << 3 | 1 << 20 | 1 << 19;
/// INT_STS, INT_EN: a frame waits in the receive FIFO.
const RECEIVED: u32 = 1 << 3;
/// Status word of a received frame: it has an error.
const BROKEN: u32 = 1 << 15;
/// First word of a transmit command: first and last segment of a frame.
const WHOLE: u32 = 1 << 13 | 1 << 12;

static WAKER: AtomicWaker = AtomicWaker::new();

pub(crate) fn on_interrupt() {
    // `receive` enables it again once it has looked.
    INT_EN.write(0);
    WAKER.wake();
}

/// The controller and one frame each way.
pub(crate) struct Ethernet {
    address: [u8; 6],
    received: [u8; BUFFER],
    sending: [u8; BUFFER],
}

impl Ethernet {
    /// Resets and starts the controller; `None` if it is not there.
    pub(crate) fn start() -> Option<Self> {
        if BYTE_TEST.read() != 0x8765_4321 {
            return None;
        }
        HW_CFG.write(1);
        while HW_CFG.read() & 1 != 0 {}
        let (low, high) = (mac_read(MAC_ADDRL).to_le_bytes(), mac_read(MAC_ADDRH).to_le_bytes());
        HW_CFG.write(0x0015_0000);
        AFC_CFG.write(0x006E_3740);
        FIFO_INT.write(0xFF00_0000);
        INT_CFG.write(0x111);
        RX_CFG.write(0);
        TX_CFG.write(2);
        mac_write(MAC_CR, MAC_RUN);
        let address = [low[0], low[1], low[2], low[3], high[0], high[1]];
        Some(Self {
            address,
            received: [0; BUFFER],
            sending: [0; BUFFER],
        })
    }

    /// Takes the next good frame out of the FIFO and returns its length.
    fn take(&mut self) -> Option<usize> {
        while RX_FIFO_INF.read() >> 16 & 0xFF != 0 {
            let status = RX_STATUS.read();
            let with_checksum = (status >> 16 & 0x3FFF) as usize;
            let words = with_checksum.div_ceil(4);
            let good = status & BROKEN == 0 && (18..=FRAME + 4).contains(&with_checksum);
            for index in 0..words {
                let word = RX_DATA.read().to_le_bytes();
                if good {
                    self.received[index * 4..index * 4 + 4].copy_from_slice(&word);
                }
            }
            if good {
                return Some(with_checksum - 4);
            }
        }
        None
    }
}

fn mac_wait() {
    while MAC_CSR_CMD.read() >> 31 != 0 {}
}

fn mac_read(index: u32) -> u32 {
    MAC_CSR_CMD.write(1 << 31 | 1 << 30 | index);
    mac_wait();
    MAC_CSR_DATA.read()
}

fn mac_write(index: u32, value: u32) {
    MAC_CSR_DATA.write(value);
    MAC_CSR_CMD.write(1 << 31 | index);
    mac_wait();
}

/// Whether the transmit FIFO has room for a frame and its command; empties the status FIFO, which would fill up.
fn room() -> bool {
    let information = TX_FIFO_INF.read();
    for _ in 0..information >> 16 & 0xFF {
        TX_STATUS.read();
    }
    information & 0xFFFF >= (BUFFER + 8) as u32
}

impl Driver for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Sending<'_>)> {
        WAKER.register(context.waker());
        // Acknowledge and enable first, look afterwards: a frame in between raises the interrupt again.
        INT_STS.write(RECEIVED);
        INT_EN.write(RECEIVED);
        if !room() {
            context.waker().wake_by_ref();
            return None;
        }
        let length = self.take()?;
        Some((Received(&mut self.received[..length]), Sending(&mut self.sending)))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Sending<'_>> {
        if room() {
            return Some(Sending(&mut self.sending));
        }
        context.waker().wake_by_ref();
        None
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        // QEMU's cable is always in.
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// A frame that came in.
pub(crate) struct Received<'a>(&'a mut [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for a frame to go out.
pub(crate) struct Sending<'a>(&'a mut [u8; BUFFER]);

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let result = f(&mut self.0[..length]);
        TX_DATA.write(WHOLE | length as u32);
        TX_DATA.write((length as u32) << 16 | length as u32);
        for word in self.0[..length.next_multiple_of(4)].chunks_exact(4) {
            TX_DATA.write(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        }
        result
    }
}
