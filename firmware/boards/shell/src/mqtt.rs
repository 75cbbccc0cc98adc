//! One MQTT 5 session: connect with a last will, then carry messages both ways until the connection ends.

use crate::outbox::{Message, Outbox};
use core::num::NonZero;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use rust_mqtt::Bytes;
use rust_mqtt::buffer::BumpBuffer;
use rust_mqtt::client::Client;
use rust_mqtt::client::event::Event;
use rust_mqtt::client::options::{
    ConnectOptions, PublicationOptions, SubscriptionOptions, TopicReference, WillOptions,
};
use rust_mqtt::config::KeepAlive;
use rust_mqtt::io::Transport;
use rust_mqtt::types::{MqttBinary, MqttString, QoS, TopicFilter, TopicName};

/// The broker declares this client dead after 1.5 times as many silent seconds (MQTT 5 §3.1.2.10), and we it likewise.
const KEEP_ALIVE_SECONDS: u16 = 30;
const PING: Duration = Duration::from_secs(15);
/// How long the broker may take for an answer, and for the rest of a packet that has begun.
const ANSWER: Duration = Duration::from_secs(10);
/// Longest packet that is accepted, announced to the broker: a tunnelled datagram with its topic.
const MAX_PACKET: u32 = 2_048;
/// Acknowledgements that may be outstanding, each way.
const IN_FLIGHT: usize = 8;

/// With what to connect.
pub(crate) struct Credentials<'a> {
    /// Client id and user name.
    pub(crate) name: &'a str,
    /// Password.
    pub(crate) password: &'a [u8],
    /// Retained message that the broker sends for us when we are gone.
    pub(crate) will: (&'a str, &'a [u8]),
}

/// Why a session ended, or did not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The broker did not answer in time.
    Silent,
    /// The connection broke, or the broker refused, closed, or broke the protocol.
    Broken,
    /// A topic, credential or message does not fit MQTT's limits.
    Unfit,
}

/// Runs a session. `up` is called once it stands, `message` for each message with its topic and payload.
pub(crate) async fn session<N: Transport>(
    transport: N,
    credentials: &Credentials<'_>,
    outbox: &Outbox,
    up: impl FnOnce(),
    mut message: impl FnMut(&str, &[u8]),
) -> Ended {
    let mut memory = [0; MAX_PACKET as usize];
    let mut memory = BumpBuffer::new(&mut memory);
    let mut client = Client::<'_, '_, N, _, IN_FLIGHT, IN_FLIGHT, IN_FLIGHT, 1, 4, 0, 0>::new(&mut memory);
    let options = match connect_options(credentials) {
        Some(options) => options,
        None => return Ended::Unfit,
    };
    let Ok(name) = MqttString::from_str(credentials.name) else { return Ended::Unfit };
    match with_timeout(ANSWER, client.connect(transport, &options, Some(name))).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => return Ended::Broken,
        Err(_) => return Ended::Silent,
    }
    release(client.buffer_mut());
    outbox.clear();
    up();

    let mut unacknowledged = 0;
    let mut heard = Instant::now();
    let mut pinged = heard;
    loop {
        // While the broker owes us too many acknowledgements, only listen.
        let next = async {
            match unacknowledged < IN_FLIGHT {
                true => outbox.receive().await,
                false => core::future::pending().await,
            }
        };
        match select3(client.poll_header(), next, Timer::at(pinged + PING)).await {
            Either3::First(Err(_)) => return Ended::Broken,
            Either3::First(Ok(header)) => {
                heard = Instant::now();
                match with_timeout(ANSWER, client.poll_body(header)).await {
                    Ok(Ok(Event::Publish(publish))) => {
                        if let TopicReference::Name(topic) = &publish.topic {
                            message(topic.as_ref().as_str(), publish.message.as_bytes());
                        }
                    }
                    Ok(Ok(
                        Event::Suback(_)
                        | Event::PublishAcknowledged(_)
                        | Event::PublishRejected(_)
                        | Event::PublishAborted(_),
                    )) => unacknowledged = unacknowledged.saturating_sub(1),
                    Ok(Ok(_)) => {}
                    Ok(Err(_)) => return Ended::Broken,
                    Err(_) => return Ended::Silent,
                }
                release(client.buffer_mut());
            }
            Either3::Second(outgoing) => match with_timeout(ANSWER, send(&mut client, &outgoing)).await {
                Ok(Ok(acknowledged)) => unacknowledged += usize::from(acknowledged),
                Ok(Err(ended)) => return ended,
                Err(_) => return Ended::Silent,
            },
            Either3::Third(()) => {
                if heard.elapsed() > Duration::from_secs(u64::from(KEEP_ALIVE_SECONDS)) {
                    return Ended::Silent;
                }
                pinged = Instant::now();
                match with_timeout(ANSWER, client.ping()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Ended::Broken,
                    Err(_) => return Ended::Silent,
                }
            }
        }
    }
}

fn connect_options<'a>(credentials: &Credentials<'a>) -> Option<ConnectOptions<'a>> {
    let (topic, payload) = credentials.will;
    let will = WillOptions::new(
        TopicName::new(MqttString::from_str(topic).ok()?)?,
        MqttBinary::from_slice(payload).ok()?,
    );
    Some(
        ConnectOptions::new()
            .clean_start()
            .keep_alive(KeepAlive::Seconds(NonZero::new(KEEP_ALIVE_SECONDS)?))
            .maximum_packet_size(NonZero::new(MAX_PACKET)?)
            .user_name(MqttString::from_str(credentials.name).ok()?)
            .password(MqttBinary::from_slice(credentials.password).ok()?)
            .will(will.at_least_once().retain()),
    )
}

type Connection<'a, 'c, N> =
    Client<'a, 'c, N, BumpBuffer<'c>, IN_FLIGHT, IN_FLIGHT, IN_FLIGHT, 1, 4, 0, 0>;

/// Sends one message; tells whether the broker will acknowledge it.
async fn send<N: Transport>(client: &mut Connection<'_, '_, N>, message: &Message) -> Result<bool, Ended> {
    let topic = MqttString::from_str(message.topic()).map_err(|_| Ended::Unfit)?;
    match message {
        Message::Subscribe { .. } => {
            let filter = TopicFilter::new(topic).ok_or(Ended::Unfit)?;
            let options = SubscriptionOptions::new().at_least_once();
            client.subscribe(filter, &options).await.map_err(|_| Ended::Broken)?;
            Ok(true)
        }
        Message::Publish { payload, at_least_once, retain, .. } => {
            let qos = if *at_least_once { QoS::AtLeastOnce } else { QoS::AtMostOnce };
            let name = TopicName::new(topic).ok_or(Ended::Unfit)?;
            let mut options = PublicationOptions::new(TopicReference::Name(name)).qos(qos);
            options.retain = *retain;
            client.publish(&options, Bytes::from(payload.as_slice())).await.map_err(|_| Ended::Broken)?;
            Ok(*at_least_once)
        }
    }
}

/// Gives the memory of the last event back.
#[expect(unsafe_code, reason = "rust-mqtt cannot see that its events are gone")]
fn release(memory: &mut BumpBuffer<'_>) {
    // SAFETY: called only between events. Each event was dropped at the end of its match arm, and the client keeps no reference
    // to memory that it was given (BufferProvider's documentation).
    unsafe { memory.reset() };
}
