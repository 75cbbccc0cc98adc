//! Certificates. Here: an authority of the server's own, made at first start, and the certificate that the broker shows,
//! signed by it; both are files in the data folder, readable by the server alone. Not here: sockets, enrolment.
//!
//! Receivers are given the authority's certificate when they are enrolled and trust nothing else, so that it does not
//! change by itself: it is valid until 2049, and a damaged file is an error, not a reason to make another. It is ECDSA on P-256,
//! which small TLS implementations verify. The broker's certificate is remade at start when it would not do for another
//! year, or is not for all of the server's names.
//!
//! The authority is changed in two steps: [`prepare_next`] makes another one, which receivers are told to trust beside it
//! while the broker still shows a certificate of the old one; [`finish_next`] puts it in its place once they do. Receivers
//! verify one certificate against one authority, so that no certificate is good under both.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loa_protocol::UnixMicros;
use loa_protocol::enrolment::MAX_CERTIFICATE;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Key and certificate of the authority.
const AUTHORITY: &str = "authority.pem";
/// Key and certificate of the one that will follow it.
const NEXT: &str = "authority-next.pem";
/// The certificate of the one before, as long as receivers may still trust it.
const BEFORE: &str = "ca-before.crt";
/// Its certificate alone, for whoever is to trust it.
const TRUST: &str = "ca.crt";
/// Key and certificate of the broker.
const BROKER: &str = "broker.pem";

/// Key and certificate of the website.
const WEBSITE: &str = "https.pem";

const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// A broker's certificate is made for this long.
const LIFE: Duration = YEAR.saturating_mul(5);
/// A website's: browsers take none for longer than 825 days.
const WEBSITE_LIFE: Duration = YEAR;

/// What the broker shows at present.
pub type Shown = ArcSwap<ServerConfig>;

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{file}: {reason}")]
    Io {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// The authority's file is damaged. It is not replaced: no enrolled receiver would trust another.
    #[error("{0}: not a private key and a certificate that belong together; restore it from a backup")]
    Damaged(PathBuf),
    /// One of the server's names is neither a host name nor an address.
    #[error("{0:?} is neither a host name nor an IP address")]
    Host(String),
    /// What is to be trusted is not a certificate.
    #[error("not a certificate in PEM form: {0}")]
    Trust(String),
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// A certificate could not be used.
    #[error("a certificate could not be used: {0}")]
    Use(#[from] rustls::Error),
}

/// The server's own certificate authority.
pub struct Authority {
    folder: PathBuf,
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// Opens the authority in `folder`, or makes it if there is none.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|reason| Error::Io {
                file: folder.to_owned(),
                reason,
            })?;
        let file = folder.join(AUTHORITY);
        let (key, certificate) = match read(&file)? {
            Some(pem) => {
                let (key, certificate) = take(&pem).ok_or_else(|| Error::Damaged(file.clone()))?;
                let key = KeyPair::try_from(&key).map_err(|_| Error::Damaged(file.clone()))?;
                // A key that did not sign its own certificate signs for nobody who trusts that.
                let sample = sign(
                    &key,
                    &["sample".to_owned()],
                    "sample",
                    UnixMicros(1_800_000_000_000_000),
                    LIFE,
                )?;
                if !fits(
                    &sample.1,
                    &certificate,
                    &[],
                    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000)),
                ) {
                    return Err(Error::Damaged(file));
                }
                (key, certificate)
            }
            None => make(&file)?,
        };
        debug_assert!(certificate.len() <= MAX_CERTIFICATE);
        let it = Self {
            folder: folder.to_owned(),
            key,
            certificate,
        };
        write(&folder.join(TRUST), &it.pem(), 0o644)?;
        Ok(it)
    }

    /// Its certificate (DER), for enrolments; at most [`MAX_CERTIFICATE`] bytes.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Its certificate as text.
    pub fn pem(&self) -> String {
        pem_of(&self.certificate)
    }

    /// What the broker shows to those who know it by any of `hosts` (names and addresses): the certificate in the folder
    /// if it will still do a year after `now`, otherwise a new one.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn broker(&self, hosts: &[String], now: UnixMicros) -> Result<Arc<ServerConfig>, Error> {
        if let Some(host) = hosts.iter().find(|host| ServerName::try_from(host.as_str()).is_err()) {
            return Err(Error::Host(host.clone()));
        }
        let file = self.folder.join(BROKER);
        let in_a_year = UnixTime::since_unix_epoch(Duration::from_micros(now.0) + YEAR);
        let kept = read(&file)?
            .and_then(|pem| take(&pem))
            .filter(|(_, certificate)| fits(certificate, &self.certificate, hosts, in_a_year))
            .and_then(|(key, certificate)| config(key, certificate).ok());
        if let Some(config) = kept {
            return Ok(Arc::new(config));
        }
        let (key, certificate) = sign(&self.key, hosts, "Loa MQTT", now, LIFE)?;
        let config = config(PrivateKeyDer::Pkcs8(key.serialize_der().into()), certificate.clone())?;
        write(&file, &(key.serialize_pem() + &pem_of(&certificate)), 0o600)?;
        tracing::info!(?hosts, "a certificate for the MQTT broker was made");
        Ok(Arc::new(config))
    }

    /// Key and certificate (PEM) that a website shows to those who know it by any of `hosts`: the ones in the folder if they
    /// will still do a third of their life and two days after `now`, otherwise new ones.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn website(&self, hosts: &[String], now: UnixMicros) -> Result<String, Error> {
        if let Some(host) = hosts.iter().find(|host| ServerName::try_from(host.as_str()).is_err()) {
            return Err(Error::Host(host.clone()));
        }
        let file = self.folder.join(WEBSITE);
        let two_days = Duration::from_secs(2 * 86_400);
        let later = UnixTime::since_unix_epoch(Duration::from_micros(now.0) + WEBSITE_LIFE / 3 + two_days);
        if let Some(pem) = read(&file)? {
            let good = take(&pem).is_some_and(|(key, certificate)| {
                fits(&certificate, &self.certificate, hosts, later) && config(key, certificate).is_ok()
            });
            if let (true, Ok(pem)) = (good, String::from_utf8(pem)) {
                return Ok(pem);
            }
        }
        let (key, certificate) = sign(&self.key, hosts, "Loa console", now, WEBSITE_LIFE)?;
        let pem = key.serialize_pem() + &pem_of(&certificate);
        write(&file, &pem, 0o600)?;
        tracing::info!(?hosts, "a certificate for HTTPS was made");
        Ok(pem)
    }
}

