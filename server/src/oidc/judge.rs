//! What an ID token shows, if it is right (OpenID Connect Core §3.1.3.7). The crate does the work; here is what is asked of it, and
//! what its refusals mean.

use chrono::{DateTime, Utc};
use loa_protocol::UnixMicros;
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm as Algorithm};
use openidconnect::{ClaimsVerificationError as Wrong, Nonce, SignatureVerificationError as Unsigned};

use super::{Metadata, Refused, Settings, Shown, plain};

/// How far the provider's clock may be from ours, in microseconds.
const SKEW: u64 = 120 * 1_000_000;
/// Signatures by a key that the provider alone has. Not `none`, and no HMAC: what is checked with a key that others know, others can make.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];
/// Longest subject (OpenID Connect Core §2).
const SUBJECT: usize = 255;

pub(super) fn token(
    settings: &Settings,
    metadata: &Metadata,
    now: UnixMicros,
    nonce: &Nonce,
    token: &CoreIdToken,
) -> Result<Shown, Refused> {
    let (earliest, latest) = (instant(now.0 - SKEW), instant(now.0 + SKEW));
    // As one without a secret: with one, the crate would take HMACs by it.
    let verifier = CoreIdTokenVerifier::new_public_client(
        settings.client_id.clone(),
        settings.issuer.clone(),
        metadata.jwks().clone(),
    )
    .set_allowed_algs(ALGORITHMS)
    .set_time_fn(move || earliest)
    .set_issue_time_verifier_fn(move |at| match at <= latest {
        true => Ok(()),
        false => Err(format!("issued in the future: {at}")),
    });
    let claims = token.claims(&verifier, nonce).map_err(refused)?;
    let subject = claims.subject().to_string();
    if subject.is_empty() || subject.len() > SUBJECT || !subject.is_ascii() {
        return Err(Refused::Token("its subject is none".into()));
    }
    let names = [
        claims.preferred_username().map(|it| it.to_string()),
        claims.email().map(|it| it.to_string()),
    ];
    let label = names
        .into_iter()
        .flatten()
        .map(|it| plain(&it))
        .find(|it| !it.is_empty());
    let by_acr = claims
        .auth_context_ref()
        .is_some_and(|it| settings.acr.iter().any(|acr| acr == it.as_str()));
    let by_amr = claims
        .auth_method_refs()
        .is_some_and(|refs| refs.iter().any(|it| settings.amr.iter().any(|amr| amr == it.as_str())));
    Ok(Shown {
        issuer: settings.issuer.as_str().to_owned(),
        label: label.unwrap_or_else(|| plain(&subject)),
        subject,
        strong: by_acr || by_amr,
    })
}

fn refused(error: Wrong) -> Refused {
    match error {
        Wrong::InvalidIssuer(text) => Refused::Issuer(plain(&text)),
        Wrong::InvalidAudience(text) => Refused::Audience(plain(&text)),
        Wrong::Expired(text) => Refused::Time(plain(&text)),
        Wrong::InvalidNonce(_) => Refused::Nonce,
        Wrong::SignatureVerification(error) => {
            let text = plain(&error.to_string());
            match error {
                Unsigned::DisallowedAlg(_) | Unsigned::NoSignature | Unsigned::UnsupportedAlg(_) => {
                    Refused::Algorithm(text)
                }
                Unsigned::NoMatchingKey | Unsigned::AmbiguousKeyId(_) => Refused::Key(text),
                _ => Refused::Signature(text),
            }
        }
        other => Refused::Token(plain(&other.to_string())),
    }
}

fn instant(micros: u64) -> DateTime<Utc> {
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
