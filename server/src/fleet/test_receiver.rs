//! For tests: a receiver's part of MQTT, by rumqttc.

use std::net::SocketAddr;
use std::time::Duration;

use loa_protocol::ReceiverId;
use loa_protocol::key::Secret;
use loa_protocol::topic::{self, Downlink, Topic, Uplink};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Nothing in a test takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A receiver's secret, in tests.
pub(crate) fn secret(id: ReceiverId) -> Secret {
    Secret([id.0[0]; 32])
}

fn text(digits: &[u8]) -> String {
    String::from_utf8(digits.to_vec()).unwrap()
}

/// It connects for as long as it takes, subscribes and says that it is there.
pub(crate) struct Receiver {
    id: ReceiverId,
    client: AsyncClient,
    heard: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// As `id`, to the broker at `address`, without TLS.
    pub(crate) fn start(id: ReceiverId, address: SocketAddr) -> Self {
        let name = text(&id.hex());
        let presence = Topic::Up(id, Uplink::Presence).text().to_string();
        let mut options = MqttOptions::new(&name, address.ip().to_string(), address.port());
        options.set_credentials(&name, text(&secret(id).mqtt_password()));
        options.set_last_will(rumqttc::LastWill::new(&presence, topic::ABSENT, QoS::AtLeastOnce, true));
        let (client, mut events) = AsyncClient::new(options, 16);
        let (sender, heard) = mpsc::unbounded_channel();
        let speaker = client.clone();
        let task = tokio::spawn(async move {
            let mut granted = 0;
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        granted = 0;
                        for kind in Downlink::ALL {
                            let topic = Topic::Down(id, kind).text().to_string();
                            speaker.try_subscribe(topic, QoS::AtLeastOnce).unwrap();
                        }
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        granted += 1;
                        // Only who listens to both says that it is there.
                        if granted == Downlink::ALL.len() {
                            speaker
                                .try_publish(&presence, QoS::AtLeastOnce, true, topic::PRESENT)
                                .unwrap();
                        }
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        if sender.send((publish.topic, publish.payload.to_vec())).is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        Self {
            id,
            client,
            heard,
            task,
        }
    }

    /// Publishes in the name of `id`.
    pub(crate) fn say(&self, id: ReceiverId, kind: Uplink, payload: Vec<u8>) {
        self.client
            .try_publish(Topic::Up(id, kind).text().to_string(), QoS::AtLeastOnce, false, payload)
            .unwrap();
    }

    /// Subscribes to what `id` is told.
    pub(crate) fn eavesdrop(&self, id: ReceiverId) {
        let topic = Topic::Down(id, Downlink::Command).text().to_string();
        self.client.try_subscribe(topic, QoS::AtLeastOnce).unwrap();
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> (String, Vec<u8>) {
        tokio::time::timeout(PATIENCE, self.heard.recv())
            .await
            .expect("it hears nothing")
            .expect("it has ended")
    }

    /// The next message, which must be of this kind.
    pub(crate) async fn hear(&mut self, kind: Downlink) -> Vec<u8> {
        let (topic, payload) = self.next().await;
        assert_eq!(topic, *Topic::Down(self.id, kind).text());
        payload
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}