/// Certificates (DER) that receivers are to trust on the way to the broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trusted {
    /// Of the authority whose certificate the broker shows; none without TLS.
    pub current: Option<Vec<u8>>,
    /// Of the one that will follow it.
    pub next: Option<Vec<u8>>,
    /// There was one before, which is to be trusted no more.
    pub alone: bool,
}

/// The certificate of the authority that will follow the one in `folder`, made by [`prepare_next`].
///
/// # Errors
/// When the file is damaged or cannot be read.
pub fn next(folder: &Path) -> Result<Option<Vec<u8>>, Error> {
    let file = folder.join(NEXT);
    let Some(pem) = read(&file)? else { return Ok(None) };
    let (_, certificate) = take(&pem).ok_or(Error::Damaged(file))?;
    Ok(Some(certificate.to_vec()))
}

/// Whether the authority in `folder` has taken the place of another.
pub fn had_another(folder: &Path) -> bool {
    folder.join(BEFORE).exists()
}

/// Makes the authority that will follow the one in `folder`, if there is none yet, and gives its certificate (DER).
///
/// # Errors
/// See [`enum@Error`].
pub fn prepare_next(folder: &Path) -> Result<Vec<u8>, Error> {
    if next(folder)?.is_none() {
        make(&folder.join(NEXT))?;
    }
    Ok(next(folder)?.expect("it was just made"))
}

/// Puts the next authority in the place of the present one, whose key is gone then; `false` if there is none.
///
/// # Errors
/// See [`enum@Error`].
pub fn finish_next(folder: &Path) -> Result<bool, Error> {
    if next(folder)?.is_none() {
        return Ok(false);
    }
    let present = Authority::open(folder)?;
    write(&folder.join(BEFORE), &present.pem(), 0o644)?;
    let file = folder.join(NEXT);
    let moved = std::fs::rename(&file, folder.join(AUTHORITY));
    moved.map_err(|reason| Error::Io { file, reason })?;
    // Also tells everybody else what to trust.
    Authority::open(folder)?;
    Ok(true)
}

