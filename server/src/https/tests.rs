//! HTTPS as clients meet it: a whole server, real sockets, rustls, curl and OpenSSL; certificates given, made and from a real
//! ACME server (Caddy's). What needs port 443, or an address that is not loopback, runs in a network namespace of its own.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version};
use tokio::runtime::Runtime;

use super::*;
use crate::clock;
use crate::serve::{self, Running};

/// Whatever is to happen has happened by then.
const LONG: Duration = Duration::from_secs(90);
/// An address of this machine that is not loopback, in a namespace.
const ELSEWHERE: &str = "192.0.2.1";

/// A whole server.
struct Site {
    runtime: Runtime,
    running: Running,
    end: watch::Sender<bool>,
    folder: std::path::PathBuf,
}

impl Site {
    fn start(folder: &Path, set: impl FnOnce(&mut Config)) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config {
            data: folder.to_owned(),
            http_listen: free,
            https_listen: Some(free),
            media_listen: free,
            mqtt_listen: free,
            mqtt_tls_listen: Some(free),
            ..Config::default()
        };
        set(&mut config);
        let runtime = Runtime::new().unwrap();
        let (end, shutdown) = watch::channel(false);
        let running = runtime.block_on(serve::start(config, shutdown)).unwrap();
        Self {
            runtime,
            running,
            end,
            folder: folder.to_owned(),
        }
    }

    fn https(&self) -> SocketAddr {
        self.running.https.unwrap()
    }

    /// What the server's authority is trusted by.
    fn authority(&self) -> Vec<CertificateDer<'static>> {
        let (head, der) = plain(self.running.http, "GET", "/.well-known/loa-authority.crt");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: application/x-x509-ca-cert"), "{head}");
        vec![CertificateDer::from(der)]
    }

    fn metrics(&self) -> String {
        String::from_utf8(plain(self.running.http, "GET", "/metrics").1).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.end.send_replace(true);
        self.runtime.block_on(self.running.ended());
    }
}

fn ask(stream: &mut (impl Read + Write), method: &str, path: &str) -> (String, Vec<u8>) {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {ELSEWHERE}:8080\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // TLS that ends without saying so is an error to rustls; the answer's own length says whether it is whole.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    (head, bytes.get(end + 4..).unwrap_or_default().to_vec())
}

fn plain(to: SocketAddr, method: &str, path: &str) -> (String, Vec<u8>) {
    ask(&mut TcpStream::connect(to).unwrap(), method, path)
}

