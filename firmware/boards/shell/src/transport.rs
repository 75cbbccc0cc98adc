//! TLS 1.3 between the line and MQTT, the server checked against the enrolled CA certificate.
//!
//! embedded-tls' reading must not be cancelled half way through a record, and the MQTT loop cancels reads all the time (it
//! waits for several things at once). So one future, [`Tunnel::pump`], reads for as long as the connection lives and puts the plain bytes
//! into a pipe, from which reading can be cancelled.

use crate::line::Wire;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::pipe::Pipe;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_tls::pki::CertVerifier;
use embedded_tls::{
    Aes128GcmSha256, Certificate, CryptoProvider, NoClock, TlsConfig, TlsConnection, TlsContext, TlsError, TlsReader,
    TlsVerifier, TlsWriter,
};
use rand_core::CryptoRngCore;

/// Longest record a server may send (RFC 8446 §5.2), and room for ours: a handshake message and the longest control message.
const RECORD_IN: usize = 16_640;
const RECORD_OUT: usize = 2_048;
/// Longest server certificate, in bytes.
const CERTIFICATE: usize = 1_536;
/// Plain bytes that wait for the MQTT loop.
const PIPE: usize = 2_048;

/// What TLS reads and writes records in: 18.7 KB, needed only with TLS.
pub(crate) struct Records {
    input: [u8; RECORD_IN],
    output: [u8; RECORD_OUT],
}

impl Records {
    pub(crate) const fn new() -> Self {
        Self {
            input: [0; RECORD_IN],
            output: [0; RECORD_OUT],
        }
    }
}

/// Random numbers and the check of the server: P-256 certificates signed by the enrolled CA.
struct Provider<'r, R> {
    random: &'r mut R,
    verifier: CertVerifier<'r, Aes128GcmSha256, NoClock, CERTIFICATE>,
}

impl<R: CryptoRngCore> CryptoProvider for Provider<'_, R> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = p256::ecdsa::DerSignature;

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut *self.random
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.verifier)
    }
}

/// An open TLS connection.
pub(crate) struct Secured<'s>(TlsConnection<'s, Wire<'s>, Aes128GcmSha256>);

impl<'s> Secured<'s> {
    /// Shakes hands; the server must prove to be `name` (at most 64 bytes) to the CA certificate `ca` (DER): P-256 throughout. The
    /// expiry of certificates is not checked: the receiver learns the time only from this server. Nor is whether a certificate
    /// in between may sign others: the authority must be one that signs servers' certificates only.
    pub(crate) async fn open<R: CryptoRngCore>(
        wire: Wire<'s>,
        records: &'s mut Records,
        ca: &[u8],
        name: &str,
        random: &mut R,
    ) -> Result<Self, TlsError> {
        let mut connection = TlsConnection::new(wire, &mut records.input, &mut records.output);
        let config = TlsConfig::new().with_server_name(name);
        let provider = Provider {
            random,
            verifier: CertVerifier::new(Certificate::X509(ca)),
        };
        connection.open(TlsContext::new(&config, provider)).await?;
        Ok(Self(connection))
    }

    /// Its two ends: what reads from the network, and what the MQTT client uses.
    pub(crate) fn split<'t>(&'t mut self, plain: &'t Plain) -> (Tunnel<'t, 's>, Stream<'t, 's>) {
        let (reader, writer) = self.0.split();
        (Tunnel { reader, plain }, Stream { writer, plain })
    }
}

/// Decrypted bytes on their way to the MQTT client.
pub(crate) type Plain = Pipe<NoopRawMutex, PIPE>;

/// Reads and decrypts.
pub(crate) struct Tunnel<'t, 's> {
    reader: TlsReader<'t, Wire<'s>, Aes128GcmSha256>,
    plain: &'t Plain,
}

impl<'t, 's: 't> Tunnel<'t, 's> {
    /// Reads for as long as the connection lives; returns why it ended.
    pub(crate) async fn pump(mut self) -> TlsError {
        let mut chunk = [0; 512];
        loop {
            match self.reader.read(&mut chunk).await {
                Ok(0) => return TlsError::ConnectionClosed,
                Ok(length) => self.plain.write_all(&chunk[..length]).await,
                Err(error) => return error,
            }
        }
    }
}

/// What the MQTT client sees of a TLS connection.
pub(crate) struct Stream<'t, 's> {
    writer: TlsWriter<'t, Wire<'s>, Aes128GcmSha256>,
    plain: &'t Plain,
}

impl ErrorType for Stream<'_, '_> {
    type Error = ErrorKind;
}

impl Read for Stream<'_, '_> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        Ok(self.plain.read(bytes).await)
    }
}

impl<'t, 's: 't> Write for Stream<'t, 's> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.writer.write(bytes).await.map_err(|_| ErrorKind::Other)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.writer.flush().await.map_err(|_| ErrorKind::Other)
    }
}
