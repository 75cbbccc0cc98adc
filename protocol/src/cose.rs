//! COSE envelopes (RFC 9052): `COSE_Sign1` with Ed25519 for what the server orders, `COSE_Mac0` with HMAC-SHA-256 for
//! what a receiver reports. The external data names what is inside, so that one kind never passes for another.

use crate::cbor::{self, Field};
use crate::{Error, MAX_MESSAGE, Signature, Signer, VerifyingKey};
use hmac::{Hmac, Mac};
use minicbor::Decoder;
use minicbor::data::Tag;
use sha2::Sha256;

/// Protected header `{1: -8}`: EdDSA (RFC 9053 §2.2).
const EDDSA: &[u8] = &[0xA1, 0x01, 0x27];
/// Protected header `{1: 5}`: HMAC 256/256 (RFC 9053 §3.1).
const HMAC_256: &[u8] = &[0xA1, 0x01, 0x05];
const TAG_SIGN1: u64 = 18;
const TAG_MAC0: u64 = 17;

/// Signs `payload` and writes the tagged `COSE_Sign1`; returns its length.
///
/// # Errors
/// [`Error::BufferTooSmall`] if `out`, or [`MAX_MESSAGE`], cannot hold it; [`Error::Unsigned`] if the key cannot be used.
pub fn sign1(
    key: &(impl Signer<Signature> + ?Sized),
    context: &[u8],
    payload: &[u8],
    out: &mut [u8],
) -> Result<usize, Error> {
    let mut to_sign = [0; MAX_MESSAGE];
    let length = structure("Signature1", EDDSA, context, payload, &mut to_sign)?;
    let signature = key
        .try_sign(&to_sign[..length])
        .map_err(|_| Error::Unsigned)?
        .to_bytes();
    envelope(TAG_SIGN1, EDDSA, payload, &signature, out)
}

/// Verifies a tagged `COSE_Sign1` (strictly: RFC 8032 §5.1.7 without small-order keys) and returns its payload.
///
/// # Errors
/// [`Error::Malformed`], or [`Error::Unauthentic`] if the signature, the algorithm or the context is another.
pub fn verify1<'b>(key: &VerifyingKey, context: &[u8], message: &'b [u8]) -> Result<&'b [u8], Error> {
    let (payload, signature) = open(TAG_SIGN1, EDDSA, message)?;
    let signature = Signature::from_slice(signature).map_err(|_| Error::Unauthentic)?;
    let mut signed = [0; MAX_MESSAGE];
    let length = structure("Signature1", EDDSA, context, payload, &mut signed)?;
    key.verify_strict(&signed[..length], &signature)
        .map_err(|_| Error::Unauthentic)?;
    Ok(payload)
}

/// Authenticates `payload` and writes the tagged `COSE_Mac0`; returns its length.
///
/// # Errors
/// [`Error::BufferTooSmall`] if `out`, or [`MAX_MESSAGE`], cannot hold it.
pub fn mac0(key: &[u8; 32], context: &[u8], payload: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    let tag = hmac(key, context, payload)?.finalize().into_bytes();
    envelope(TAG_MAC0, HMAC_256, payload, &tag, out)
}

/// Verifies a tagged `COSE_Mac0` in constant time and returns its payload.
///
/// # Errors
/// [`Error::Malformed`], or [`Error::Unauthentic`] if the tag, the algorithm or the context is another.
pub fn verify0<'b>(key: &[u8; 32], context: &[u8], message: &'b [u8]) -> Result<&'b [u8], Error> {
    let (payload, tag) = open(TAG_MAC0, HMAC_256, message)?;
    hmac(key, context, payload)?
        .verify_slice(tag)
        .map_err(|_| Error::Unauthentic)?;
    Ok(payload)
}

fn hmac(key: &[u8; 32], context: &[u8], payload: &[u8]) -> Result<Hmac<Sha256>, Error> {
    let mut to_mac = [0; MAX_MESSAGE];
    let length = structure("MAC0", HMAC_256, context, payload, &mut to_mac)?;
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&to_mac[..length]);
    Ok(mac)
}

/// `Sig_structure` and `MAC_structure` (RFC 9052 §4.4, §6.3), which differ in their first word.
fn structure(word: &str, protected: &[u8], context: &[u8], payload: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    cbor::encode(out, |e| {
        e.array(4)?
            .str(word)?
            .bytes(protected)?
            .bytes(context)?
            .bytes(payload)?;
        Ok(())
    })
}

fn envelope(tag: u64, protected: &[u8], payload: &[u8], proof: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    let out = match out.len() > MAX_MESSAGE {
        true => &mut out[..MAX_MESSAGE],
        false => out,
    };
    cbor::encode(out, |e| {
        e.tag(Tag::new(tag))?
            .array(4)?
            .bytes(protected)?
            .map(0)?
            .bytes(payload)?
            .bytes(proof)?;
        Ok(())
    })
}

/// Takes an envelope apart: payload and proof. The unprotected header may hold anything and is not looked at.
fn open<'b>(tag: u64, protected: &[u8], message: &'b [u8]) -> Result<(&'b [u8], &'b [u8]), Error> {
    const WHAT: Error = Error::Malformed("COSE envelope");
    if message.len() > MAX_MESSAGE {
        return Err(WHAT);
    }
    let mut d = Decoder::new(message);
    if d.tag()?.as_u64() != tag || d.array()? != Some(4) {
        return Err(WHAT);
    }
    let algorithm = d.bytes()?;
    cbor::map(&mut d, |_, _| Ok(Field::Unknown))?;
    let payload = d.bytes()?;
    let proof = d.bytes()?;
    if d.position() != message.len() {
        return Err(WHAT);
    }
    match algorithm == protected {
        true => Ok((payload, proof)),
        false => Err(Error::Unauthentic),
    }
}
