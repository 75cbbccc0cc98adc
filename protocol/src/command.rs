//! What a server orders: CBOR maps in `COSE_Sign1` under the server's Ed25519 key, bound to a receiver or an area, fresh,
//! and numbered.
//!
//! A receiver obeys a command only if the signature is its own server's, it is addressed (its own identifier, or an area on
//! its path), its number is greater than that of any it obeyed for the same addressee, and its clock is set and not past
//! `expires`. [`Command::open`] checks the signature; the rest is the receiver's.

use crate::agreement::PublicKey;
use crate::cbor::{self, Field, bytes};
use crate::enrolment::{self, MAX_DEPTH};
use crate::precedence::{Class, Rank};
use crate::report::percent;
use crate::{
    AreaId, BroadcastId, Error, MAX_MESSAGE, ReceiverId, Signature, Signer, StreamId, UnixMicros, VerifyingKey, cose,
};
use heapless::Vec;
use minicbor::Decoder;

const CONTEXT: &[u8] = b"loa/1 command";

/// Most windows of allowed hours in a policy.
pub const MAX_WINDOWS: usize = 12;

/// Longest certificate in an order, in bytes of DER: with its envelope it fits a message.
pub const MAX_AUTHORITY: usize = 600;

/// Minutes in a day.
const DAY: u16 = 1440;

/// Who is to obey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// One receiver.
    Receiver(ReceiverId),
    /// Every receiver of an area and of the areas below it.
    Area(AreaId),
}

/// A command. CBOR keys: recipient 1 (receiver) or 2 (area), number 3, issued 4, expires 5; then exactly one of play 10,
/// stop 11, volume 12, reboot 13, policy 14, areas 16, authority 17, rotate 18.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Who is to obey.
    pub to: Recipient,
    /// Rises strictly for each recipient.
    pub number: u64,
    /// When it was signed.
    pub issued: UnixMicros,
    /// From then on it is not obeyed.
    pub expires: UnixMicros,
    /// What to do.
    pub order: Order,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to put a certificate on")]
pub enum Order {
    /// Play a broadcast. A second one for the same broadcast replaces the first.
    Play(Play),
    /// Stop a broadcast, or never begin it. \[11\]: the broadcast
    Stop(BroadcastId),
    /// Set the volume, in per cent; 100 leaves samples as they are. \[12\]
    Volume(u8),
    /// Start afresh. \[13\]: `true`
    Reboot,
    /// What the area allows. Replaces the last one.
    Policy(Policy),
    /// The areas that it lies in from now on, the root first: it was moved. For one receiver only. \[16\]: an array
    Areas(Vec<AreaId, MAX_DEPTH>),
    /// An authority for the broker. For one receiver only. \[17\]
    Authority(Authority),
    /// Make a new secret. For one receiver only. \[18\]
    Rotate(Rotate),
}

/// An authority that the broker's certificate may come from. CBOR keys in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Its certificate (DER, ECDSA P-256). \[1\]
    pub certificate: Vec<u8, MAX_AUTHORITY>,
    /// `false`: trust it beside the newest of those before. `true`: trust no other any more; it must be trusted already, so that
    /// nothing is given up for something that never worked. \[2\], absent if not
    pub alone: bool,
}

/// The server's half of a new secret; see [`crate::rotation`]. CBOR keys in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotate {
    /// One above that of the secret which the server has. \[1\]
    pub epoch: u32,
    /// Made for this epoch of this receiver alone; the same when the order is given again. \[2\]
    pub server: PublicKey,
}

