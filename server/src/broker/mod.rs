//! The embedded MQTT broker.
/// x
pub struct Credentials;
impl Credentials {
    /// x
    pub fn replace(&self, _r: impl IntoIterator<Item = (loa_protocol::ReceiverId, loa_protocol::key::Secret)>) {}
}