/// A TLS connection to `name` at `to`, if it is believed.
fn connect(
    to: SocketAddr,
    name: &str,
    roots: &[CertificateDer<'static>],
    versions: &[&'static SupportedProtocolVersion],
) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(to).map_err(|error| error.to_string())?;
    socket.set_read_timeout(Some(LONG)).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    while stream.conn.is_handshaking() {
        stream
            .conn
            .complete_io(&mut stream.sock)
            .map_err(|error| error.to_string())?;
    }
    Ok(stream)
}

/// The certificate that was shown.
fn shown(stream: &StreamOwned<ClientConnection, TcpStream>) -> Vec<u8> {
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// Waits for what another program is about to do.
fn until_it_is<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(it) = is() {
            return it;
        }
        assert!(begun.elapsed() < LONG, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn from_the_first_day_there_is_https_by_the_servers_own_authority() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path(), |config| config.public_host = Some("loa.example".into()));
    let roots = site.authority();
    for version in [&version::TLS12, &version::TLS13] {
        for name in ["localhost", "127.0.0.1", "loa.example"] {
            let mut stream = connect(site.https(), name, &roots, &[version]).unwrap();
            let (head, page) = ask(&mut stream, "GET", "/");
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            assert!(page.starts_with(b"<!doctype html>"));
            // Browsers do not believe it by themselves: nothing may hold them to it.
            assert!(!head.contains("strict-transport-security"), "{head}");
        }
    }
    let other = connect(site.https(), "other.example", &roots, &[&version::TLS13]);
    assert!(other.err().unwrap().contains("not valid for name"));
    let port = site.https().port();
    assert_eq!(site.running.url, format!("https://loa.example:{port}"));
    assert!(site.running.setup.as_ref().unwrap().starts_with(&site.running.url));
    // Other people's programs agree.
    let pem = site.folder.join("keys/ca.crt").display().to_string();
    for http in ["--http1.1", "--http2"] {
        let url = format!("https://localhost:{port}/healthz");
        let text = run(Command::new("curl").args(["-sSi", http, "--cacert", &pem, &url]));
        assert!(text.contains("200") && text.ends_with("ok\n"), "{text}");
        assert_eq!(text.starts_with("HTTP/2 "), http == "--http2", "{text}");
    }
    let place = format!("127.0.0.1:{port}");
    let text = run(Command::new("openssl").args([
        "s_client",
        "-connect",
        &place,
        "-CAfile",
        &pem,
        "-verify_hostname",
        "localhost",
        "-verify_return_error",
    ]));
    assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
    let old = Command::new("openssl")
        .args(["s_client", "-connect", &place, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!old.status.success(), "TLS 1.1 is spoken");
    // It is kept over a restart.
    let before = shown(&connect(site.https(), "localhost", &roots, &[&version::TLS13]).unwrap());
    drop(site);
    let site = Site::start(folder.path(), |config| config.public_host = Some("loa.example".into()));
    let after = shown(&connect(site.https(), "localhost", &roots, &[&version::TLS13]).unwrap());
    assert!(before == after);
}

/// A certificate for localhost and its key, in PEM.
fn given(not_after: time::OffsetDateTime) -> (String, String, CertificateDer<'static>) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = not_after;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem(), certificate.der().clone())
}

#[test]
fn a_given_certificate_is_changed_without_breaking_a_connection_and_a_broken_one_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (file, key_file) = (folder.path().join("site.crt"), folder.path().join("site.key"));
    let good = rcgen::date_time_ymd(2090, 1, 1);
    let (pem, key, first) = given(good);
    std::fs::write(&file, &pem).unwrap();
    std::fs::write(&key_file, &key).unwrap();
    let site = Site::start(&folder.path().join("data"), |config| {
        config.https_certificate = Some(file.clone());
        config.https_key = Some(key_file.clone());
    });
    let visit = |root: &CertificateDer<'static>| {
        connect(
            site.https(),
            "localhost",
            std::slice::from_ref(root),
            &[&version::TLS13],
        )
    };
    let mut old = visit(&first).unwrap();
    let (head, _) = ask(&mut visit(&first).unwrap(), "GET", "/api/v1/areas");
    assert!(head.contains("strict-transport-security: max-age=31536000"), "{head}");
    let (head, _) = plain(site.running.http, "GET", "/");
    assert!(!head.contains("strict-transport-security"), "{head}");
    assert!(
        plain(site.running.http, "GET", "/.well-known/loa-authority.crt")
            .0
            .starts_with("HTTP/1.1 404 ")
    );

    // None of these takes its place; each is told.
    let failed = |times: usize| {
        let line = format!("loa_https_certificates_total{{outcome=\"failed\"}} {times}\n");
        until_it_is(&line, || site.metrics().contains(&line).then_some(()));
        assert!(shown(&visit(&first).unwrap()) == first.to_vec());
    };
    let (strange_pem, strange_key, _) = given(good);
    let (expired_pem, expired_key, _) = given(rcgen::date_time_ymd(2001, 1, 1));
    for (times, (pem, key)) in [
        (&*pem, &*strange_key),
        (&pem[..pem.len() / 2], &key),
        ("", ""),
        (&*expired_pem, &*expired_key),
        (&strange_pem, &key),
    ]
    .into_iter()
    .enumerate()
    {
        std::fs::write(&file, pem).unwrap();
        std::fs::write(&key_file, key).unwrap();
        site.running.reload.notify_one();
        failed(times + 1);
    }
    std::fs::remove_file(&file).unwrap();
    site.running.reload.notify_one();
    failed(6);

    // A right one does, without anybody saying that it is there.
    let (pem, key, second) = given(good);
    std::fs::write(&file, pem).unwrap();
    std::fs::write(&key_file, key).unwrap();
    until_it_is("the new certificate", || visit(&second).ok());
    assert!(visit(&first).is_err());
    assert!(ask(&mut old, "GET", "/healthz").0.starts_with("HTTP/1.1 200 "));
}

