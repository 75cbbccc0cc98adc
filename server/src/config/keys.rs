//! The keys: name, what is right, the default, the words that explain it, and where the value goes. This table is the
//! only place that a key stands in.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use super::{Config, Metrics, MqttUrl};

/// One key.
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

/// All keys.
pub const KEYS: &[Key] = &[
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
            c.http_metrics = match v {
                "loopback" => Metrics::Loopback,
                "all" => Metrics::All,
                _ => return Err("loopback or all".into()),
            };
            Ok(())
        },
    },
    Key {
        name: "auth.emergency_second_factor",
        value: "on|off",
        default: Some("on"),
        vi: "Phát khẩn cấp cần xác thực bước hai (mã TOTP hoặc khóa truy cập): on hoặc off.",
        en: "Broadcasting an emergency takes a second factor (TOTP code or passkey): on or off.",
        set: |c, v| {
            c.auth_emergency_second_factor = switch(v)?;
            Ok(())
        },
    },
    Key {
        name: "auth.second_factor",
        value: "optional|required",
        default: Some("optional"),
        vi: "Xác thực bước hai khi đăng nhập: optional (tùy mỗi người) hoặc required (ai chưa có phải cài đặt ngay khi đăng nhập).",
        en: "Second factor at sign-in: optional (as each person likes) or required (who has none must set one up at once).",
        set: |c, v| {
            c.auth_second_factor = match v {
                "optional" => false,
                "required" => true,
                _ => return Err("optional or required".into()),
            };
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
            c.mqtt_tls_listen = match v {
                "off" => None,
                _ => Some(parse(v, "an address and a port, such as 0.0.0.0:8883, or off")?),
            };
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

impl Default for Config {
    /// What the table says.
    fn default() -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut config = Self {
            data: Default::default(),
            http_listen: nowhere,
            http_metrics: Metrics::Loopback,
            auth_emergency_second_factor: true,
            auth_second_factor: false,
            media_listen: nowhere,
            media_latency: Duration::ZERO,
            media_bitrate: 0,
            media_packet_ms: 0,
            upload_max_bytes: 0,
            upload_max_duration: Duration::ZERO,
            database_url: None,
            mqtt_url: None,
            mqtt_listen: nowhere,
            mqtt_tls_listen: None,
            mqtt_ca: None,
            public_url: None,
            public_host: None,
            public_name: Vec::new(),
            public_mqtt_host: None,
            public_mqtt_port: None,
            public_media_port: None,
        };
        for key in KEYS {
            if let Some(default) = key.default {
                (key.set)(&mut config, default).expect("a default is right");
            }
        }
        config
    }
}

fn parse<T: FromStr>(text: &str, right: &str) -> Result<T, String> {
    text.parse().map_err(|_| right.to_owned())
}

fn some<'a>(text: &'a str, right: &str) -> Result<&'a str, String> {
    if text.is_empty() {
        Err(right.to_owned())
    } else {
        Ok(text)
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".into()),
    }
}

fn within(text: &str, least: u64, most: u64, unit: &str) -> Result<u64, String> {
    let right = || match most {
        u64::MAX => format!("a whole number of {unit}, at least {least}"),
        _ => format!("a whole number of {unit} from {least} to {most}"),
    };
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(right)
}

fn port(text: &str) -> Result<u16, String> {
    Ok(within(text, 1, 65_535, "port")? as u16)
}

/// A host name or an address; otherwise what would be right.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= loa_protocol::enrolment::MAX_HOST
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b':'));
    if fits {
        Ok(text.into())
    } else {
        Err("a host name or an address, without port".into())
    }
}

fn mqtt_url(text: &str) -> Option<MqttUrl> {
    let (tls, rest) = match text.split_once("://")? {
        ("mqtt", rest) => (false, rest),
        ("mqtts", rest) => (true, rest),
        _ => return None,
    };
    let (credentials, place) = rest
        .trim_end_matches('/')
        .rsplit_once('@')
        .unwrap_or(("", rest.trim_end_matches('/')));
    let (username, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, port.parse().ok().filter(|port| *port > 0)?),
        _ => (place, if tls { 8883 } else { 1883 }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(MqttUrl {
        tls,
        host: self::host(host).ok()?,
        port,
        username: unescape(username)?,
        password: unescape(password)?,
    })
}

/// Percent-encoding (RFC 3986 §2.1) undone.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |c: Option<u8>| (c? as char).to_digit(16);
                (digit(rest.next())? << 4 | digit(rest.next())?) as u8
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}