/// A broadcast to play. CBOR keys in brackets.
///
/// Packet `i` of the stream has RTP time stamp `i × packet_samples` and extended sequence number `i`. The first `pre_skip`
/// decoded samples are dropped (RFC 7845 §4.2); then sample `n` of `samples` sounds at `start + n / 48 kHz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Play {
    /// The broadcast. \[1\]
    pub broadcast: BroadcastId,
    /// The stream that carries it: with the receiver's secret it gives the SRTP key. \[2\]
    pub stream: StreamId,
    /// Synchronisation source of the stream. \[3\]
    pub ssrc: u32,
    /// Its class. \[4\]
    pub class: Class,
    /// How deep the area lies that it was addressed to. \[5\]
    pub depth: u8,
    /// When its first sample sounds. \[6\]
    pub start: UnixMicros,
    /// Samples at 48 kHz. \[7\]
    pub samples: u64,
    /// Samples in each packet: a multiple of 120, at most 5760. \[8\]
    pub packet_samples: u16,
    /// Decoded samples to drop at the beginning. \[9\]
    pub pre_skip: u16,
    /// It may sound outside allowed hours and above the daily minutes: two people said so. \[10\], absent if not
    pub overrides: bool,
}

impl Play {
    /// Its place in the order of precedence.
    #[must_use]
    pub fn rank(&self) -> Rank {
        Rank {
            class: self.class,
            depth: self.depth,
            start: self.start,
            broadcast: self.broadcast,
        }
    }

    /// When its last sample has sounded.
    #[must_use]
    pub fn end(&self) -> UnixMicros {
        UnixMicros(
            self.start
                .0
                .saturating_add(self.samples.saturating_mul(1000).div_ceil(48)),
        )
    }

    /// Packets in the stream.
    #[must_use]
    pub fn packets(&self) -> u64 {
        (self.samples + u64::from(self.pre_skip)).div_ceil(u64::from(self.packet_samples))
    }
}

/// What an area allows its receivers. CBOR keys in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Highest volume, in per cent. \[1\]
    pub volume_cap: u8,
    /// Civil time less UTC, in minutes. \[2\]
    pub utc_offset: i16,
    /// When normal and priority broadcasts may sound; none given: never. \[3\]: an array of pairs
    pub allowed: Vec<Window, MAX_WINDOWS>,
    /// Minutes of sound in a civil day, emergencies not counted; absent: any number. \[4\]
    pub daily_minutes: Option<u16>,
}

/// Hours of the civil day, in minutes since midnight; over midnight if `to` is not after `from`. An array of `from` and `to`, and
/// where they are not these, of days and volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From this minute on, 0 to 1439.
    pub from: u16,
    /// Up to and without this minute, 1 to 1440.
    pub to: u16,
    /// Days on which it begins, a bit each, the lowest one Monday; absent: all seven.
    pub days: u8,
    /// Highest volume meanwhile, in per cent; absent: 100.
    pub volume: u8,
}

/// All days of the week.
pub const EVERY_DAY: u8 = 0b111_1111;

impl Window {
    /// Every day from that minute to that, at any volume.
    #[must_use]
    pub fn daily(from: u16, to: u16) -> Self {
        Self {
            from,
            to,
            days: EVERY_DAY,
            volume: 100,
        }
    }

    /// Whether a minute of a day of the week (0: Monday) lies in it.
    fn has(&self, day: u8, minute: u16) -> bool {
        let begins_on = |day: u8| self.days & 1 << day != 0;
        match self.from < self.to {
            true => begins_on(day) && (self.from..self.to).contains(&minute),
            false => begins_on(day) && minute >= self.from || begins_on((day + 6) % 7) && minute < self.to,
        }
    }
}

impl Policy {
    /// Everything allowed, at every hour.
    #[must_use]
    pub fn unrestricted() -> Self {
        let mut allowed = Vec::new();
        let _ = allowed.push(Window::daily(0, DAY));
        Self {
            volume_cap: 100,
            utc_offset: 0,
            allowed,
            daily_minutes: None,
        }
    }

    /// Whether `at` lies within the allowed hours.
    #[must_use]
    pub fn allows(&self, at: UnixMicros) -> bool {
        self.volume(at).is_some()
    }

    /// How loud a broadcast may be at `at`, in per cent; none: it may not sound. Where two windows overlap, the louder counts.
    #[must_use]
    pub fn volume(&self, at: UnixMicros) -> Option<u8> {
        let minute = (self.civil_minutes(at).rem_euclid(i64::from(DAY))) as u16;
        // 1970 began on a Thursday.
        let day = (self.civil_day(at) + 3).rem_euclid(7) as u8;
        let windows = self.allowed.iter().filter(|it| it.has(day, minute));
        windows.map(|it| it.volume.min(self.volume_cap)).max()
    }

