//! A device without identity, on its way to one. Here: what it says and whom it believes. Not here: its session, which is anybody's
//! MQTT session, and when to ask again ([`AGAIN`]).

use crate::identity::fitting;
use crate::{Build, Enrolment};
use loa_protocol::agreement::PrivateKey;
use loa_protocol::claim::{Answer, Code, Configuration, Request};
use loa_protocol::random::Random;
use loa_protocol::succession::Trust;
use loa_protocol::topic::{self, ClaimWord, Topic};
use loa_protocol::{ClaimId, Error};

/// From one request to the next, in microseconds.
pub const AGAIN: u64 = 30_000_000;

/// Asks to be enrolled.
pub struct Claimant {
    configuration: Configuration,
    private: PrivateKey,
    /// The server's key, after the steps that came.
    trust: Trust,
    build: Build,
    refused: u32,
    is_new: bool,
}

impl Claimant {
    /// A device with this configuration, which makes its key from `seed` (random bytes of the board's generator) if it has none yet.
    pub fn new(mut configuration: Configuration, build: Build, seed: [u8; 32]) -> Self {
        let is_new = configuration.device.is_none();
        let private = configuration
            .device
            .get_or_insert_with(|| PrivateKey::new(Random::new(seed).bytes()))
            .clone();
        Self {
            trust: configuration.trust(),
            configuration,
            private,
            build,
            refused: 0,
            is_new,
        }
    }

    /// The configuration with the device's key. If [`Claimant::is_new`], it is to be stored before the code is shown: the code that
    /// somebody has read stays the same after a loss of power.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Its key was made just now.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// What to show.
    pub fn code(&self) -> Code {
        self.id().code()
    }

    /// Who asks.
    pub fn id(&self) -> ClaimId {
        self.private.public().claim()
    }

    /// The authority for the broker, after so many failed attempts; the newer one first, then in turn.
    pub fn authority(&self, attempt: u32) -> Option<&[u8]> {
        let it = &self.configuration;
        match (&it.next_ca, attempt & 1) {
            (Some(newer), 0) => Some(newer),
            _ => it.mqtt_ca.as_deref(),
        }
    }

    /// The topic to subscribe to, QoS 1.
    pub fn answers(&self) -> topic::Text {
        Topic::Claim(self.id(), ClaimWord::Answer).text()
    }

    /// The request, to be published under the topic that is returned with its length, QoS 1.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn request(&self, out: &mut [u8]) -> Result<(topic::Text, usize), Error> {
        let request = Request {
            device: self.private.public(),
            firmware: fitting(self.build.firmware),
            board: fitting(self.build.board),
            key_number: self.configuration.key_number,
        };
        let topic = Topic::Claim(self.id(), ClaimWord::Request).text();
        Ok((topic, request.encode(out)?))
    }

    /// A message came; the enrolment, if it is the answer: to be stored in place of the configuration, and then booted with.
    pub fn hear(&mut self, topic: &str, payload: &[u8]) -> Option<Enrolment> {
        if topic == self.answers() {
            if let Ok(next) = self.trust.next(payload) {
                self.trust = next;
                return None;
            }
            let answer = Answer::open(&self.trust.key, payload);
            let enrolment = answer.and_then(|it| it.enrolment(&self.private, &self.trust, &self.configuration));
            if let Ok(enrolment) = enrolment {
                return Some(enrolment);
            }
        }
        self.refused += 1;
        None
    }

    /// How many messages it did not believe.
    pub fn refused(&self) -> u32 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loa_protocol::claim::USER;
    use loa_protocol::{AreaId, MAX_MESSAGE, ReceiverId, SigningKey};

    const BUILD: Build = Build {
        firmware: "1.2.3",
        board: "virtual",
    };

    fn signing(n: u32) -> SigningKey {
        SigningKey::from_bytes(&[n as u8; 32])
    }

    fn trust(n: u32) -> Trust {
        Trust {
            number: n,
            key: signing(n).verifying_key(),
        }
    }

    fn claimant(seed: u8) -> Claimant {
        let configuration = Configuration {
            device: None,
            server_key: trust(1).key,
            mqtt_host: "broker.example".try_into().unwrap(),
            mqtt_port: 8883,
            mqtt_ca: Some([1; 40].into_iter().collect()),
            key_number: 1,
            next_ca: Some([2; 40].into_iter().collect()),
        };
        Claimant::new(configuration, BUILD, [seed; 32])
    }

    fn answer(key: u32, device: &Claimant, server: &PrivateKey) -> std::vec::Vec<u8> {
        let answer = Answer {
            device: device.private.public(),
            server: server.public(),
            receiver: ReceiverId([7; 16]),
            areas: [AreaId([8; 16])].into_iter().collect(),
            media_host: "media.example".try_into().unwrap(),
            media_port: 5004,
            epoch: 0,
        };
        let mut out = [0; MAX_MESSAGE];
        let length = answer.seal(&signing(key), &mut out).unwrap();
        out[..length].to_vec()
    }

    #[test]
    fn a_device_is_enrolled_by_its_server_alone() {
        let (mut device, other) = (claimant(1), claimant(2));
        let server = PrivateKey::new([0x77; 32]);
        let topic = device.answers();
        let mut out = [0; MAX_MESSAGE];
        let (asked, length) = device.request(&mut out).unwrap();
        let request = Request::decode(device.id(), &out[..length]).unwrap();
        assert_eq!((request.device, &*request.board), (device.private.public(), "virtual"));
        assert!(asked.ends_with("/request") && USER == "claim");

        // By another server, for another device, on another topic, and nonsense.
        for (topic, message) in [
            (&*topic, answer(9, &device, &server)),
            (&*topic, answer(1, &other, &server)),
            (&*other.answers(), answer(1, &device, &server)),
            (&*topic, std::vec![1, 2, 3]),
        ] {
            assert_eq!(device.hear(topic, &message), None);
        }
        assert_eq!(device.refused(), 4);

        let enrolment = device.hear(&topic, &answer(1, &device, &server)).unwrap();
        assert_eq!(enrolment.secret, server.granted_secret(&request.device).unwrap());
        assert_eq!((enrolment.receiver, enrolment.key_number), (ReceiverId([7; 16]), 1));
        assert_eq!((&*enrolment.mqtt_host, enrolment.mqtt_port), ("broker.example", 8883));
        assert_eq!(enrolment.newest_ca(), Some(&[2; 40][..]));
    }

    #[test]
    fn a_device_that_lay_in_a_drawer_walks_to_the_key_of_today() {
        let mut device = claimant(1);
        let server = PrivateKey::new([0x77; 32]);
        let topic = device.answers();
        assert_eq!(device.hear(&topic, &answer(3, &device, &server)), None);
        for n in [2, 3] {
            let mut out = [0; MAX_MESSAGE];
            let length = trust(n).seal(&signing(n - 1), &mut out).unwrap();
            assert_eq!(device.hear(&topic, &out[..length]), None);
        }
        let enrolment = device.hear(&topic, &answer(3, &device, &server)).unwrap();
        assert_eq!(enrolment.trust(), trust(3));
        assert_eq!(device.refused(), 1);
    }

    #[test]
    fn its_code_stays_once_it_is_stored() {
        let device = claimant(1);
        assert!(device.is_new());
        let again = Claimant::new(device.configuration().clone(), BUILD, [5; 32]);
        assert_eq!((again.code(), again.is_new()), (device.code(), false));
        assert_ne!(claimant(5).code(), device.code());
        assert_eq!([0, 1, 2].map(|n| device.authority(n).unwrap()[0]), [2, 1, 2]);
    }
}
