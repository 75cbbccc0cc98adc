//! What would be pins.
pub(crate) struct Pin {
    on: bool,
}
impl Pin {
    pub(crate) fn amplifier() -> Self {
        Self { on: false }
    }
    pub(crate) fn set(&mut self, on: bool) {
        if self.on != on {
            self.on = on;
            log::info!("amplifier {}", if on { "on" } else { "off" });
        }
    }
}
