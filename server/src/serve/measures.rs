//! What the way to the receivers counts, for `/metrics`.

use std::sync::Arc;

use crate::broker::Credentials;
use crate::fleet;
use crate::http::metrics::Text;
use crate::transmit;

/// The counters that are shown.
pub(super) struct Measures {
    pub(super) transmitted: Arc<transmit::Counters>,
    pub(super) refused: Arc<fleet::Counters>,
    pub(super) broker: Option<Arc<Credentials>>,
}

impl Measures {
    pub(super) fn write(&self, text: &mut Text) {
        let it = &self.transmitted;
        let datagrams = [
            ("outcome=\"sent\"", it.sent.get()),
            ("outcome=\"tunnelled\"", it.tunnelled.get()),
            ("outcome=\"refused_by_system\"", it.send_errors.get()),
            ("outcome=\"nowhere\"", it.nowhere.get()),
            ("outcome=\"too_late\"", it.skipped.get()),
        ];
        text.counter(
            "media_datagrams",
            "Media datagrams to receivers by what became of them.",
            &datagrams,
        );
        let hellos = [
            ("outcome=\"answered\"", it.hellos.get()),
            ("outcome=\"unbound\"", it.unbound.get()),
            ("outcome=\"not_hello\"", it.not_hello.get()),
            ("outcome=\"unknown\"", it.unknown.get()),
            ("outcome=\"revoked\"", it.revoked.get()),
            ("outcome=\"forged\"", it.forged.get()),
        ];
        text.counter(
            "hellos",
            "Datagrams to the media socket by what became of them.",
            &hellos,
        );
        let lateness = it.take_worst_lateness();
        text.gauge(
            "media_worst_lateness_microseconds",
            "The longest that a packet left after its time since this was last asked.",
            &[("", lateness)],
        );
        let it = &self.refused;
        let refused = [
            ("reason=\"wrong_topic\"", it.wrong_topic.get()),
            ("reason=\"unknown\"", it.unknown.get()),
            ("reason=\"malformed\"", it.malformed.get()),
            ("reason=\"forged\"", it.forged.get()),
            ("reason=\"replayed\"", it.replayed.get()),
            ("reason=\"revoked\"", it.revoked.get()),
            ("reason=\"uncalled\"", it.uncalled.get()),
            ("reason=\"claim\"", it.claims.get()),
        ];
        text.counter(
            "reports_refused",
            "Messages from receivers that were refused.",
            &refused,
        );
        text.counter(
            "orders_dropped",
            "Orders dropped because the broker was away.",
            &[("", it.unsent.get())],
        );
        text.counter(
            "orders_unsigned",
            "Orders that the signing key did not sign.",
            &[("", it.unsigned.get())],
        );
        text.counter(
            "clone_alarms",
            "Alarms that two devices go by one receiver's name.",
            &[("", it.clones.get())],
        );
        if let Some(broker) = &self.broker {
            let it = broker.counters();
            let refused = [
                ("reason=\"handshake\"", it.handshakes.get()),
                ("reason=\"login\"", it.logins.get()),
                ("reason=\"topic\"", it.topics.get()),
                ("reason=\"claimants\"", it.crowded.get()),
            ];
            text.counter("mqtt_refused", "What the embedded MQTT broker refused.", &refused);
            text.counter(
                "mqtt_takeovers",
                "Connections that took the place of one that had not ended.",
                &[("", it.takeovers.get())],
            );
        }
    }
}
