//! How a server is set up. Here: one table of keys ([`keys`]); each is a line of the file (TOML), an environment variable
//! and a flag, in rising order of weight, and explained by `--help`. Not here: what the values are used for.

mod keys;
mod load;
mod people;
mod sources;
mod speech;
#[cfg(test)]
mod tests;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::media::{Encoding, Limits};

pub use keys::{KEYS, Key};
pub use load::{ConfigArgs, ConfigError, load, unknown_variables};
pub(crate) use values::host;

/// A server's settings; the table in `keys` explains each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained in the table of keys, for people to read")]
pub struct Config {
    pub data: PathBuf,
    pub http_listen: SocketAddr,
    /// Emergencies take a second factor.
    pub auth_emergency_second_factor: bool,
    /// Nobody is signed in without a second factor.
    pub auth_second_factor: bool,
    pub http_metrics: Audience,
    pub http_health: Audience,
    pub metrics_listen: Option<SocketAddr>,
    pub https_listen: Option<SocketAddr>,
    pub https_certificate: Option<PathBuf>,
    pub https_key: Option<PathBuf>,
    pub https_acme_directory: Option<String>,
    pub https_acme_domains: Vec<String>,
    pub https_acme_contact: Vec<String>,
    pub https_acme_ca: Option<PathBuf>,
    pub limits_requests: u32,
    pub limits_session_requests: u32,
    pub limits_sign_ins: u32,
    pub limits_uploads: u32,
    pub limits_connections: u32,
    pub limits_address_connections: u32,
    pub oidc_issuer: Option<String>,
    pub oidc_client_id: Option<String>,
    pub oidc_client_secret_file: Option<PathBuf>,
    pub oidc_name: Option<String>,
    pub oidc_ca: Option<PathBuf>,
    pub oidc_second_factor_acr: Vec<String>,
    pub oidc_second_factor_amr: Vec<String>,
    /// The provider of sign-in may be at plain http on this machine.
    pub oidc_plain_loopback: bool,
    pub media_listen: SocketAddr,
    pub media_latency: Duration,
    pub media_bitrate: u32,
    pub media_packet_ms: u32,
    pub media_loudness: Option<i8>,
    pub live_longest: Duration,
    pub live_silence: Duration,
    pub relay_silence: Duration,
    /// Hosts that relays may come from though they are no public ones, and by what only ffmpeg reads.
    pub relay_allow: Vec<String>,
    pub encoder_listen: Option<SocketAddr>,
    pub upload_max_bytes: u64,
    pub upload_max_duration: Duration,
    pub database_url: Option<String>,
    pub record_keep: Option<Duration>,
    pub mqtt_url: Option<MqttUrl>,
    pub mqtt_listen: SocketAddr,
    pub mqtt_tls_listen: Option<SocketAddr>,
    pub mqtt_ca: Option<PathBuf>,
    pub key_pkcs11_module: Option<PathBuf>,
    pub key_pkcs11_label: Option<String>,
    pub key_pkcs11_pin_file: Option<PathBuf>,
    pub public_url: Option<String>,
    pub public_host: Option<String>,
    pub public_name: Vec<String>,
    pub public_mqtt_host: Option<String>,
    pub public_mqtt_port: Option<u16>,
    pub public_media_port: Option<u16>,
    pub speech: crate::speech::Settings,
}

/// Who may ask how the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Programs on this machine.
    Loopback,
    /// Whoever reaches the port.
    All,
}

/// An MQTT broker that is not ours.
#[derive(Clone, PartialEq, Eq)]
pub struct MqttUrl {
    /// Whether the line is encrypted (`mqtts`).
    pub tls: bool,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// As whom to connect; empty for nobody.
    pub username: String,
    /// The password; not printed.
    pub password: String,
}

impl std::fmt::Debug for MqttUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}:…@{}:{}", self.username, self.host, self.port)
    }
}

impl Config {
    /// What an upload may cost.
    pub fn limits(&self) -> Limits {
        Limits {
            bytes: self.upload_max_bytes,
            duration: self.upload_max_duration,
        }
    }

    /// How programmes are made.
    pub fn encoding(&self) -> Encoding {
        Encoding {
            bitrate: self.media_bitrate,
            packet_ms: self.media_packet_ms,
            loudness: self.media_loudness,
            trim: false,
        }
    }

    /// Whether people reach the console by https, so that cookies may be held to that.
    pub fn secure(&self) -> bool {
        let said = self.public_url.as_deref();
        self.https_listen.is_some() || said.is_some_and(|url| url.starts_with("https://"))
    }
}