#[test]
fn what_is_not_right_at_the_start_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (file, key_file) = (folder.path().join("site.crt"), folder.path().join("site.key"));
    let config = Config {
        https_listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        https_certificate: Some(file.clone()),
        https_key: Some(key_file.clone()),
        ..Config::default()
    };
    let open = |now| Https::open(&config, folder.path(), now).map_err(|error| error.to_string());
    let why = open(clock::now()).err().unwrap();
    assert!(why.starts_with(&file.display().to_string()), "{why}");
    let (pem, key, _) = given(rcgen::date_time_ymd(2030, 1, 1));
    let (_, strange, _) = given(rcgen::date_time_ymd(2030, 1, 1));
    std::fs::write(&file, pem).unwrap();
    std::fs::write(&key_file, strange).unwrap();
    assert!(
        open(clock::now())
            .err()
            .unwrap()
            .ends_with("the key is not the certificate's")
    );
    std::fs::write(&key_file, &key).unwrap();
    // An expired one is better than a server that does not start.
    for year in [2028, 2031] {
        let now = rcgen::date_time_ymd(year, 1, 1).unix_timestamp() as u64 * 1_000_000;
        assert!(open(UnixMicros(now)).unwrap().is_some());
    }
    let none = Https::open(&Config::default(), folder.path(), clock::now()).unwrap();
    assert!(none.is_none(), "HTTPS is off unless it is asked for");
}

#[test]
fn the_servers_own_is_made_anew_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let names = vec!["loa.example".to_owned()];
    let own = Own::open(folder.path(), names).unwrap();
    let now = UnixMicros(1_800_000_000_000_000);
    let der = |now| own.certified(now).unwrap().cert[0].to_vec();
    let first = der(now);
    let validity = Validity::of(&first).unwrap();
    let days = (validity.until.0 - validity.from.0) / 86_400_000_000;
    assert!(
        (300..=825).contains(&days),
        "browsers take no more than 825 days: {days}"
    );
    assert!(validity.from < now && now < validity.renew() && validity.renew() < validity.until);
    assert!(der(UnixMicros(now.0 + 86_400_000_000)) == first);
    let second = der(validity.renew());
    assert!(second != first && Validity::of(&second).unwrap().renew() > validity.renew());
}