/// A new authority, in `file`.
fn make(file: &Path) -> Result<(KeyPair, CertificateDer<'static>), Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = authority().self_signed(&key)?;
    write(file, &(key.serialize_pem() + &certificate.pem()), 0o600)?;
    Ok((key, certificate.der().clone()))
}

/// What to trust on a line to a broker whose certificate was signed by the authority in `pem`, or by one of several.
///
/// # Errors
/// [`Error::Trust`] if there is none in it.
pub fn trust(pem: &[u8]) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| Error::Trust(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| Error::Trust(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(Error::Trust("it holds none".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn config(key: PrivateKeyDer<'static>, certificate: CertificateDer<'static>) -> Result<ServerConfig, rustls::Error> {
    // Every client of ours speaks 1.3.
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
}

/// What stands in the authority's certificate; it follows from nothing but the key.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Loa");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = rcgen::date_time_ymd(2024, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 12, 31);
    params
}

/// A new key, and a certificate for it and `hosts`.
fn sign(
    authority_key: &KeyPair,
    hosts: &[String],
    name: &str,
    now: UnixMicros,
    life: Duration,
) -> Result<(KeyPair, CertificateDer<'static>), Error> {
    let until = Duration::from_micros(now.0) + life;
    let mut params = CertificateParams::new(hosts)?;
    // An address is named twice, as what it is and as text: the receivers' TLS (embedded-tls) compares text only.
    for address in hosts.iter().filter(|host| host.parse::<std::net::Ipv4Addr>().is_ok()) {
        params
            .subject_alt_names
            .push(SanType::DnsName(address.as_str().try_into()?));
    }
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Long before now: a receiver connects before it knows the time well.
    params.not_before = rcgen::date_time_ymd(2024, 1, 1);
    if life == WEBSITE_LIFE {
        // Browsers know the time, give or take a day, and count the whole of the life.
        let since = Duration::from_micros(now.0).saturating_sub(Duration::from_secs(86_400));
        params.not_before = time::OffsetDateTime::from_unix_timestamp(since.as_secs().cast_signed())
            .unwrap_or(rcgen::date_time_ymd(2024, 1, 1));
    }
    params.not_after = time::OffsetDateTime::from_unix_timestamp(until.as_secs().cast_signed())
        .unwrap_or(rcgen::date_time_ymd(2049, 12, 31))
        .min(rcgen::date_time_ymd(2049, 12, 31));
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let params_of_authority = authority();
    let issuer = Issuer::from_params(&params_of_authority, authority_key);
    let certificate = params.signed_by(&key, &issuer)?;
    Ok((key, certificate.der().clone()))
}

/// Whether whoever trusts `authority` believes `certificate` at `at`, for each of `hosts`.
fn fits(certificate: &CertificateDer<'_>, authority: &CertificateDer<'_>, hosts: &[String], at: UnixTime) -> bool {
    let check = || {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let parsed = ParsedCertificate::try_from(certificate)?;
        let algorithms = provider().signature_verification_algorithms.all;
        rustls::client::verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], at, algorithms)?;
        for host in hosts {
            let name = ServerName::try_from(host.as_str()).map_err(|_| rustls::Error::General("name".into()))?;
            rustls::client::verify_server_name(&parsed, &name)?;
        }
        Ok::<_, rustls::Error>(())
    };
    check().is_ok()
}

/// The private key and the certificate in `pem`.
fn take(pem: &[u8]) -> Option<(PrivateKeyDer<'static>, CertificateDer<'static>)> {
    Some((
        PrivateKeyDer::from_pem_slice(pem).ok()?,
        CertificateDer::from_pem_slice(pem).ok()?,
    ))
}

/// RFC 7468.
fn pem_of(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(reason) => Err(Error::Io {
            file: file.to_owned(),
            reason,
        }),
    }
}