    /// Number of the civil day that `at` lies in, for counting its minutes.
    #[must_use]
    pub fn civil_day(&self, at: UnixMicros) -> i64 {
        self.civil_minutes(at).div_euclid(i64::from(DAY))
    }

    fn civil_minutes(&self, at: UnixMicros) -> i64 {
        (at.0 / 60_000_000) as i64 + i64::from(self.utc_offset)
    }
}

impl Command {
    /// Writes the command into `out`, signed by `key`; returns its length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`], or [`Error::OutOfRange`] for a value that no receiver would take.
    pub fn seal(&self, key: &(impl Signer<Signature> + ?Sized), out: &mut [u8]) -> Result<usize, Error> {
        check(&self.to, &self.order)?;
        let mut payload = [0; MAX_MESSAGE];
        let length = cbor::encode(&mut payload, |e| {
            e.map(5)?;
            match &self.to {
                Recipient::Receiver(id) => e.u8(1)?.bytes(&id.0)?,
                Recipient::Area(id) => e.u8(2)?.bytes(&id.0)?,
            };
            e.u8(3)?
                .u64(self.number)?
                .u8(4)?
                .u64(self.issued.0)?
                .u8(5)?
                .u64(self.expires.0)?;
            match &self.order {
                Order::Play(play) => {
                    e.u8(10)?.map(9 + u64::from(play.overrides))?;
                    e.u8(1)?
                        .bytes(&play.broadcast.0)?
                        .u8(2)?
                        .bytes(&play.stream.0)?
                        .u8(3)?
                        .u32(play.ssrc)?;
                    e.u8(4)?
                        .u8(play.class as u8)?
                        .u8(5)?
                        .u8(play.depth)?
                        .u8(6)?
                        .u64(play.start.0)?;
                    e.u8(7)?
                        .u64(play.samples)?
                        .u8(8)?
                        .u16(play.packet_samples)?
                        .u8(9)?
                        .u16(play.pre_skip)?;
                    if play.overrides {
                        e.u8(10)?.bool(true)?;
                    }
                }
                Order::Stop(id) => {
                    e.u8(11)?.bytes(&id.0)?;
                }
                Order::Volume(volume) => {
                    e.u8(12)?.u8(*volume)?;
                }
                Order::Reboot => {
                    e.u8(13)?.bool(true)?;
                }
                Order::Policy(policy) => {
                    e.u8(14)?.map(3 + u64::from(policy.daily_minutes.is_some()))?;
                    e.u8(1)?.u8(policy.volume_cap)?.u8(2)?.i16(policy.utc_offset)?;
                    e.u8(3)?.array(policy.allowed.len() as u64)?;
                    for window in &policy.allowed {
                        let parts = match (window.days, window.volume) {
                            (EVERY_DAY, 100) => 2,
                            (_, 100) => 3,
                            _ => 4,
                        };
                        e.array(parts)?.u16(window.from)?.u16(window.to)?;
                        if parts > 2 {
                            e.u8(window.days)?;
                        }
                        if parts > 3 {
                            e.u8(window.volume)?;
                        }
                    }
                    if let Some(minutes) = policy.daily_minutes {
                        e.u8(4)?.u16(minutes)?;
                    }
                }
                Order::Areas(areas) => {
                    e.u8(16)?.array(areas.len() as u64)?;
                    for area in areas {
                        e.bytes(&area.0)?;
                    }
                }
                Order::Authority(it) => {
                    e.u8(17)?.map(1 + u64::from(it.alone))?.u8(1)?.bytes(&it.certificate)?;
                    if it.alone {
                        e.u8(2)?.bool(true)?;
                    }
                }
                Order::Rotate(it) => {
                    e.u8(18)?.map(2)?.u8(1)?.u32(it.epoch)?.u8(2)?.bytes(&it.server.0)?;
                }
            }
            Ok(())
        })?;
        cose::sign1(key, CONTEXT, &payload[..length], out)
    }

