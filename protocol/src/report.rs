//! What a receiver says of itself and of what it played: CBOR maps in `COSE_Mac0` under [`Secret::report_key`].
//!
//! Reports are numbered: by boot (when it booted, so that it rises), and within it. A server takes only what is newer than
//! what it has.
//!
//! [`Secret::report_key`]: crate::key::Secret::report_key

use crate::cbor::{self, Field, bytes};
use crate::{AreaId, BroadcastId, Error, MAX_MESSAGE, UnixMicros, cose};
use heapless::String;
use minicbor::Decoder;
use sha2::{Digest, Sha256};

const TELEMETRY: &[u8] = b"loa/1 telemetry";
const RECEIPT: &[u8] = b"loa/1 receipt";

/// Longest name of firmware or board, in bytes.
pub const MAX_NAME: usize = 24;

/// Which report of a receiver it is; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Serial {
    /// When the receiver booted, in microseconds since 1970.
    pub boot: u64,
    /// Rises by one with every report.
    pub number: u64,
}

/// How sound reaches the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum MediaPath {
    /// Not at all: nobody answers its hello.
    #[default]
    None = 0,
    /// By UDP.
    Udp = 1,
    /// Over MQTT.
    Mqtt = 2,
}

/// How a receiver is. CBOR keys in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Telemetry {
    /// Which report this is. \[1, 2\]
    pub serial: Serial,
    /// When it was made, by the receiver's clock. \[3\]
    pub at: UnixMicros,
    /// Seconds since it booted. \[4\]
    pub uptime: u32,
    /// What it plays now. \[5\], absent if nothing
    pub playing: Option<BroadcastId>,
    /// Its volume, in per cent. \[6\]
    pub volume: u8,
    /// How sound reaches it. \[7\]
    pub path: MediaPath,
    /// Round trip to the server, in microseconds. \[8\]
    pub round_trip: u32,
    /// How far its clock may be off, in microseconds. \[9\]
    pub clock_error: u32,
    /// Media packets expected and lost since it booted. \[10, 11\]
    pub expected: u64,
    /// \[11\]
    pub lost: u64,
    /// Media datagrams and commands refused since it booted: forged, replayed, malformed, out of time. \[12, 13\]
    pub refused_media: u32,
    /// \[13\]
    pub refused_commands: u32,
    /// Version of the firmware. \[14\]
    pub firmware: String<MAX_NAME>,
    /// Kind of board. \[15\]
    pub board: String<MAX_NAME>,
    /// Number of the server's signing key that it trusts. \[16\], absent if 0: not told
    pub key_number: u32,
    /// Epoch of its secret: how often it was rotated. \[17\], absent if 0
    pub secret_epoch: u32,
    /// The newest authority that it trusts: see [`fingerprint`]. \[18\], absent without TLS
    pub authority: Option<[u8; 8]>,
    /// The deepest area that it takes commands for. \[19\], absent if it has none
    pub area: Option<AreaId>,
}

/// How telemetry names a certificate: the first 8 bytes of SHA-256 of its DER.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(certificate).into();
    core::array::from_fn(|i| digest[i])
}

/// How far a receiver is with a broadcast. The numbers are those on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Outcome {
    /// It has the command.
    #[default]
    Received = 0,
    /// It sounds.
    Playing = 1,
    /// All of it sounded. Final.
    Played = 2,
    /// A part of it sounded: it was pre-empted, stopped, joined late, or sound was missing. Final.
    Interrupted = 3,
    /// None of it sounded, though it should have. Final.
    Failed = 4,
    /// Its policy forbids it. Final.
    Refused = 5,
}

impl Outcome {
    /// Whether nothing follows any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Received | Self::Playing)
    }
}