/// Writes the whole file or nothing.
fn write(file: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let write = || {
        let mut half = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
        half.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        half.write_all(text.as_bytes())?;
        half.as_file().sync_all()?;
        half.persist(file).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|reason| Error::Io {
        file: file.to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);

    fn later(years: u64) -> UnixMicros {
        UnixMicros(NOW.0 + years * YEAR.as_micros() as u64)
    }

    fn hosts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn kept(folder: &Path) -> Vec<u8> {
        std::fs::read(folder.join(BROKER)).unwrap()
    }

    #[test]
    fn what_is_there_is_kept_and_what_will_not_do_is_remade() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("keys");
        let names = hosts(&["loa.example", "192.0.2.7", "2001:db8::7"]);
        let first = Authority::open(&folder).unwrap();
        assert!(first.certificate().len() <= MAX_CERTIFICATE);
        first.broker(&names, NOW).unwrap();
        let made = kept(&folder);
        let second = Authority::open(&folder).unwrap();
        assert_eq!(second.certificate(), first.certificate());
        second.broker(&names, later(3)).unwrap();
        second.broker(&names[1..], NOW).unwrap();
        assert_eq!(kept(&folder), made);
        // It would run out; it is for another name; it is damaged; its key is another's.
        second.broker(&names, later(5)).unwrap();
        let remade = kept(&folder);
        assert_ne!(remade, made);
        second.broker(&hosts(&["loa.example", "new.example"]), NOW).unwrap();
        assert_ne!(kept(&folder), remade);
        let key = String::from_utf8(made).unwrap();
        let certificate = String::from_utf8(remade).unwrap();
        let mixed = key[..key.find("-----BEGIN CERT").unwrap()].to_owned()
            + &certificate[certificate.find("-----BEGIN CERT").unwrap()..];
        for damaged in ["", "nonsense", &mixed] {
            std::fs::write(folder.join(BROKER), damaged).unwrap();
            second.broker(&names, NOW).unwrap();
            assert_ne!(kept(&folder), damaged.as_bytes());
        }
    }

    #[test]
    fn keys_are_for_the_server_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("keys");
        Authority::open(&folder).unwrap().broker(&hosts(&["a"]), NOW).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&folder), mode(&folder.join(AUTHORITY)), mode(&folder.join(BROKER))),
            (0o700, 0o600, 0o600)
        );
    }

    #[test]
    fn a_damaged_authority_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        Authority::open(folder.path()).unwrap();
        Authority::open(other.path()).unwrap();
        let text = |folder: &Path| std::fs::read_to_string(folder.join(AUTHORITY)).unwrap();
        let (whole, strange) = (text(folder.path()), text(other.path()));
        let at = whole.find("-----BEGIN CERT").unwrap();
        let mixed = whole[..at].to_owned() + &strange[strange.find("-----BEGIN CERT").unwrap()..];
        for damaged in ["", &whole[..at], &whole[at..], &mixed] {
            std::fs::write(folder.path().join(AUTHORITY), damaged).unwrap();
            let refused = Authority::open(folder.path()).err().unwrap();
            assert!(matches!(refused, Error::Damaged(_)), "{refused}");
            assert_eq!(text(folder.path()), *damaged);
        }
    }

    #[test]
    fn an_authority_is_followed_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (names, old) = (hosts(&["loa.example"]), Authority::open(folder).unwrap());
        old.broker(&names, NOW).unwrap();
        let shown = kept(folder);
        assert!(!finish_next(folder).unwrap() && !had_another(folder));
        let next = prepare_next(folder).unwrap();
        assert_eq!(
            (prepare_next(folder).unwrap(), super::next(folder).unwrap()),
            (next.clone(), Some(next.clone()))
        );
        assert!(next.len() <= loa_protocol::command::MAX_AUTHORITY);
        // Until then nothing has changed.
        Authority::open(folder).unwrap().broker(&names, NOW).unwrap();
        assert_eq!((kept(folder), had_another(folder)), (shown.clone(), false));
        assert!(finish_next(folder).unwrap() && had_another(folder) && super::next(folder).unwrap().is_none());
        let new = Authority::open(folder).unwrap();
        assert_eq!(new.certificate(), next);
        new.broker(&names, NOW).unwrap();
        assert_ne!(kept(folder), shown);
        assert!(std::fs::read_to_string(folder.join(TRUST)).unwrap() == new.pem());
        let mode = std::fs::metadata(folder.join(AUTHORITY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn wrong_names_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open(folder.path()).unwrap();
        let refused = authority
            .broker(&hosts(&["good.example", "not a name"]), NOW)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("not a name"), "{refused}");
        assert!(!folder.path().join(BROKER).exists());
        assert!(trust(b"").is_err() && trust(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_err());
        assert!(trust(authority.pem().as_bytes()).is_ok());
    }
}
