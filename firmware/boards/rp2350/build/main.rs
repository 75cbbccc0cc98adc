//! Makes pins and memory map from `hardware/rp2350-w5500.toml`, the one place where they stand, and checks that the wiring
//! diagram's text says the same.

mod wiring;

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

const MAP: &str = "../../../hardware/rp2350-w5500.toml";
const WIRING: &str = "../../../hardware/rp2350-w5500.wiring.yml";
/// What the enrolment takes of the end of flash, in KiB (`src/flash.rs`).
const ENROLMENT_KIB: u32 = 64;

#[derive(Deserialize)]
struct Map {
    board: Board,
    ethernet: BTreeMap<String, Pin>,
    dac: BTreeMap<String, Pin>,
    amplifier: BTreeMap<String, Pin>,
    led: BTreeMap<String, Pin>,
}

#[derive(Deserialize)]
struct Board {
    module: String,
    flash_kib: u32,
    ram_kib: u32,
}

#[derive(Deserialize)]
struct Pin {
    gpio: u8,
    header: Option<u8>,
    active: Option<String>,
    to: Option<String>,
    colour: Option<String>,
}

fn main() {
    let text = std::fs::read_to_string(MAP).unwrap_or_else(|error| panic!("{MAP}: {error}"));
    let map: Map = toml::from_str(&text).unwrap_or_else(|error| panic!("{MAP}: {error}"));
    check(&map);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    std::fs::write(out.join("pins.rs"), pins(&map)).expect("the build folder can be written");
    std::fs::write(out.join("memory.x"), memory(&map.board)).expect("the build folder can be written");
    let wiring = wiring::diagram(&map);
    std::fs::write(out.join("wiring.yml"), &wiring).expect("the build folder can be written");
    assert!(
        std::fs::read_to_string(WIRING).is_ok_and(|text| text == wiring),
        "{WIRING} is not what {MAP} says: copy {} there, and draw it again (hardware/README.md)",
        out.join("wiring.yml").display()
    );
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed={MAP}");
    println!("cargo:rerun-if-changed={WIRING}");
    println!("cargo:rerun-if-changed=build");
}

fn groups(map: &Map) -> [(&'static str, &BTreeMap<String, Pin>); 4] {
    [
        ("Ethernet", &map.ethernet),
        ("Dac", &map.dac),
        ("Amplifier", &map.amplifier),
        ("Led", &map.led),
    ]
}

/// Refuses what cannot be wired.
fn check(map: &Map) {
    let mut taken = BTreeMap::new();
    for (group, pins) in groups(map) {
        for (name, pin) in pins {
            assert!(pin.gpio <= 29, "{MAP}: {group}.{name}: the RP2350A has GPIO 0 to 29");
            if let Some(other) = taken.insert(pin.gpio, name) {
                panic!("{MAP}: {name} and {other} are both on GPIO {}", pin.gpio);
            }
            if let Some(header) = pin.header {
                assert_eq!(
                    header_pin(pin.gpio),
                    Some(header),
                    "{MAP}: {group}.{name}: pin of GPIO {}",
                    pin.gpio
                );
            }
            let active = pin.active.as_deref();
            assert!(
                matches!(active, None | Some("high" | "low")),
                "{MAP}: {group}.{name}: active is high or low"
            );
        }
    }
    let clock = |name: &str| {
        map.dac
            .get(name)
            .unwrap_or_else(|| panic!("{MAP}: dac.{name} is missing"))
            .gpio
    };
    assert_eq!(
        clock("word_clock"),
        clock("bit_clock") + 1,
        "{MAP}: the word clock is the GPIO after the bit clock"
    );
}

/// Where the 40-pin header has a GPIO: from pin 1 on, two GPIOs, ground, two GPIOs, with other things between.
fn header_pin(gpio: u8) -> Option<u8> {
    let pins = [
        1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17, 19, 20, 21, 22, 24, 25, 26, 27, 29,
    ];
    match gpio {
        0..=22 => Some(pins[usize::from(gpio)]),
        26..=28 => Some([31, 32, 34][usize::from(gpio - 26)]),
        _ => None,
    }
}

/// A struct of pins for each group, and a macro that takes them from embassy's peripherals.
fn pins(map: &Map) -> String {
    let mut code = String::new();
    let mut take = String::new();
    for (group, pins) in groups(map) {
        let fields: String = pins
            .iter()
            .map(|(name, pin)| format!("pub(crate) {name}: Peri<'static, peripherals::PIN_{}>,", pin.gpio))
            .collect();
        writeln!(code, "pub(crate) struct {group} {{ {fields} }}").expect("text");
        for (name, pin) in pins {
            if let Some(active) = &pin.active {
                let constant = format!("{group}_{name}_ACTIVE").to_uppercase();
                let level = if active == "high" { "High" } else { "Low" };
                writeln!(code, "pub(crate) const {constant}: Level = Level::{level};").expect("text");
            }
        }
        let fields: String = pins
            .iter()
            .map(|(name, pin)| format!("{name}: $from.PIN_{},", pin.gpio))
            .collect();
        write!(take, "$crate::pins::{group} {{ {fields} }},").expect("text");
    }
    writeln!(
        code,
        "pub(crate) const FLASH_BYTES: usize = {} * 1024;",
        map.board.flash_kib
    )
    .expect("text");
    writeln!(
        code,
        "macro_rules! take_pins {{ ($from:ident) => {{ ({take}) }} }}\npub(crate) use take_pins;"
    )
    .expect("text");
    code
}

fn memory(board: &Board) -> String {
    format!(
        "/* Made by build.rs from hardware/rp2350-w5500.toml. */
MEMORY
{{
  FLASH : ORIGIN = 0x10000000, LENGTH = {}K
  RAM   : ORIGIN = 0x20000000, LENGTH = {}K
}}
/* The boot ROM looks for the image's definition in the first 4 KB. */
SECTIONS
{{
  .start_block : ALIGN(4)
  {{
    __start_block_addr = .;
    KEEP(*(.start_block));
    KEEP(*(.boot_info));
  }} > FLASH
}} INSERT AFTER .vector_table;
_stext = ADDR(.start_block) + SIZEOF(.start_block);
_enrolment = ORIGIN(FLASH) + LENGTH(FLASH);
",
        board.flash_kib - ENROLMENT_KIB,
        board.ram_kib
    )
}