/// What a receiver played of a broadcast. CBOR keys in brackets.
///
/// Packets: `expected` were to sound here; of them `received` came in time and `lost` did not, `late` of which came
/// afterwards. `expected = received + lost`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Which report this is. \[1, 2\]
    pub serial: Serial,
    /// When it was made, by the receiver's clock. \[3\]
    pub at: UnixMicros,
    /// The broadcast. \[4\]
    pub broadcast: BroadcastId,
    /// How it went. \[5\]
    pub outcome: Outcome,
    /// Samples at 48 kHz that the broadcast has. \[6\]
    pub planned: u64,
    /// Samples that sounded, concealed ones included. \[7\]
    pub played: u64,
    /// Packets that were to sound. \[8\]
    pub expected: u64,
    /// Packets that came in time. \[9\]
    pub received: u64,
    /// Packets that did not. \[10\]
    pub lost: u64,
    /// Packets that came after their time. \[11\]
    pub late: u64,
    /// Packets that came more than once. \[12\]
    pub duplicate: u64,
    /// Samples that were concealed or rebuilt from redundancy. \[13\]
    pub concealed: u64,
    /// Level of what sounded, in hundredths of dB below full scale (RMS); absent while nothing did. \[14\]
    pub level: Option<u16>,
}

impl Telemetry {
    /// Writes the report into `out`, authenticated by `key`; returns its length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`], or [`Error::OutOfRange`] for a volume that no server would take.
    pub fn seal(&self, key: &[u8; 32], out: &mut [u8]) -> Result<usize, Error> {
        percent(self.volume)?;
        seal(key, TELEMETRY, out, |e| {
            let told = [
                self.playing.is_some(),
                self.key_number != 0,
                self.secret_epoch != 0,
                self.authority.is_some(),
                self.area.is_some(),
            ];
            e.map(14 + told.map(u64::from).iter().sum::<u64>())?;
            e.u8(1)?
                .u64(self.serial.boot)?
                .u8(2)?
                .u64(self.serial.number)?
                .u8(3)?
                .u64(self.at.0)?;
            e.u8(4)?.u32(self.uptime)?;
            if let Some(id) = &self.playing {
                e.u8(5)?.bytes(&id.0)?;
            }
            e.u8(6)?
                .u8(self.volume)?
                .u8(7)?
                .u8(self.path as u8)?
                .u8(8)?
                .u32(self.round_trip)?;
            e.u8(9)?
                .u32(self.clock_error)?
                .u8(10)?
                .u64(self.expected)?
                .u8(11)?
                .u64(self.lost)?;
            e.u8(12)?.u32(self.refused_media)?.u8(13)?.u32(self.refused_commands)?;
            e.u8(14)?.str(&self.firmware)?.u8(15)?.str(&self.board)?;
            if self.key_number != 0 {
                e.u8(16)?.u32(self.key_number)?;
            }
            if self.secret_epoch != 0 {
                e.u8(17)?.u32(self.secret_epoch)?;
            }
            if let Some(authority) = &self.authority {
                e.u8(18)?.bytes(authority)?;
            }
            if let Some(area) = &self.area {
                e.u8(19)?.bytes(&area.0)?;
            }
            Ok(())
        })
    }

