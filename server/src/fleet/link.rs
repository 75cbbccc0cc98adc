//! The line to the MQTT broker. Here: connecting, connecting again for as long as it takes, subscribing on every
//! connection. Not here: what messages mean (`mailbox`), the broker itself (`broker`).

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use tokio::sync::{mpsc, watch};

/// Between attempts to connect: short, since a restarted broker means receivers without orders.
const RETRY: Duration = Duration::from_millis(200);
/// After this many attempts in a row it is tried less often.
const PATIENT_AFTER: u32 = 25;
/// Between attempts then.
const PATIENT_RETRY: Duration = Duration::from_secs(2);
/// Messages that may wait for the broker.
const QUEUE: usize = 4096;
/// QoS 1 messages that may be unacknowledged at once.
const INFLIGHT: u16 = 512;

/// Where the broker is, and as whom to speak to it.
#[derive(Clone)]
pub struct Broker {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name; the server may read and write all of `loa/1/#`.
    pub username: String,
    /// Its password.
    pub password: String,
    /// With it the line is encrypted.
    pub tls: Option<Arc<rumqttc::tokio_rustls::rustls::ClientConfig>>,
}

/// What comes over the line.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Connected and subscribed: retained messages follow.
    Up,
    /// A message: topic and payload.
    Message(String, bytes::Bytes),
}

/// Sends messages; clones share the line.
#[derive(Debug, Clone)]
pub struct Outbox(AsyncClient);

impl Outbox {
    /// Queues a message that must arrive (QoS 1); `false` if there is no room.
    pub(super) fn try_send_surely(&self, topic: String, payload: Vec<u8>) -> bool {
        self.0.try_publish(topic, QoS::AtLeastOnce, false, payload).is_ok()
    }

    /// Queues a message that is worthless when late (QoS 0); `false` if there is no room.
    pub fn try_send(&self, topic: String, payload: Vec<u8>) -> bool {
        self.0.try_publish(topic, QoS::AtMostOnce, false, payload).is_ok()
    }
}

/// The line: [`Line::run`] keeps it up.
pub(super) struct Line {
    client: AsyncClient,
    events: EventLoop,
}

/// A line that is not connected yet, and how to send over it.
pub(super) fn open(broker: &Broker) -> (Line, Outbox) {
    let mut options = MqttOptions::new("loa-server", &broker.host, broker.port);
    options
        .set_credentials(&broker.username, &broker.password)
        .set_keep_alive(Duration::from_secs(15))
        .set_clean_session(true)
        .set_inflight(INFLIGHT)
        .set_max_packet_size(64 * 1024, 64 * 1024);
    if let Some(tls) = &broker.tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls.clone())));
    }
    let (client, events) = AsyncClient::new(options, QUEUE);
    (
        Line {
            client: client.clone(),
            events,
        },
        Outbox(client),
    )
}

impl Line {
    /// Keeps the line up and gives what arrives to `arrivals`, until `shutdown` turns true.
    pub(super) async fn run(
        mut self,
        subscriptions: Vec<(String, QoS)>,
        arrivals: mpsc::Sender<Arrival>,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let mut attempts = 0u32;
        loop {
            let event = tokio::select! {
                event = self.events.poll() => event,
                _ = shutdown.wait_for(|ending| *ending) => return,
            };
            let arrival = match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    attempts = 0;
                    let filters = subscriptions
                        .iter()
                        .map(|(topic, qos)| rumqttc::SubscribeFilter::new(topic.clone(), *qos));
                    // Not awaited: this task is the one that would make room.
                    if self.client.try_subscribe_many(filters).is_err() {
                        tracing::warn!("the queue to the broker is full: subscriptions wait for the next connection");
                        self.events.clean();
                        continue;
                    }
                    tracing::info!("connected to the MQTT broker");
                    Arrival::Up
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => Arrival::Message(publish.topic, publish.payload),
                Ok(_) => continue,
                Err(error) => {
                    attempts += 1;
                    complain(attempts, &error);
                    let pause = if attempts > PATIENT_AFTER { PATIENT_RETRY } else { RETRY };
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        _ = shutdown.wait_for(|ending| *ending) => return,
                    }
                    continue;
                }
            };
            if arrivals.send(arrival).await.is_err() {
                return;
            }
        }
    }
}

/// Says that the line is down, once an outage.
fn complain(attempts: u32, error: &ConnectionError) {
    if attempts == 1 {
        tracing::warn!(%error, "the line to the MQTT broker is down, connecting again");
    }
}
