//! What can be set, in which way, and what is said of what cannot.

use std::path::PathBuf;
use std::time::Duration;

use super::load::unknown_variables;
use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loa.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn from_file(text: &str) -> Result<Config, String> {
    let (_folder, path) = file(text);
    let folder = path.parent().unwrap().display().to_string();
    let args = ConfigArgs {
        file: Some(path),
        ..Default::default()
    };
    load(&args, |_| None).map_err(|error| error.to_string().replace(&folder, ""))
}

#[test]
fn a_flag_outweighs_the_environment_and_that_the_file() {
    let (_folder, path) = file("data = 'here'\n[media]\nlatency_ms = 500\nbitrate = 24000\npacket_ms = 20\n");
    let mut args = ConfigArgs {
        file: Some(path),
        ..Default::default()
    };
    args.flags.insert("media.packet_ms", "120".into());
    let variables = |name: &str| match name {
        "LOA_MEDIA_BITRATE" => Some("16000".into()),
        "LOA_MEDIA_PACKET_MS" => Some("40".into()),
        _ => None,
    };
    let config = load(&args, variables).unwrap();
    assert_eq!(config.data, PathBuf::from("here"));
    assert_eq!(config.media_latency, Duration::from_millis(500));
    assert_eq!((config.media_bitrate, config.media_packet_ms), (16_000, 120));
    assert_eq!(config.media_loudness, Some(-16));
    assert_eq!(config.http_listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn what_is_wrong_is_named_with_what_would_be_right() {
    for (text, message) in [
        (
            "[http]\nlistn = 'x'",
            "/loa.toml: unknown key `http.listn`; did you mean `http.listen`?",
        ),
        ("colour = 'red'", "/loa.toml: unknown key `colour`"),
        (
            "[http]\nlisten = 'localhost'",
            "http.listen = `localhost` (/loa.toml): must be an address and a port, such as 127.0.0.1:8080",
        ),
        (
            "[media]\nlatency_ms = 5",
            "media.latency_ms = `5` (/loa.toml): must be a whole number of milliseconds from 100 to 5000",
        ),
        (
            "[media]\npacket_ms = 33",
            "media.packet_ms = `33` (/loa.toml): must be 20, 40, 60, 80, 100 or 120 (milliseconds)",
        ),
        (
            "[media]\nbitrate = true",
            "media.bitrate = `true` (/loa.toml): must be a string or a whole number",
        ),
        (
            "[media]\nloudness = -5",
            "media.loudness = `-5` (/loa.toml): must be a whole number of LUFS from -30 to -10, or off",
        ),
        (
            "[upload]\nmax_bytes = -1",
            "upload.max_bytes = `-1` (/loa.toml): must be a whole number of bytes, at least 1",
        ),
        (
            "[database]\nurl = 'mysql://root:secret@db'",
            "database.url = `…` (/loa.toml): must be a URL that begins with sqlite: or postgres:",
        ),
        (
            "[mqtt]\nurl = 'mqtts://h'",
            "mqtt.url begins with mqtts://: mqtt.ca must name the certificate that receivers and this server trust",
        ),
        (
            "[oidc]\nissuer = 'sso.example'",
            "oidc.issuer = `sso.example` (/loa.toml): must be the provider's issuer, a URL that begins with https://",
        ),
        (
            "[oidc]\nissuer = 'https://sso.example'",
            "oidc.issuer needs oidc.client_id: what the provider calls this server",
        ),
        (
            "[oidc]\nissuer = 'http://127.0.0.1:3000'\nclient_id = 'loa'",
            "oidc.issuer must begin with https://; http:// is for trials on this machine alone, with oidc.plain_loopback = on",
        ),
        (
            "[oidc]\nname = 'Cổng tỉnh'",
            "the other oidc settings are for oidc.issuer: set it",
        ),
        (
            "[oidc]\nsecond_factor_amr = 'mfa,,otp'",
            "oidc.second_factor_amr = `mfa,,otp` (/loa.toml): must be values without blanks, separated by commas",
        ),
        (
            "[public]\nhost = 'a b'",
            "public.host = `a b` (/loa.toml): must be a host name or an address, without port",
        ),
        (
            "[https]\nlisten = '443'",
            "https.listen = `443` (/loa.toml): must be an address and a port, such as 0.0.0.0:443, or off",
        ),
        (
            "[https]\nlisten = '0.0.0.0:443'\ncertificate = 'a.crt'",
            "https.certificate and https.key belong together: set both",
        ),
        (
            "[https]\ncertificate = 'a.crt'\nkey = 'a.key'",
            "there is a certificate for HTTPS, but https.listen is off: set it, such as 0.0.0.0:443",
        ),
        (
            "[https]\nlisten = '0.0.0.0:443'\ncertificate = 'a'\nkey = 'b'\nacme_directory = 'https://a'\nacme_domains = 'a'",
            "https.certificate is given: https.acme_directory must not be set as well",
        ),
        (
            "[https]\nlisten = '0.0.0.0:443'\nacme_directory = 'https://a'",
            "https.acme_directory needs https.acme_domains: the names that the certificate is for",
        ),
        (
            "[https]\nlisten = '0.0.0.0:443'\nacme_ca = 'root.crt'",
            "https.acme_domains, _contact and _ca are for https.acme_directory: set it",
        ),
        (
            "[https]\nacme_directory = 'http://a'",
            "https.acme_directory = `http://a` (/loa.toml): must be a URL that begins with https://",
        ),
        (
            "[https]\nacme_domains = 'loa.example,10.0.0.1'",
            "https.acme_domains = `loa.example,10.0.0.1` (/loa.toml): must be host names separated by commas, such as loa.example",
        ),
        (
            "[https]\nacme_contact = 'it'",
            "https.acme_contact = `it` (/loa.toml): must be e-mail addresses separated by commas, such as it@commune.example",
        ),
        (
            "[http]\nhealth = 'world'",
            "http.health = `world` (/loa.toml): must be loopback or all",
        ),
        (
            "[limits]\nconnections = 0",
            "limits.connections = `0` (/loa.toml): must be a whole number of connections from 1 to 1000000",
        ),
        (
            "[mqtt]\nca = 'ca.pem'",
            "mqtt.ca is for an outside broker with TLS: mqtt.url must begin with mqtts://",
        ),
    ] {
        assert_eq!(from_file(text).unwrap_err(), message);
    }
    let args = ConfigArgs::default();
    let wrong = load(&args, |name| (name == "LOA_HTTP_LISTEN").then(|| "8080".into()))
        .unwrap_err()
        .to_string();
    assert!(
        wrong.starts_with("http.listen = `8080` (LOA_HTTP_LISTEN): must be"),
        "{wrong}"
    );
    let missing = ConfigArgs {
        file: Some("/nowhere/loa.toml".into()),
        ..Default::default()
    };
    assert!(
        load(&missing, |_| None)
            .unwrap_err()
            .to_string()
            .starts_with("/nowhere/loa.toml: ")
    );
    assert!(from_file("data = ").unwrap_err().contains("TOML"));
}

#[test]
fn a_broker_of_ones_own_is_read_from_its_url() {
    let read = |url: &str| {
        let ca = if url.starts_with("mqtts") { "ca = 'ca.pem'" } else { "" };
        from_file(&format!("[mqtt]\nurl = '{url}'\n{ca}")).map(|config| config.mqtt_url.unwrap())
    };
    let url = |tls, host: &str, port, username: &str, password: &str| MqttUrl {
        tls,
        host: host.into(),
        port,
        username: username.into(),
        password: password.into(),
    };
    assert_eq!(
        read("mqtt://loa:p%40ss@broker.lan").unwrap(),
        url(false, "broker.lan", 1883, "loa", "p@ss")
    );
    assert_eq!(
        read("mqtts://loa:x@10.0.0.1:8000/").unwrap(),
        url(true, "10.0.0.1", 8000, "loa", "x")
    );
    assert_eq!(read("mqtt://[::1]:1884").unwrap(), url(false, "::1", 1884, "", ""));
    for wrong in [
        "http://broker",
        "mqtt://",
        "mqtt://a:b@",
        "mqtt://h:0",
        "mqtt://h:99999",
        "mqtt://%zz@h",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    assert!(!format!("{:?}", read("mqtt://loa:secret@h").unwrap()).contains("secret"));
}

#[test]
fn every_key_is_explained_and_mistyped_variables_are_noticed() {
    for key in KEYS {
        assert!(!key.vi.is_empty() && !key.en.is_empty(), "{}", key.name);
        let flag = key.flag();
        assert!(
            flag.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
            "{flag}"
        );
    }
    let names = [
        "LOA_HTTP_LISTEN",
        "LOA_HTTP_LISTN",
        "LOA_CONFIG",
        "PATH",
        "LOA_TEST_POSTGRES",
    ]
    .map(String::from);
    assert_eq!(unknown_variables(names.into_iter()), ["LOA_HTTP_LISTN"]);
}