    /// Opens a report; its serial is for the caller to check.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] if it is not from who has `key`, otherwise what is wrong with it.
    pub fn open(key: &[u8; 32], message: &[u8]) -> Result<Self, Error> {
        let mut it = Self::default();
        let mut serial = Required::default();
        cbor::decode(cose::verify0(key, TELEMETRY, message)?, |field, d| {
            match field {
                1 => it.serial.boot = serial.boot(d)?,
                2 => it.serial.number = serial.number(d)?,
                3 => it.at = UnixMicros(d.u64()?),
                4 => it.uptime = d.u32()?,
                5 => it.playing = Some(BroadcastId(bytes(d, "broadcast")?)),
                6 => it.volume = percent(d.u8()?)?,
                7 => {
                    it.path = match d.u8()? {
                        1 => MediaPath::Udp,
                        2 => MediaPath::Mqtt,
                        _ => MediaPath::None,
                    }
                }
                8 => it.round_trip = d.u32()?,
                9 => it.clock_error = d.u32()?,
                10 => it.expected = d.u64()?,
                11 => it.lost = d.u64()?,
                12 => it.refused_media = d.u32()?,
                13 => it.refused_commands = d.u32()?,
                14 => it.firmware = name(d)?,
                15 => it.board = name(d)?,
                16 => it.key_number = d.u32()?,
                17 => it.secret_epoch = d.u32()?,
                18 => it.authority = Some(bytes(d, "authority")?),
                19 => it.area = Some(AreaId(bytes(d, "area")?)),
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        serial.check()?;
        Ok(it)
    }
}

impl Receipt {
    /// Writes the report into `out`, authenticated by `key`; returns its length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&self, key: &[u8; 32], out: &mut [u8]) -> Result<usize, Error> {
        seal(key, RECEIPT, out, |e| {
            e.map(13 + u64::from(self.level.is_some()))?;
            e.u8(1)?
                .u64(self.serial.boot)?
                .u8(2)?
                .u64(self.serial.number)?
                .u8(3)?
                .u64(self.at.0)?;
            e.u8(4)?.bytes(&self.broadcast.0)?.u8(5)?.u8(self.outcome as u8)?;
            e.u8(6)?
                .u64(self.planned)?
                .u8(7)?
                .u64(self.played)?
                .u8(8)?
                .u64(self.expected)?;
            e.u8(9)?
                .u64(self.received)?
                .u8(10)?
                .u64(self.lost)?
                .u8(11)?
                .u64(self.late)?;
            e.u8(12)?.u64(self.duplicate)?.u8(13)?.u64(self.concealed)?;
            if let Some(level) = self.level {
                e.u8(14)?.u16(level)?;
            }
            Ok(())
        })
    }

    /// Opens a report; its serial is for the caller to check.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] if it is not from who has `key`, otherwise what is wrong with it.
    pub fn open(key: &[u8; 32], message: &[u8]) -> Result<Self, Error> {
        let mut it = Self::default();
        let (mut serial, mut broadcast, mut outcome) = (Required::default(), None, None);
        cbor::decode(cose::verify0(key, RECEIPT, message)?, |field, d| {
            match field {
                1 => it.serial.boot = serial.boot(d)?,
                2 => it.serial.number = serial.number(d)?,
                3 => it.at = UnixMicros(d.u64()?),
                4 => broadcast = Some(BroadcastId(bytes(d, "broadcast")?)),
                5 => {
                    outcome = Some(match d.u8()? {
                        0 => Outcome::Received,
                        1 => Outcome::Playing,
                        2 => Outcome::Played,
                        3 => Outcome::Interrupted,
                        4 => Outcome::Failed,
                        5 => Outcome::Refused,
                        _ => return Err(Error::OutOfRange("outcome")),
                    })
                }
                6 => it.planned = d.u64()?,
                7 => it.played = d.u64()?,
                8 => it.expected = d.u64()?,
                9 => it.received = d.u64()?,
                10 => it.lost = d.u64()?,
                11 => it.late = d.u64()?,
                12 => it.duplicate = d.u64()?,
                13 => it.concealed = d.u64()?,
                14 => it.level = Some(d.u16()?),
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        serial.check()?;
        it.broadcast = broadcast.ok_or(Error::Missing("broadcast"))?;
        it.outcome = outcome.ok_or(Error::Missing("outcome"))?;
        Ok(it)
    }
}

pub(crate) fn seal(
    key: &[u8; 32],
    context: &[u8],
    out: &mut [u8],
    write: impl FnOnce(&mut cbor::Writer<'_>) -> Result<(), cbor::WriteError>,
) -> Result<usize, Error> {
    let mut payload = [0; MAX_MESSAGE];
    let length = cbor::encode(&mut payload, write)?;
    cose::mac0(key, context, &payload[..length], out)
}

/// Both halves of the serial must be there: without it a report could be replayed.
#[derive(Default)]
pub(crate) struct Required {
    boot: bool,
    number: bool,
}

impl Required {
    pub(crate) fn boot(&mut self, d: &mut Decoder<'_>) -> Result<u64, Error> {
        self.boot = true;
        Ok(d.u64()?)
    }

    pub(crate) fn number(&mut self, d: &mut Decoder<'_>) -> Result<u64, Error> {
        self.number = true;
        Ok(d.u64()?)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.boot && self.number {
            true => Ok(()),
            false => Err(Error::Missing("serial")),
        }
    }
}

pub(crate) fn percent(value: u8) -> Result<u8, Error> {
    match value {
        0..=100 => Ok(value),
        _ => Err(Error::OutOfRange("per cent")),
    }
}

pub(crate) fn name(d: &mut Decoder<'_>) -> Result<String<MAX_NAME>, Error> {
    String::try_from(d.str()?).map_err(|_| Error::OutOfRange("name"))
}