/// Runs an ignored test of this file as root of a network of its own, where every port is free and [`ELSEWHERE`] is here.
fn in_a_network_of_its_own(test: &str) {
    let may = |arguments: &[&str]| {
        let tried = Command::new("unshare")
            .args(arguments)
            .arg("true")
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    };
    let new = if may(&["-rn"]) { "-rn" } else { "-n" };
    let script = "ip link set lo up && ip address add $0/32 dev lo && exec \"$@\"";
    let output = Command::new("unshare")
        .args([new, "sh", "-c", script, ELSEWHERE])
        .arg(std::env::current_exe().unwrap())
        .args([&format!("https::tests::{test}"), "--exact", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn who_comes_from_elsewhere_comes_by_https() {
    in_a_network_of_its_own("elsewhere");
}

#[test]
#[ignore = "needs a network of its own: who_comes_from_elsewhere_comes_by_https starts it"]
fn elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path(), |config| {
        config.http_listen = "0.0.0.0:8080".parse().unwrap();
        config.https_listen = "0.0.0.0:8443".parse().ok();
        config.metrics_listen = format!("{ELSEWHERE}:9464").parse().ok();
        config.public_host = Some(ELSEWHERE.into());
        config.limits_address_connections = 8;
    });
    let at = |port: u16| SocketAddr::new(ELSEWHERE.parse().unwrap(), port);
    let (head, _) = plain(at(8080), "GET", "/signin?a=b");
    assert!(head.starts_with("HTTP/1.1 308 "), "{head}");
    assert!(
        head.contains(&format!("location: https://{ELSEWHERE}:8443/signin?a=b")),
        "{head}"
    );
    for (method, path) in [("GET", "/api/v1/areas"), ("POST", "/api/v1/session"), ("POST", "/")] {
        let (head, body) = plain(at(8080), method, path);
        assert!(head.starts_with("HTTP/1.1 403 "), "{method} {path}: {head}");
        assert!(String::from_utf8(body).unwrap().contains("\"https_required\""));
    }
    assert!(
        site.metrics()
            .contains("loa_requests_refused_total{reason=\"plain_http\"} 4")
    );
    let (_, der) = plain(at(8080), "GET", "/.well-known/loa-authority.crt");
    let roots = [CertificateDer::from(der)];
    let visit = || connect(at(8443), ELSEWHERE, &roots, &[&version::TLS13]);
    for (method, path, status) in [
        ("GET", "/signin", 200),
        ("GET", "/api/v1/areas", 401),
        ("GET", "/metrics", 403),
        ("GET", "/healthz", 403),
    ] {
        let (head, _) = ask(&mut visit().unwrap(), method, path);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {head}");
    }
    // From this machine plain HTTP goes on as ever.
    let here = SocketAddr::from(([127, 0, 0, 1], 8080));
    assert!(plain(here, "GET", "/api/v1/areas").0.starts_with("HTTP/1.1 401 "));
    for (path, status) in [("/metrics", 200), ("/healthz", 200), ("/", 404), ("/api/v1/areas", 404)] {
        let (head, _) = plain(at(9464), "GET", path);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {head}");
    }

    // An address has its share of the places, and no more.
    let held: Vec<_> = (0..8).map(|_| until_it_is("a place", || visit().ok())).collect();
    assert!(visit().is_err());
    assert!(plain(here, "GET", "/").0.starts_with("HTTP/1.1 200 "));
    drop(held);
    until_it_is("a place", || visit().ok());
    let line = "loa_connections_refused_total{reason=\"places_of_address\"} ";
    assert!(!site.metrics().contains(&format!("{line}0\n")), "{}", site.metrics());
}

/// Caddy's ACME server, with an authority of its own; ended when dropped.
struct Caddy(Child);

impl Caddy {
    const DIRECTORY: &str = "https://localhost:9443/acme/local/directory";

    fn start(folder: &Path) -> Self {
        let file = folder.join("Caddyfile");
        let settings = format!(
            "{{\n admin off\n skip_install_trust\n auto_https disable_redirects\n http_port 8081\n \
             storage file_system {}\n}}\nhttps://localhost:9443 {{\n tls internal\n acme_server\n}}\n",
            folder.join("store").display()
        );
        std::fs::write(&file, settings).unwrap();
        let mut child = Command::new("caddy")
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&file)
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Caddy is installed (cargo xtask test does)");
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("serving initial configuration") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "Caddy has ended");
        }
        // What else it says must go somewhere.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self(child)
    }

    fn root(folder: &Path) -> std::path::PathBuf {
        folder.join("store/pki/authorities/local/root.crt")
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_acme_directory_gives_a_certificate_and_another_when_it_is_time() {
    in_a_network_of_its_own("acme_by_caddy");
}

#[test]
#[ignore = "needs a network of its own: an_acme_directory_gives_a_certificate_and_another_when_it_is_time starts it"]
fn acme_by_caddy() {
    let folder = tempfile::tempdir().unwrap();
    let caddy = Caddy::start(folder.path());
    let root = Caddy::root(folder.path());
    let roots: Vec<_> = CertificateDer::pem_file_iter(&root)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let directory = SocketAddr::from(([127, 0, 0, 1], 9443));
    until_it_is("the directory", || {
        connect(directory, "localhost", &roots, &[&version::TLS13]).ok()
    });
    let data = folder.path().join("data");
    let set = |config: &mut Config| {
        config.https_listen = "0.0.0.0:443".parse().ok();
        config.https_acme_directory = Some(Caddy::DIRECTORY.into());
        config.https_acme_domains = vec!["localhost".into()];
        config.https_acme_contact = vec!["it@commune.example".into()];
        config.https_acme_ca = Some(root.clone());
    };
    let https = SocketAddr::from(([127, 0, 0, 1], 443));
    let visit = || connect(https, "localhost", &roots, &[&version::TLS13]);

    // A whole server: it orders one by itself, and keeps it over a restart.
    let site = Site::start(&data, set);
    let mut stream = until_it_is("a certificate", || visit().ok());
    let first = shown(&stream);
    let (head, _) = ask(&mut stream, "GET", "/healthz");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && !head.contains("strict-transport-security"),
        "{head}"
    );
    let text = run(Command::new("curl")
        .args(["-sSi", "--http2", "https://localhost/healthz", "--cacert"])
        .arg(&root));
    assert!(text.starts_with("HTTP/2 200"), "{text}");
    assert_eq!(site.running.url, "https://localhost");
    let metrics = site.metrics();
    assert!(
        metrics.contains("loa_https_certificates_total{outcome=\"taken\"} 1\n"),
        "{metrics}"
    );
    drop(site);
    let site = Site::start(&data, set);
    assert!(shown(&visit().unwrap()) == first);
    drop(site);
    for file in ["acme/account.json", "acme/certificate.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = data.join("keys").join(file).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }

    // The same, with time as an argument.
    let mut config = Config::default();
    set(&mut config);
    let now = clock::now();
    let opened = Https::open(&config, &data.join("keys"), now).unwrap().unwrap();
    let tls = tokio_rustls::TlsAcceptor::from(Arc::new(opened.tls().unwrap()));
    let keeper = opened.keeper.clone();
    assert_eq!(keeper.source(), Source::Private);
    let Renewal::Acme(mut acme) = opened.renewal else {
        panic!("not by ACME");
    };
    acme.patience = Duration::from_secs(5);
    let validity = Validity::of(&first).unwrap();
    assert_eq!(acme.due(), validity.renew());
    assert!(now < acme.due() && acme.due() < validity.until);
    let runtime = Runtime::new().unwrap();
    assert!(!runtime.block_on(acme.renew(now)).unwrap(), "it is too early");
    // Nobody answers on the port: what there was stays.
    let due = acme.due();
    let refused = runtime.block_on(acme.renew(due)).unwrap_err();
    assert!(refused.to_string().starts_with("the ACME directory"), "{refused}");
    assert!(keeper.certificate() == first && acme.due() == due);
    let answering = runtime.spawn(async move {
        let socket = tokio::net::TcpListener::bind(https).await.unwrap();
        loop {
            let (stream, _) = socket.accept().await.unwrap();
            let _ = tls.accept(stream).await;
        }
    });
    until_it_is("the port", || TcpStream::connect(https).ok());
    assert!(runtime.block_on(acme.renew(due)).unwrap());
    let second = keeper.certificate();
    assert!(second != first && acme.due() >= due);
    assert!(shown(&visit().unwrap()) == second);
    // Who opens it again finds that one.
    let again = Https::open(&config, &data.join("keys"), now).unwrap().unwrap();
    assert!(again.keeper.certificate() == second);
    // The directory is gone.
    drop(caddy);
    let due = acme.due();
    let refused = runtime.block_on(acme.renew(due)).unwrap_err();
    assert!(matches!(refused, acme::Refused::Directory(_)), "{refused}");
    assert!(keeper.certificate() == second);
    answering.abort();
}