    /// Opens a command that `key`'s owner signed. Whether it is addressed, new and fresh is for the caller to check.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] for another signature, otherwise what is wrong with it.
    pub fn open(key: &VerifyingKey, message: &[u8]) -> Result<Self, Error> {
        let (mut to, mut order) = (None, None);
        let (mut number, mut issued, mut expires) = (None, None, None);
        cbor::decode(cose::verify1(key, CONTEXT, message)?, |field, d| {
            match field {
                1 | 2 if to.is_some() => return Err(Error::Malformed("command: two recipients")),
                1 => to = Some(Recipient::Receiver(ReceiverId(bytes(d, "receiver")?))),
                2 => to = Some(Recipient::Area(AreaId(bytes(d, "area")?))),
                3 => number = Some(d.u64()?),
                4 => issued = Some(UnixMicros(d.u64()?)),
                5 => expires = Some(UnixMicros(d.u64()?)),
                10..=14 | 16..=18 if order.is_some() => return Err(Error::Malformed("command: two orders")),
                10 => order = Some(Order::Play(play(d)?)),
                11 => order = Some(Order::Stop(BroadcastId(bytes(d, "broadcast")?))),
                12 => order = Some(Order::Volume(percent(d.u8()?)?)),
                13 => order = Some(d.bool()?.then_some(Order::Reboot).ok_or(Error::OutOfRange("reboot"))?),
                14 => order = Some(Order::Policy(policy(d)?)),
                16 => order = Some(Order::Areas(enrolment::areas(d)?)),
                17 => order = Some(Order::Authority(authority(d)?)),
                18 => order = Some(Order::Rotate(rotate(d)?)),
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        let order = order.ok_or(Error::Missing("order"))?;
        let to = to.ok_or(Error::Missing("recipient"))?;
        check(&to, &order)?;
        Ok(Self {
            to,
            number: number.ok_or(Error::Missing("number"))?,
            issued: issued.ok_or(Error::Missing("issued"))?,
            expires: expires.ok_or(Error::Missing("expires"))?,
            order,
        })
    }
}

/// What both sides hold to.
fn check(to: &Recipient, order: &Order) -> Result<(), Error> {
    let own = matches!(to, Recipient::Receiver(_));
    match order {
        // One area's receivers are not all in one place, and each has a secret of its own.
        Order::Areas(_) | Order::Authority(_) | Order::Rotate(_) if !own => Err(Error::OutOfRange("recipient")),
        Order::Authority(it) if it.certificate.is_empty() => Err(Error::OutOfRange("certificate")),
        Order::Rotate(it) if it.epoch == 0 => Err(Error::OutOfRange("epoch")),
        Order::Areas(_) | Order::Authority(_) | Order::Rotate(_) => Ok(()),
        Order::Play(play) => {
            if play.packet_samples == 0 || play.packet_samples > 5760 || !play.packet_samples.is_multiple_of(120) {
                return Err(Error::OutOfRange("packet samples"));
            }
            // A day: longer than any programme, and far from where arithmetic ends.
            if play.samples == 0 || play.samples > 86_400 * 48_000 {
                return Err(Error::OutOfRange("samples"));
            }
            Ok(())
        }
        Order::Policy(policy) => {
            percent(policy.volume_cap)?;
            if !(-DAY.cast_signed()..=DAY.cast_signed()).contains(&policy.utc_offset) {
                return Err(Error::OutOfRange("UTC offset"));
            }
            let fits =
                |it: &Window| it.from < DAY && (1..=DAY).contains(&it.to) && it.days <= EVERY_DAY && it.volume <= 100;
            policy
                .allowed
                .iter()
                .all(fits)
                .then_some(())
                .ok_or(Error::OutOfRange("allowed hours"))
        }
        Order::Volume(volume) => percent(*volume).map(|_| ()),
        Order::Stop(_) | Order::Reboot => Ok(()),
    }
}

fn play(d: &mut Decoder<'_>) -> Result<Play, Error> {
    let (mut broadcast, mut stream, mut ssrc, mut class, mut depth) = (None, None, None, None, None);
    let (mut start, mut samples, mut packet_samples, mut pre_skip, mut overrides) = (None, None, None, None, false);
    cbor::map(d, |field, d| {
        match field {
            1 => broadcast = Some(BroadcastId(bytes(d, "broadcast")?)),
            2 => stream = Some(StreamId(bytes(d, "stream")?)),
            3 => ssrc = Some(d.u32()?),
            4 => class = Some(Class::try_from(d.u8()?)?),
            5 => depth = Some(d.u8()?),
            6 => start = Some(UnixMicros(d.u64()?)),
            7 => samples = Some(d.u64()?),
            8 => packet_samples = Some(d.u16()?),
            9 => pre_skip = Some(d.u16()?),
            10 => overrides = d.bool()?,
            _ => return Ok(Field::Unknown),
        }
        Ok(Field::Known)
    })?;
    Ok(Play {
        broadcast: broadcast.ok_or(Error::Missing("broadcast"))?,
        stream: stream.ok_or(Error::Missing("stream"))?,
        ssrc: ssrc.ok_or(Error::Missing("ssrc"))?,
        class: class.ok_or(Error::Missing("class"))?,
        depth: depth.ok_or(Error::Missing("depth"))?,
        start: start.ok_or(Error::Missing("start"))?,
        samples: samples.ok_or(Error::Missing("samples"))?,
        packet_samples: packet_samples.ok_or(Error::Missing("packet samples"))?,
        pre_skip: pre_skip.ok_or(Error::Missing("pre-skip"))?,
        overrides,
    })
}

fn policy(d: &mut Decoder<'_>) -> Result<Policy, Error> {
    let (mut volume_cap, mut utc_offset, mut allowed, mut daily_minutes) = (None, None, None, None);
    cbor::map(d, |field, d| {
        match field {
            1 => volume_cap = Some(percent(d.u8()?)?),
            2 => utc_offset = Some(d.i16()?),
            3 => allowed = Some(windows(d)?),
            4 => daily_minutes = Some(d.u16()?),
            _ => return Ok(Field::Unknown),
        }
        Ok(Field::Known)
    })?;
    Ok(Policy {
        volume_cap: volume_cap.ok_or(Error::Missing("volume cap"))?,
        utc_offset: utc_offset.ok_or(Error::Missing("UTC offset"))?,
        allowed: allowed.ok_or(Error::Missing("allowed hours"))?,
        daily_minutes,
    })
}

fn authority(d: &mut Decoder<'_>) -> Result<Authority, Error> {
    let (mut certificate, mut alone) = (None, false);
    cbor::map(d, |field, d| {
        match field {
            1 => certificate = Some(enrolment::certificate(d)?),
            2 => alone = d.bool()?,
            _ => return Ok(Field::Unknown),
        }
        Ok(Field::Known)
    })?;
    Ok(Authority {
        certificate: certificate.ok_or(Error::Missing("certificate"))?,
        alone,
    })
}

fn rotate(d: &mut Decoder<'_>) -> Result<Rotate, Error> {
    let (mut epoch, mut server) = (None, None);
    cbor::map(d, |field, d| {
        match field {
            1 => epoch = Some(d.u32()?),
            2 => server = Some(PublicKey(bytes(d, "public key")?)),
            _ => return Ok(Field::Unknown),
        }
        Ok(Field::Known)
    })?;
    Ok(Rotate {
        epoch: epoch.ok_or(Error::Missing("epoch"))?,
        server: server.ok_or(Error::Missing("public key"))?,
    })
}

fn windows(d: &mut Decoder<'_>) -> Result<Vec<Window, MAX_WINDOWS>, Error> {
    const WHAT: Error = Error::Malformed("allowed hours");
    let mut windows = Vec::new();
    for _ in 0..d.array()?.ok_or(WHAT)? {
        let parts = d.array()?.filter(|parts| *parts >= 2).ok_or(WHAT)?;
        let mut window = Window::daily(d.u16()?, d.u16()?);
        if parts > 2 {
            window.days = d.u8()?;
        }
        if parts > 3 {
            window.volume = d.u8()?;
        }
        for _ in 4..parts {
            d.skip()?;
        }
        windows.push(window).map_err(|_| Error::OutOfRange("allowed hours"))?;
    }
    Ok(windows)
}
