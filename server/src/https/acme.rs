//! A certificate from an ACME directory (RFC 8555): one that every browser trusts, or one of an authority's own. Here:
//! account, order, the answer to the directory's question by TLS on the HTTPS port itself (RFC 8737), and when to have
//! another. Not here: the protocol's messages (crate `instant-acme`).

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, OrderStatus,
    RetryPolicy,
};
use loa_protocol::UnixMicros;
use rcgen::{CertificateParams, CustomExtension, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use super::{Error, Keeper, Source, Validity, certified, until};

/// The folder, beside the server's keys.
const FOLDER: &str = "acme";
/// Who we are to the directory.
const ACCOUNT: &str = "account.json";
/// Key and chain.
const CERTIFICATE: &str = "certificate.pem";

/// The first pause after a failure; each next one is twice as long, up to the last. Directories count failures.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LAST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// How long the directory may take to look.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is ordered, where.
#[derive(Debug, Clone)]
pub struct Order {
    /// The directory's URL.
    pub directory: String,
    /// Names that the certificate is to be good for; at least one.
    pub domains: Vec<String>,
    /// Whom the directory may write to: e-mail addresses.
    pub contact: Vec<String>,
    /// The root (PEM) that the directory's own HTTPS is trusted by, instead of the system's.
    pub root: Option<PathBuf>,
}

/// Why a directory gave no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It said no, or nothing.
    #[error("the ACME directory: {0}")]
    Directory(#[from] instant_acme::Error),
    /// It does not ask in a way that can be answered on the HTTPS port.
    #[error("the ACME directory does not offer tls-alpn-01 for {0}")]
    Question(String),
    /// It was not content with the answer.
    #[error("the ACME directory could not reach this server as {0} on port 443, or got another answer")]
    Answer(String),
    /// What it gave cannot be used.
    #[error("the ACME directory gave a certificate that cannot be used: {0}")]
    Certificate(String),
    /// On this side.
    #[error(transparent)]
    Here(#[from] Error),
}

/// Gets certificates from a directory and keeps them.
pub struct Acme {
    order: Order,
    folder: PathBuf,
    keeper: Arc<Keeper>,
    due: UnixMicros,
    pub(super) patience: Duration,
}

/// What is kept of an account.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

impl Acme {
    /// Opens what is kept in `keys`; a certificate that is still good is shown at once.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(order: Order, keys: &Path, keeper: Arc<Keeper>, now: UnixMicros) -> Result<Self, Error> {
        let folder = keys.join(FOLDER);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| wrong(&folder, error))?;
        let mut it = Self {
            order,
            folder,
            keeper,
            due: now,
            patience: PATIENCE,
        };
        if let Some((certified, validity)) = it.kept(now) {
            it.due = validity.renew();
            it.keeper.show(certified, it.source());
        }
        Ok(it)
    }

    /// When another is to be had.
    pub fn due(&self) -> UnixMicros {
        self.due
    }

    /// Gets a certificate if it is time, and shows it. Says whether it did.
    ///
    /// # Errors
    /// [`Refused`]: what is shown stays.
    pub async fn renew(&mut self, now: UnixMicros) -> Result<bool, Refused> {
        if now < self.due {
            return Ok(false);
        }
        let ordered = self.obtain().await;
        for domain in &self.order.domains {
            self.keeper.answer(domain, None);
        }
        let (certified, validity) = ordered?;
        self.due = validity.renew();
        self.keeper.show(certified, self.source());
        Ok(true)
    }

    pub(super) async fn run(mut self, clock: fn() -> UnixMicros) {
        let mut pause = FIRST_PAUSE;
        loop {
            until(self.due, clock).await;
            match self.renew(clock()).await {
                Ok(_) => {
                    pause = FIRST_PAUSE;
                    tracing::info!(domains = ?self.order.domains, "HTTPS shows a new certificate by ACME");
                }
                Err(error) => {
                    self.keeper.stays();
                    tracing::error!(%error, again_in = ?pause, "no new HTTPS certificate: what there was stays");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
    }

    fn source(&self) -> Source {
        match self.order.root {
            None => Source::Public,
            Some(_) => Source::Private,
        }
    }

    /// The certificate in the folder, if it is good now and for all names.
    fn kept(&self, now: UnixMicros) -> Option<(CertifiedKey, Validity)> {
        let pem = std::fs::read(self.folder.join(CERTIFICATE)).ok()?;
        let (certified, validity) = certified(&pem, &pem).ok()?;
        let parsed = ParsedCertificate::try_from(certified.cert.first()?).ok()?;
        let is_for = |name: &String| {
            let name = ServerName::try_from(name.as_str());
            name.is_ok_and(|name| rustls::client::verify_server_name(&parsed, &name).is_ok())
        };
        let good = validity.from <= now && now < validity.until && self.order.domains.iter().all(is_for);
        good.then_some((certified, validity))
    }

    async fn account(&self) -> Result<Account, Refused> {
        let builder = || match &self.order.root {
            None => Account::builder(),
            Some(root) => Account::builder_with_root(root),
        };
        let file = self.folder.join(ACCOUNT);
        let kept = std::fs::read(&file).ok();
        let kept = kept.and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
        if let Some(kept) = kept.filter(|kept| kept.directory == self.order.directory) {
            return Ok(builder()?.from_credentials(kept.credentials).await?);
        }
        let contact: Vec<_> = self.order.contact.iter().map(|it| format!("mailto:{it}")).collect();
        let contact: Vec<_> = contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = self.order.directory.clone();
        let (account, credentials) = builder()?.create(&new, directory.clone(), None).await?;
        let kept = Kept { directory, credentials };
        write(&file, &serde_json::to_vec(&kept).expect("an account is JSON"))?;
        Ok(account)
    }

    async fn obtain(&self) -> Result<(CertifiedKey, Validity), Refused> {
        let account = self.account().await?;
        let names: Vec<_> = self.order.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            let name = authorization.identifier().to_string();
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                _ => return Err(Refused::Answer(name)),
            }
            let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
            let mut challenge = challenge.ok_or_else(|| Refused::Question(name.clone()))?;
            let answer = answer(&name, challenge.key_authorization().digest().as_ref())?;
            self.keeper.answer(&name, Some(answer));
            challenge.set_ready().await?;
        }
        let retries = RetryPolicy::new().timeout(self.patience);
        match order.poll_ready(&retries).await {
            Ok(OrderStatus::Ready) => {}
            // Some say no, others go on trying.
            Ok(_) | Err(instant_acme::Error::Timeout(_)) => {
                return Err(Refused::Answer(self.order.domains.join(", ")));
            }
            Err(error) => return Err(error.into()),
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::from)?;
        let mut request = CertificateParams::new(self.order.domains.clone()).map_err(Error::from)?;
        request.distinguished_name = rcgen::DistinguishedName::new();
        let request = request.serialize_request(&key).map_err(Error::from)?;
        order.finalize_csr(request.der()).await?;
        let chain = order.poll_certificate(&retries).await?;
        let pem = key.serialize_pem() + &chain;
        let got = certified(pem.as_bytes(), pem.as_bytes()).map_err(Refused::Certificate)?;
        write(&self.folder.join(CERTIFICATE), pem.as_bytes())?;
        Ok(got)
    }
}

/// The certificate that answers (RFC 8737 §3).
fn answer(domain: &str, digest: &[u8]) -> Result<CertifiedKey, Error> {
    let mut params = CertificateParams::new([domain.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?.der().clone();
    let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(|why| rustls::Error::General(why.into()))?;
    let key = ring::default_provider().key_provider.load_private_key(der)?;
    // Not compared with its key, as others are: who looks at it there meets the one critical extension that only a directory knows.
    Ok(CertifiedKey::new(vec![certificate], key))
}

fn wrong(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::File {
        file: file.display().to_string(),
        why: why.to_string(),
    }
}

/// Writes the whole file or nothing; only the server may read it.
fn write(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let write = || {
        let mut half = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
        half.as_file().set_permissions(std::fs::Permissions::from_mode(0o600))?;
        half.write_all(bytes)?;
        half.as_file().sync_all()?;
        half.persist(file).map_err(|error| error.error)?;
        Ok::<_, std::io::Error>(())
    };
    write().map_err(|error| wrong(file, error))
}
