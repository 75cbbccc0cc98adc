//! What lies in a device's flash: who it is, or whom to ask. Here: telling one from the other. Not here: what is in them
//! ([`crate::enrolment`], [`crate::claim`]), and how a board keeps them.

use crate::Error;
use crate::claim::Configuration;
use crate::enrolment::Enrolment;

/// What was flashed.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the large one on")]
#[derive(Debug, Clone, PartialEq)]
pub enum Flash {
    /// A receiver's.
    Enrolled(Enrolment),
    /// A device's that asks to become one.
    Claiming(Configuration),
}

impl Flash {
    /// Reads what stands at the start of `flash`; `None` if it is neither, such as what was never written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(flash: &[u8]) -> Result<Option<Self>, Error> {
        match Enrolment::decode(flash)? {
            Some(enrolment) => Ok(Some(Self::Enrolled(enrolment))),
            None => Ok(Configuration::decode(flash)?.map(Self::Claiming)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    #[test]
    fn one_is_told_from_the_other_and_from_nothing() {
        let configuration = Configuration {
            device: None,
            server_key: SigningKey::from_bytes(&[1; 32]).verifying_key(),
            mqtt_host: "broker.example".try_into().unwrap(),
            mqtt_port: 8883,
            mqtt_ca: None,
            key_number: 1,
            next_ca: None,
        };
        let mut flash = [0xFF; 256];
        assert_eq!(Flash::decode(&flash), Ok(None));
        configuration.encode(&mut flash).unwrap();
        assert_eq!(Flash::decode(&flash), Ok(Some(Flash::Claiming(configuration))));
        flash[3] = b'1';
        assert_eq!(Flash::decode(&flash), Err(Error::Missing("receiver")));
    }
}
