//! One MQTT 5 session: connect with a last will, then carry messages both ways until the connection ends.

use crate::outbox::Message;
use crate::wires::{Heard, Wires};
use core::cell::Cell;
use core::convert::Infallible;
use core::num::NonZero;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_tls::TlsError;
use heapless::{String, Vec};
use rust_mqtt::Bytes;
use rust_mqtt::buffer::BumpBuffer;
use rust_mqtt::client::event::Event;
use rust_mqtt::client::options::{
    ConnectOptions, PublicationOptions, SubscriptionOptions, TopicReference, WillOptions,
};
use rust_mqtt::client::{Client, MqttError};
use rust_mqtt::config::KeepAlive;
use rust_mqtt::io::Transport;
use rust_mqtt::types::{MqttBinary, MqttString, QoS, ReasonCode, TopicFilter, TopicName};

/// The broker declares this client dead after 1.5 times as many silent seconds (MQTT 5 §3.1.2.10), and we it likewise.
const KEEP_ALIVE_SECONDS: u16 = 30;
const PING: Duration = Duration::from_secs(15);
/// How long the broker may take for an answer, and for the rest of a packet that has begun.
const ANSWER: Duration = Duration::from_secs(10);
/// Longest packet that is accepted, announced to the broker: a tunnelled datagram with its topic.
pub(crate) const MAX_PACKET: u32 = 2_048;
/// Acknowledgements that may be outstanding, each way.
const IN_FLIGHT: usize = 8;

/// With what to connect.
pub(crate) struct Credentials<'a> {
    /// Client identifier.
    pub(crate) name: &'a str,
    /// User name.
    pub(crate) user: &'a str,
    /// Password.
    pub(crate) password: &'a [u8],
    /// Retained message that the broker sends for us when we are gone, if any.
    pub(crate) will: Option<(&'a str, &'a [u8])>,
}

/// Why a session ended, or did not begin.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The broker did not answer in time.
    Silent,
    /// The broker refused, closed, or broke the protocol.
    Broken,
    /// The broker refused, or said farewell, for this reason (MQTT 5 §2.4).
    Refused(ReasonCode),
    /// TLS failed: most often the broker is not who it should be.
    Insecure(TlsError),
    /// A topic, credential or message does not fit MQTT's limits.
    Unfit,
}

impl core::fmt::Display for Ended {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Silent => f.write_str("the broker does not answer"),
            Self::Broken => f.write_str("the broker breaks the protocol or the connection"),
            Self::Refused(reason) => write!(f, "the broker refuses: {reason:?}"),
            Self::Insecure(error) => write!(f, "TLS: {error:?}"),
            Self::Unfit => f.write_str("a credential or message does not fit MQTT"),
        }
    }
}

impl<const P: usize, A> From<MqttError<'_, P, A>> for Ended {
    fn from(error: MqttError<'_, P, A>) -> Self {
        match error {
            MqttError::Disconnect { reason, .. } => Self::Refused(reason),
            _ => Self::Broken,
        }
    }
}

/// Runs a session; tells the receiver once it stands (and notes that in `up`), and each message.
pub(crate) async fn session<N: Transport>(
    transport: N,
    credentials: &Credentials<'_>,
    wires: &Wires,
    up: &Cell<bool>,
) -> Ended {
    match talk(transport, credentials, wires, up).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    }
}

