//! The keys: name, what is right, the default, the words that explain it, and where the value goes. This table is the
//! only place that a key stands in, but for those of speech (`speech`), of what is live (`sources`)
//! and of how people come in (`people`).

use std::net::SocketAddr;
use std::time::Duration;

use super::values::{
    addresses, audience, domains, host, https_url, limit, listen_or_off, loudness, mqtt_url, parse, port, some, within,
};
use super::{Audience, Config, people, sources, speech};

/// One key.
#[derive(Clone, Copy)]
pub struct Key {
    /// Its name in the file, `section.name`.
    pub name: &'static str,
    /// What stands for its value in the help.
    pub value: &'static str,
    /// What it is when nothing is said, as it would be written; `None`: absent.
    pub default: Option<&'static str>,
    /// What it does and in which unit, in Vietnamese.
    pub vi: &'static str,
    /// The same in English.
    pub en: &'static str,
    /// Puts a value in its place, or says what would be right.
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
}

impl Key {
    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("LOA_{}", self.name.to_uppercase().replace('.', "_"))
    }

    /// The flag, without its hyphens.
    pub fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }
}

const ADDRESS: &str = "an address and a port, such as 127.0.0.1:8080";

const OWN: &[Key] = &[
    Key {
        name: "data",
        value: "FOLDER",
        default: Some("loa-data"),
        vi: "Thư mục dữ liệu: cơ sở dữ liệu, bản tin, khóa. Được tạo nếu chưa có.",
        en: "Data folder: database, bulletins, keys. Created if missing.",
        set: |c, v| {
            c.data = some(v, "a folder")?.into();
            Ok(())
        },
    },
    Key {
        name: "http.listen",
        value: "ADDRESS:PORT",
        default: Some("127.0.0.1:8080"),
        vi: "Nơi trang điều khiển và API lắng nghe (TCP).",
        en: "Where the console and the API listen (TCP).",
        set: |c, v| {
            c.http_listen = parse(v, ADDRESS)?;
            Ok(())
        },
    },
    Key {
        name: "http.metrics",
        value: "loopback|all",
        default: Some("loopback"),
        vi: "Ai được đọc /metrics: chỉ máy này, hay tất cả.",
        en: "Who may read /metrics: this machine only, or all.",
        set: |c, v| {
            c.http_metrics = audience(v)?;
            Ok(())
        },
    },
    Key {
        name: "http.health",
        value: "loopback|all",
        default: Some("loopback"),
        vi: "Ai được đọc /healthz: chỉ máy này, hay tất cả.",
        en: "Who may read /healthz: this machine only, or all.",
        set: |c, v| {
            c.http_health = audience(v)?;
            Ok(())
        },
    },
    Key {
        name: "metrics.listen",
        value: "ADDRESS:PORT|off",
        default: Some("off"),
        vi: "Nơi riêng cho /metrics và /healthz (TCP), ai tới được thì đọc được; off: không mở.",
        en: "A place of their own for /metrics and /healthz (TCP), for whoever reaches it; off: nowhere.",
        set: |c, v| {
            c.metrics_listen = listen_or_off(v, "10.0.0.1:9464")?;
            Ok(())
        },
    },
    Key {
        name: "https.listen",
        value: "ADDRESS:PORT|off",
        default: Some("off"),
        vi: "Nơi trang điều khiển và API lắng nghe bằng HTTPS (TCP), cho mọi máy khác; off: không mở. Không có chứng thư nào được đặt thì máy chủ tự cấp.",
        en: "Where the console and the API listen by HTTPS (TCP), for all other machines; off: nowhere. With no certificate set the server makes its own.",
        set: |c, v| {
            c.https_listen = listen_or_off(v, "0.0.0.0:443")?;
            Ok(())
        },
    },
    Key {
        name: "https.certificate",
        value: "FILE",
        default: None,
        vi: "Chứng thư HTTPS (PEM), cùng các chứng thư trung gian. Đọc lại khi tệp thay đổi, hoặc khi có SIGHUP.",
        en: "Certificate for HTTPS (PEM), with the intermediate ones. Read again when it changes, or on SIGHUP.",
        set: |c, v| {
            c.https_certificate = Some(some(v, "a file")?.into());
            Ok(())
        },
    },
    Key {
        name: "https.key",
        value: "FILE",
        default: None,
        vi: "Khóa riêng của chứng thư đó (PEM).",
        en: "That certificate's private key (PEM).",
        set: |c, v| {
            c.https_key = Some(some(v, "a file")?.into());
            Ok(())
        },
    },
    Key {
        name: "https.acme_directory",
        value: "URL",
        default: None,
        vi: "Nơi cấp chứng thư theo ACME, ví dụ https://acme-v02.api.letsencrypt.org/directory. Đặt tức là đồng ý với điều khoản của nơi đó. https.listen phải tới được ở cổng 443.",
        en: "ACME directory to get certificates from, such as https://acme-v02.api.letsencrypt.org/directory. Setting it agrees to its terms. It must reach https.listen on port 443.",
        set: |c, v| {
            c.https_acme_directory = Some(https_url(v)?);
            Ok(())
        },
    },
    Key {
        name: "https.acme_domains",
        value: "HOST,…",
        default: None,
        vi: "Các tên miền mà chứng thư ACME có giá trị, cách nhau bằng dấu phẩy.",
        en: "Names that the ACME certificate is to be good for, separated by commas.",
        set: |c, v| {
            c.https_acme_domains = domains(v)?;
            Ok(())
        },
    },
    Key {
        name: "https.acme_contact",
        value: "E-MAIL,…",
        default: None,
        vi: "Thư điện tử để nơi cấp chứng thư ACME báo tin, cách nhau bằng dấu phẩy.",
        en: "E-mail addresses that the ACME directory may write to, separated by commas.",
        set: |c, v| {
            c.https_acme_contact = addresses(v)?;
            Ok(())
        },
    },
    Key {
        name: "https.acme_ca",
        value: "FILE",
        default: None,
        vi: "Chứng thư gốc (PEM) của nơi cấp ACME riêng, ví dụ của tỉnh. Không có: các gốc của hệ điều hành.",
        en: "Root certificate (PEM) of an ACME directory of your own, such as a province's. Absent: the system's roots.",
        set: |c, v| {
            c.https_acme_ca = Some(some(v, "a file")?.into());
            Ok(())
        },
    },
    Key {
        name: "limits.requests",
        value: "NUMBER",
        default: Some("1200"),
        vi: "Số yêu cầu mỗi phút từ một địa chỉ (IPv6: một /64); 0: không giới hạn. Các giới hạn này không áp dụng cho chính máy này.",
        en: "Requests a minute from one address (IPv6: a /64); 0: no limit. None of these limits is for this machine itself.",
        set: |c, v| {
            c.limits_requests = limit(v, "requests a minute")?;
            Ok(())
        },
    },
    Key {
        name: "limits.session_requests",
        value: "NUMBER",
        default: Some("600"),
        vi: "Số yêu cầu mỗi phút của một phiên làm việc; 0: không giới hạn.",
        en: "Requests a minute of one session; 0: no limit.",
        set: |c, v| {
            c.limits_session_requests = limit(v, "requests a minute")?;
            Ok(())
        },
    },
    Key {
        name: "limits.sign_ins",
        value: "NUMBER",
        default: Some("30"),
        vi: "Số lần thử mật khẩu, mã hoặc đường dẫn mỗi phút từ một địa chỉ; 0: không giới hạn.",
        en: "Attempts with passwords, codes or links a minute from one address; 0: no limit.",
        set: |c, v| {
            c.limits_sign_ins = limit(v, "attempts a minute")?;
            Ok(())
        },
    },
    Key {
        name: "limits.uploads",
        value: "NUMBER",
        default: Some("30"),
        vi: "Số tệp tải lên mỗi phút từ một địa chỉ; 0: không giới hạn.",
        en: "Uploads a minute from one address; 0: no limit.",
        set: |c, v| {
            c.limits_uploads = limit(v, "uploads a minute")?;
            Ok(())
        },
    },
    Key {
        name: "limits.connections",
        value: "NUMBER",
        default: Some("2000"),
        vi: "Số kết nối cùng lúc tới trang điều khiển, từ tất cả (ít nhất 1).",
        en: "Connections to the console at once, from all (at least 1).",
        set: |c, v| {
            c.limits_connections = within(v, 1, 1_000_000, "connections")? as u32;
            Ok(())
        },
    },
    Key {
        name: "limits.address_connections",
        value: "NUMBER",
        default: Some("128"),
        vi: "Số kết nối cùng lúc từ một địa chỉ (IPv6: một /64), trừ chính máy này; 0: không giới hạn.",
        en: "Connections at once from one address (IPv6: a /64), except this machine; 0: no limit.",
        set: |c, v| {
            c.limits_address_connections = limit(v, "connections")?;
            Ok(())
        },
    },
    Key {
        name: "media.listen",
        value: "ADDRESS:PORT",
        default: Some("0.0.0.0:5004"),
        vi: "Nơi gửi âm thanh và nghe cụm loa chào (UDP).",
        en: "Where sound is sent from and receivers say hello to (UDP).",
        set: |c, v| {
            c.media_listen = parse(v, ADDRESS)?;
            Ok(())
        },
    },
    Key {
        name: "media.latency_ms",
        value: "MILLISECONDS",
        default: Some("400"),
        vi: "Từ lúc gửi một gói đến lúc gói đó phát ra loa, mili giây (100 đến 5000). Mạng kém cần số lớn hơn.",
        en: "From the sending of a packet to its sounding, in milliseconds (100 to 5000). Poor networks need more.",
        set: |c, v| {
            c.media_latency = Duration::from_millis(within(v, 100, 5000, "milliseconds")?);
            Ok(())
        },
    },
    Key {
        name: "media.bitrate",
        value: "BITS",
        default: Some("32000"),
        vi: "Tốc độ mã hóa Opus của bản tin mới, bit trên giây (8000 đến 128000).",
        en: "Opus bit rate of new bulletins, in bits per second (8000 to 128000).",
        set: |c, v| {
            c.media_bitrate = within(v, 8000, 128_000, "bits per second")? as u32;
            Ok(())
        },
    },
    Key {
        name: "media.packet_ms",
        value: "MILLISECONDS",
        default: Some("60"),
        vi: "Độ dài âm thanh trong một gói của bản tin mới, mili giây: 20, 40, 60, 80, 100 hoặc 120.",
        en: "Sound in a packet of new bulletins, in milliseconds: 20, 40, 60, 80, 100 or 120.",
        set: |c, v| {
            c.media_packet_ms = match v.parse() {
                Ok(ms @ (20 | 40 | 60 | 80 | 100 | 120)) => ms,
                _ => return Err("20, 40, 60, 80, 100 or 120 (milliseconds)".into()),
            };
            Ok(())
        },
    },
    Key {
        name: "media.loudness",
        value: "LUFS|off",
        default: Some("-16"),
        vi: "Độ to của mọi bản tin mới (EBU R 128), LUFS: từ -30 đến -10, đỉnh thật không quá -1 dBTP; off: giữ như tệp tải lên.",
        en: "How loud all new bulletins are (EBU R 128), in LUFS: -30 to -10, with no true peak over -1 dBTP; off: as loud as the upload.",
        set: |c, v| {
            c.media_loudness = match v {
                "off" => None,
                _ => Some(loudness(v)?),
            };
            Ok(())
        },
    },
    Key {
        name: "upload.max_bytes",
        value: "BYTES",
        default: Some("1000000000"),
        vi: "Tệp tải lên lớn nhất, byte.",
        en: "Largest upload, in bytes.",
        set: |c, v| {
            c.upload_max_bytes = within(v, 1, u64::MAX, "bytes")?;
            Ok(())
        },
    },
    Key {
        name: "upload.max_duration",
        value: "SECONDS",
        default: Some("7200"),
        vi: "Bản tin dài nhất, giây.",
        en: "Longest bulletin, in seconds.",
        set: |c, v| {
            c.upload_max_duration = Duration::from_secs(within(v, 1, 86_400, "seconds")?);
            Ok(())
        },
    },
    Key {
        name: "database.url",
        value: "URL",
        default: None,
        vi: "Cơ sở dữ liệu: sqlite:///đường/dẫn hoặc postgres://… Không có: SQLite trong thư mục dữ liệu.",
        en: "Database: sqlite:///path or postgres://… Absent: SQLite in the data folder.",
        set: |c, v| {
            let known = ["sqlite:", "postgres:", "postgresql:"]
                .iter()
                .any(|scheme| v.starts_with(scheme));
            c.database_url = Some(v.into());
            known
                .then_some(())
                .ok_or("a URL that begins with sqlite: or postgres:".into())
        },
    },
    Key {
        name: "record.keep_days",
        value: "DAYS",
        default: None,
        vi: "Nhật ký được giữ bao nhiêu ngày (30 đến 36500); mục cũ hơn bị xóa từ đầu. Không có: giữ mãi.",
        en: "For how many days the record is kept (30 to 36500); what is older is pruned from its beginning. Absent: for ever.",
        set: |c, v| {
            c.record_keep = Some(Duration::from_secs(within(v, 30, 36_500, "days")? * 86_400));
            Ok(())
        },
    },
    Key {
        name: "mqtt.url",
        value: "URL",
        default: None,
        vi: "Máy chủ MQTT bên ngoài: mqtt://tên:mật-khẩu@máy[:cổng] hoặc mqtts://… Không có: dùng máy chủ MQTT bên trong.",
        en: "An MQTT broker of your own: mqtt://user:password@host[:port] or mqtts://… Absent: the embedded one.",
        set: |c, v| {
            let form = "mqtt://user:password@host[:port] or mqtts://…, reserved characters as %XX";
            c.mqtt_url = Some(mqtt_url(v).ok_or(form)?);
            Ok(())
        },
    },
    Key {
        name: "mqtt.listen",
        value: "ADDRESS:PORT",
        default: Some("127.0.0.1:1883"),
        vi: "Nơi máy chủ MQTT bên trong lắng nghe, không mã hóa (TCP).",
        en: "Where the embedded MQTT broker listens, without TLS (TCP).",
        set: |c, v| {
            c.mqtt_listen = parse(v, ADDRESS)?;
            Ok(())
        },
    },
    Key {
        name: "mqtt.tls_listen",
        value: "ADDRESS:PORT|off",
        default: Some("0.0.0.0:8883"),
        vi: "Nơi máy chủ MQTT bên trong lắng nghe, có TLS (TCP), cho cụm loa; off: không mở.",
        en: "Where the embedded MQTT broker listens with TLS (TCP), for receivers; off: nowhere.",
        set: |c, v| {
            c.mqtt_tls_listen = listen_or_off(v, "0.0.0.0:8883")?;
            Ok(())
        },
    },
    Key {
        name: "mqtt.ca",
        value: "FILE",
        default: None,
        vi: "Chứng thư (PEM) của nơi cấp chứng thư cho máy chủ MQTT bên ngoài.",
        en: "Certificate (PEM) of the authority that signed the outside broker's.",
        set: |c, v| {
            c.mqtt_ca = Some(some(v, "a file")?.into());
            Ok(())
        },
    },
    Key {
        name: "key.pkcs11_module",
        value: "FILE",
        default: None,
        vi: "Thư viện PKCS#11 của thiết bị giữ khóa ký lệnh. Không có: khóa nằm trong tệp, ở thư mục dữ liệu.",
        en: "PKCS#11 library of the token that holds the signing key. Absent: the key is a file in the data folder.",
        set: |c, v| {
            c.key_pkcs11_module = Some(some(v, "a file")?.into());
            Ok(())
        },
    },
    Key {
        name: "key.pkcs11_label",
        value: "LABEL",
        default: None,
        vi: "Nhãn của thiết bị PKCS#11.",
        en: "The PKCS#11 token's label.",
        set: |c, v| {
            c.key_pkcs11_label = Some(some(v, "a token's label")?.into());
            Ok(())
        },
    },
    Key {
        name: "key.pkcs11_pin_file",
        value: "FILE",
        default: None,
        vi: "Tệp có mã PIN của thiết bị PKCS#11 ở dòng đầu; chỉ chủ tệp được đọc.",
        en: "File with the PKCS#11 token's PIN in its first line, readable by its owner alone.",
        set: |c, v| {
            c.key_pkcs11_pin_file = Some(some(v, "a file")?.into());
            Ok(())
        },
    },
    Key {
        name: "public.url",
        value: "URL",
        default: None,
        vi: "Địa chỉ mà người dùng mở trang điều khiển, https://… khi sau máy chủ ủy nhiệm. Không có: http:// và http.listen.",
        en: "Where people open the console, https://… when behind a proxy. Absent: http:// and http.listen.",
        set: |c, v| {
            let fits = ["http://", "https://"]
                .iter()
                .any(|scheme| v.len() > scheme.len() && v.starts_with(scheme));
            c.public_url = Some(v.trim_end_matches('/').into());
            fits.then_some(())
                .ok_or("a URL that begins with http:// or https://".into())
        },
    },
    Key {
        name: "public.host",
        value: "HOST",
        default: None,
        vi: "Tên hoặc địa chỉ của máy chủ này, cho cụm loa biết khi ghi danh. Không có: địa chỉ của media.listen nếu đó là một địa chỉ cụ thể.",
        en: "This server's name or address as told to receivers at enrolment. Absent: media.listen's if it is a definite one.",
        set: |c, v| {
            c.public_host = Some(host(v)?);
            Ok(())
        },
    },
    Key {
        name: "public.name",
        value: "HOST,…",
        default: None,
        vi: "Các tên hoặc địa chỉ khác của máy chủ này, cách nhau bằng dấu phẩy: chứng thư MQTT cũng có giá trị cho chúng.",
        en: "Further names or addresses of this server, separated by commas: the MQTT certificate is good for them too.",
        set: |c, v| {
            c.public_name = v.split(',').map(|name| host(name.trim())).collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Key {
        name: "public.mqtt_host",
        value: "HOST",
        default: None,
        vi: "Tên hoặc địa chỉ của máy chủ MQTT, cho cụm loa biết. Không có: public.host, hoặc máy trong mqtt.url.",
        en: "The MQTT broker's name or address as told to receivers. Absent: public.host, or the host in mqtt.url.",
        set: |c, v| {
            c.public_mqtt_host = Some(host(v)?);
            Ok(())
        },
    },
    Key {
        name: "public.mqtt_port",
        value: "PORT",
        default: None,
        vi: "Cổng MQTT cho cụm loa biết. Không có: cổng của mqtt.url, mqtt.tls_listen hoặc mqtt.listen.",
        en: "The MQTT port as told to receivers. Absent: that of mqtt.url, mqtt.tls_listen or mqtt.listen.",
        set: |c, v| {
            c.public_mqtt_port = Some(port(v)?);
            Ok(())
        },
    },
    Key {
        name: "public.media_port",
        value: "PORT",
        default: None,
        vi: "Cổng âm thanh (UDP) cho cụm loa biết. Không có: cổng của media.listen.",
        en: "The media port (UDP) as told to receivers. Absent: that of media.listen.",
        set: |c, v| {
            c.public_media_port = Some(port(v)?);
            Ok(())
        },
    },
];

/// All keys.
pub const KEYS: &[Key] = &joined::<{ OWN.len() + people::KEYS.len() + sources::KEYS.len() + speech::KEYS.len() }>(&[
    OWN,
    people::KEYS,
    sources::KEYS,
    speech::KEYS,
]);

const fn joined<const N: usize>(tables: &[&[Key]]) -> [Key; N] {
    let mut keys = [tables[0][0]; N];
    let (mut table, mut filled) = (0, 0);
    while table < tables.len() {
        let mut at = 0;
        while at < tables[table].len() {
            keys[filled] = tables[table][at];
            (at, filled) = (at + 1, filled + 1);
        }
        table += 1;
    }
    keys
}

impl Default for Config {
    /// What the table says.
    fn default() -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut config = Self {
            data: Default::default(),
            http_listen: nowhere,
            auth_emergency_second_factor: true,
            auth_second_factor: false,
            http_metrics: Audience::Loopback,
            http_health: Audience::Loopback,
            metrics_listen: None,
            https_listen: None,
            https_certificate: None,
            https_key: None,
            https_acme_directory: None,
            https_acme_domains: Vec::new(),
            https_acme_contact: Vec::new(),
            https_acme_ca: None,
            limits_requests: 0,
            limits_session_requests: 0,
            limits_sign_ins: 0,
            limits_uploads: 0,
            limits_connections: 0,
            limits_address_connections: 0,
            oidc_issuer: None,
            oidc_client_id: None,
            oidc_client_secret_file: None,
            oidc_name: None,
            oidc_ca: None,
            oidc_second_factor_acr: Vec::new(),
            oidc_second_factor_amr: Vec::new(),
            oidc_plain_loopback: false,
            media_listen: nowhere,
            media_latency: Duration::ZERO,
            media_bitrate: 0,
            media_packet_ms: 0,
            media_loudness: None,
            live_longest: Duration::ZERO,
            live_silence: Duration::ZERO,
            relay_silence: Duration::ZERO,
            relay_allow: Vec::new(),
            encoder_listen: None,
            upload_max_bytes: 0,
            upload_max_duration: Duration::ZERO,
            database_url: None,
            record_keep: None,
            mqtt_url: None,
            mqtt_listen: nowhere,
            mqtt_tls_listen: None,
            mqtt_ca: None,
            key_pkcs11_module: None,
            key_pkcs11_label: None,
            key_pkcs11_pin_file: None,
            public_url: None,
            public_host: None,
            public_name: Vec::new(),
            public_mqtt_host: None,
            public_mqtt_port: None,
            public_media_port: None,
            speech: Default::default(),
        };
        for key in KEYS {
            if let Some(default) = key.default {
                (key.set)(&mut config, default).expect("a default is right");
            }
        }
        config
    }
}
