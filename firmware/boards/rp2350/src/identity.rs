//! The module has no Ethernet address of its own, so one is made from the number that each RP2350 was given in its factory.

use embassy_rp::otp;

/// A locally administered address (IEEE 802-2014, 8.4), the same after every boot.
pub(crate) fn ethernet_address() -> [u8; 6] {
    let number = otp::get_chipid().expect("the chip's number can be read").to_be_bytes();
    // Unicast, locally administered.
    [
        0x02,
        number[3] ^ number[0],
        number[4] ^ number[1],
        number[5] ^ number[2],
        number[6],
        number[7],
    ]
}