async fn talk<N: Transport>(
    transport: N,
    credentials: &Credentials<'_>,
    wires: &Wires,
    up: &Cell<bool>,
) -> Result<Infallible, Ended> {
    let mut memory = [0; MAX_PACKET as usize];
    let mut memory = BumpBuffer::new(&mut memory);
    let mut client = Connection::<'_, '_, N>::new(&mut memory);
    let options = connect_options(credentials).ok_or(Ended::Unfit)?;
    let name = MqttString::from_str(credentials.name).map_err(|_| Ended::Unfit)?;
    in_time(client.connect(transport, &options, Some(name))).await?;
    release(client.buffer_mut());
    // What was meant for the session before.
    wires.outbox.clear();
    wires.heard.send(Heard::Up).await;
    up.set(true);

    let mut unacknowledged = 0;
    let mut heard = Instant::now();
    let mut pinged = heard;
    loop {
        // While the broker owes us too many acknowledgements, only listen.
        let next = async {
            match unacknowledged < IN_FLIGHT {
                true => wires.outbox.receive().await,
                false => core::future::pending().await,
            }
        };
        match select3(client.poll_header(), next, Timer::at(pinged + PING)).await {
            Either3::First(header) => {
                heard = Instant::now();
                let mut message = None;
                match in_time(client.poll_body(header?)).await? {
                    Event::Publish(publish) => message = copy(&publish.topic, publish.message.as_bytes()),
                    Event::Suback(answer) => {
                        if answer.reason_code.is_erroneous() {
                            log::warn!("the broker refuses a subscription: {:?}", answer.reason_code);
                        }
                        unacknowledged = unacknowledged.saturating_sub(1);
                    }
                    Event::PublishRejected(answer) => {
                        log::warn!("the broker refuses a message: {:?}", answer.reason_code);
                        unacknowledged = unacknowledged.saturating_sub(1);
                    }
                    Event::PublishAcknowledged(_) | Event::PublishAborted(_) => {
                        unacknowledged = unacknowledged.saturating_sub(1);
                    }
                    _ => {}
                }
                release(client.buffer_mut());
                if let Some(message) = message {
                    wires.heard.send(message).await;
                }
            }
            Either3::Second(outgoing) => {
                let sent = with_timeout(ANSWER, send(&mut client, &outgoing));
                unacknowledged += usize::from(sent.await.map_err(|_| Ended::Silent)??);
            }
            Either3::Third(()) => {
                if heard.elapsed() > Duration::from_secs(u64::from(KEEP_ALIVE_SECONDS)) {
                    return Err(Ended::Silent);
                }
                pinged = Instant::now();
                in_time(client.ping()).await?;
            }
        }
    }
}

/// Gives the broker so long.
async fn in_time<T, const P: usize, A>(
    doing: impl Future<Output = Result<T, MqttError<'_, P, A>>>,
) -> Result<T, Ended> {
    Ok(with_timeout(ANSWER, doing).await.map_err(|_| Ended::Silent)??)
}

/// A message for the receiver; `None` if its topic is none that anybody subscribed to.
fn copy(topic: &TopicReference<'_>, payload: &[u8]) -> Option<Heard> {
    let TopicReference::Name(topic) = topic else {
        return None;
    };
    let topic = String::try_from(topic.as_ref().as_str()).ok()?;
    Some(Heard::Message {
        topic,
        payload: Vec::from_slice(payload).ok()?,
    })
}

fn connect_options<'a>(credentials: &Credentials<'a>) -> Option<ConnectOptions<'a>> {
    let options = ConnectOptions::new()
        .clean_start()
        .keep_alive(KeepAlive::Seconds(NonZero::new(KEEP_ALIVE_SECONDS)?))
        .maximum_packet_size(NonZero::new(MAX_PACKET)?)
        .user_name(MqttString::from_str(credentials.user).ok()?)
        .password(MqttBinary::from_slice(credentials.password).ok()?);
    let Some((topic, payload)) = credentials.will else {
        return Some(options);
    };
    let will = WillOptions::new(
        TopicName::new(MqttString::from_str(topic).ok()?)?,
        MqttBinary::from_slice(payload).ok()?,
    );
    Some(options.will(will.at_least_once().retain()))
}

type Connection<'a, 'c, N> = Client<'a, 'c, N, BumpBuffer<'c>, IN_FLIGHT, IN_FLIGHT, IN_FLIGHT, 1, 4, 0, 0>;

/// Sends one message; tells whether the broker will acknowledge it.
async fn send<N: Transport>(client: &mut Connection<'_, '_, N>, message: &Message) -> Result<bool, Ended> {
    let topic = MqttString::from_str(message.topic()).map_err(|_| Ended::Unfit)?;
    match message {
        Message::Subscribe { .. } => {
            let filter = TopicFilter::new(topic).ok_or(Ended::Unfit)?;
            let options = SubscriptionOptions::new().at_least_once();
            client.subscribe(filter, &options).await?;
            Ok(true)
        }
        Message::Publish {
            payload,
            at_least_once,
            retain,
            ..
        } => {
            let qos = if *at_least_once {
                QoS::AtLeastOnce
            } else {
                QoS::AtMostOnce
            };
            let name = TopicName::new(topic).ok_or(Ended::Unfit)?;
            let mut options = PublicationOptions::new(TopicReference::Name(name)).qos(qos);
            options.retain = *retain;
            client.publish(&options, Bytes::from(payload.as_slice())).await?;
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
