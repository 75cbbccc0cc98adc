//! Simulated devices that have no identity yet and ask for one, each with a claim configuration in its file. Here: their session until
//! they are answered. Not here: what they say and believe (`loa_receiver::claim`).

use std::path::PathBuf;
use std::time::Duration;

use loa_protocol::MAX_MESSAGE;
use loa_protocol::claim::{Configuration, PASSWORD, USER};
use loa_protocol::enrolment::MAX_ENROLMENT;
use loa_protocol::flash::Flash;
use loa_receiver::Enrolment;
use loa_receiver::claim::{AGAIN, Claimant};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use tokio::task::JoinSet;

use crate::BUILD;
use crate::device::unforeseen;
use crate::enrolments;
use crate::mqtt::{Authorities, WrongAuthority};

/// Between attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// A device that cannot even ask.
#[derive(Debug, thiserror::Error)]
pub enum ClaimFailed {
    /// See there.
    #[error(transparent)]
    Authority(#[from] WrongAuthority),
    /// Its file cannot be written.
    #[error("cannot keep the enrolment in {}: {source}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Lets every device that has no identity ask for one, all at once, until all are answered; keeps what they become in their files.
///
/// # Errors
/// [`ClaimFailed`].
pub async fn all(flashes: Vec<(PathBuf, Flash)>) -> Result<Vec<(PathBuf, Enrolment)>, ClaimFailed> {
    let mut asking: JoinSet<Result<_, ClaimFailed>> = JoinSet::new();
    let mut enrolled = Vec::with_capacity(flashes.len());
    for (number, (path, flash)) in flashes.into_iter().enumerate() {
        match flash {
            Flash::Enrolled(enrolment) => enrolled.push((number, path, enrolment)),
            Flash::Claiming(configuration) => {
                asking.spawn(async move { Ok((number, path.clone(), ask(configuration, path).await?)) });
            }
        }
    }
    while let Some(answered) = asking.join_next().await {
        match answered {
            Ok(answered) => enrolled.push(answered?),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    enrolled.sort_by_key(|(number, ..)| *number);
    Ok(enrolled
        .into_iter()
        .map(|(_, path, enrolment)| (path, enrolment))
        .collect())
}

/// Asks until it is answered.
async fn ask(configuration: Configuration, path: PathBuf) -> Result<Enrolment, ClaimFailed> {
    let mut flash = [0; MAX_ENROLMENT];
    let keep = |flash: &[u8]| {
        enrolments::keep(&path, flash).map_err(|source| ClaimFailed::Unwritable {
            path: path.clone(),
            source,
        })
    };
    let mut claimant = Claimant::new(configuration, BUILD, unforeseen());
    if claimant.is_new() {
        let length = claimant
            .configuration()
            .encode(&mut flash)
            .expect("room for the longest");
        keep(&flash[..length])?;
    }
    tracing::info!(file = %path.display(), code = %claimant.code(), "asks to be enrolled");
    let mut authorities = Authorities::default();
    for attempt in 0.. {
        let configuration = claimant.configuration();
        let mut options = MqttOptions::new(
            claimant.id().client().as_str(),
            configuration.mqtt_host.as_str(),
            configuration.mqtt_port,
        );
        options.set_credentials(USER, PASSWORD).set_clean_session(true);
        if let Some(ca) = claimant.authority(attempt) {
            let tls = authorities.trust(ca)?;
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        }
        if let Some(enrolment) = session(&mut claimant, options).await {
            let length = enrolment.encode(&mut flash).expect("room for the longest");
            keep(&flash[..length])?;
            tracing::info!(file = %path.display(), receiver = %enrolment.receiver, "is enrolled");
            return Ok(enrolment);
        }
        tokio::time::sleep(PAUSE).await;
    }
    unreachable!("attempts do not end")
}

/// One session; `None` when it has ended without an answer.
async fn session(claimant: &mut Claimant, options: MqttOptions) -> Option<Enrolment> {
    let (client, mut events) = AsyncClient::new(options, 8);
    let mut again = tokio::time::interval(Duration::from_micros(AGAIN));
    let mut connected = false;
    loop {
        tokio::select! {
            event = events.poll() => match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    client.try_subscribe(claimant.answers().as_str(), QoS::AtLeastOnce).ok()?;
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => {
                    connected = true;
                    again.reset_immediately();
                }
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    let before = claimant.refused();
                    if let Some(enrolment) = claimant.hear(&message.topic, &message.payload) {
                        return Some(enrolment);
                    }
                    if claimant.refused() > before {
                        tracing::warn!(code = %claimant.code(), refused = claimant.refused(), "an answer is not its server's");
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "no session for the claim");
                    return None;
                }
            },
            _ = again.tick(), if connected => {
                let mut request = [0; MAX_MESSAGE];
                let (topic, length) = claimant.request(&mut request).expect("room for the longest");
                client.try_publish(topic.as_str(), QoS::AtLeastOnce, false, &request[..length]).ok()?;
            }
        }
    }
}
