//! The wiring as WireViz reads it: from the pin map where a GPIO is at one end, from `wiring.yml` beside this file where none is.

use crate::{Map, Pin};

/// Everything around the signals: parts, power, ground and sound.
const FRAME: &str = include_str!("wiring.yml");
/// The DAC's inputs; what does not go there goes to the amplifier.
const DAC: [&str; 4] = ["DIN", "BCK", "LCK", "XSMT"];
/// Wires of the cable to the DAC before the signals: power and ground.
const POWER: usize = 2;

struct Signal<'a> {
    name: String,
    gpio: u8,
    header: u8,
    to: &'a str,
    colour: &'a str,
}

/// The diagram's text.
pub(crate) fn diagram(map: &Map) -> String {
    let mut signals: Vec<_> = map
        .dac
        .iter()
        .chain(&map.amplifier)
        .map(|(name, pin)| signal(name, pin))
        .collect();
    signals.sort_by_key(|signal| signal.gpio);
    let (dac, amplifier): (Vec<_>, Vec<_>) = signals.iter().partition(|signal| DAC.contains(&signal.to));
    let numbers = (POWER + 1..=POWER + dac.len()).map(|number| number.to_string());
    FRAME
        .replace("{module}", &map.board.module)
        .replace(
            "{headers}",
            &list(signals.iter().map(|signal| signal.header.to_string())),
        )
        .replace(
            "{labels}",
            &list(
                signals
                    .iter()
                    .map(|signal| format!("GP{} {}", signal.gpio, signal.name)),
            ),
        )
        .replace(
            "{dac headers}",
            &list(dac.iter().map(|signal| signal.header.to_string())),
        )
        .replace("{dac inputs}", &list(dac.iter().map(|signal| signal.to.to_owned())))
        .replace(
            "{dac colours}",
            &list(dac.iter().map(|signal| signal.colour.to_owned())),
        )
        .replace("{dac wires}", &list(numbers))
        .replace(
            "{amplifier headers}",
            &list(amplifier.iter().map(|signal| signal.header.to_string())),
        )
        .replace(
            "{amplifier inputs}",
            &list(amplifier.iter().map(|signal| signal.to.to_owned())),
        )
        .replace(
            "{amplifier colours}",
            &list(amplifier.iter().map(|signal| signal.colour.to_owned())),
        )
}

fn signal<'a>(name: &str, pin: &'a Pin) -> Signal<'a> {
    let missing = |what: &str| format!("{}: {name} leaves the module: {what}", crate::MAP);
    Signal {
        name: name.replace('_', " "),
        gpio: pin.gpio,
        header: pin.header.expect(&missing("from which header pin?")),
        to: pin.to.as_deref().expect(&missing("where to?")),
        colour: pin.colour.as_deref().expect(&missing("in which colour?")),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
