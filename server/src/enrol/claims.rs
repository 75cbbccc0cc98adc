//! Devices that ask to be enrolled. Here: the book of those that ask at present, bounded in number and in time; pure. Not
//! here: those that were approved (`store::claims`), how they come in (`broker`).
//!
//! Anybody on the network may ask: what they say is shown, and believed by nobody. It is the code on the device that decides,
//! which somebody read there; the book gives away too little of it to be guessed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use loa_protocol::claim::{Code, Request};
use loa_protocol::{ClaimId, UnixMicros};

/// Devices in the book: in all, and from one network.
const PAGES: usize = 256;
const PAGES_OF_A_NETWORK: usize = 32;
/// A device asks every half minute; one that was not heard for this long, in microseconds, is struck out.
const PATIENCE: u64 = 180_000_000;

/// Who may share a line: the first 24 bits of an IPv4 address, the first 48 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(it) => {
                let [a, b, c, _] = it.octets();
                IpAddr::from([a, b, c, 0])
            }
            IpAddr::V6(it) => {
                let [a, b, c, ..] = it.segments();
                IpAddr::from(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            }
        })
    }
}

/// A device that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// Names it in the book, and says nothing about its code.
    pub page: [u8; 16],
    /// What it said last.
    pub request: Request,
    /// When it was first heard.
    pub first: UnixMicros,
    /// When it was last heard.
    pub last: UnixMicros,
    /// Where it comes from, if the broker is our own.
    pub origin: Option<IpAddr>,
}

impl Asking {
    /// The first four signs of its code: enough to see that it is there.
    pub fn hint(&self) -> String {
        self.code().to_string().chars().take(4).collect()
    }

    fn code(&self) -> Code {
        self.request.device.claim().code()
    }
}

/// Those that ask at present.
#[derive(Debug, Default)]
pub struct Book {
    asking: BTreeMap<[u8; 16], Asking>,
    refused: BTreeMap<[u8; 16], UnixMicros>,
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A device that was not in the book.
    New,
    /// One that was, and has said the same before.
    Again,
    /// There is no room for it.
    Crowded,
    /// Somebody refused it a while ago.
    Refused,
}

impl Book {
    /// Takes a question. `page` is random: it names the device from now on, if it is new.
    pub fn hear(&mut self, request: Request, origin: Option<IpAddr>, page: [u8; 16], now: UnixMicros) -> Heard {
        self.strike_out(now);
        let id = request.device.claim().0;
        if self.refused.contains_key(&id) {
            return Heard::Refused;
        }
        if let Some(known) = self.asking.get_mut(&id) {
            let heard = if known.request == request {
                Heard::Again
            } else {
                Heard::New
            };
            (known.request, known.last) = (request, now);
            known.origin = origin.or(known.origin);
            return heard;
        }
        let network = origin.map(Network::of);
        let near = self.asking.values().filter(|it| it.origin.map(Network::of) == network);
        if self.asking.len() >= PAGES || network.is_some() && near.count() >= PAGES_OF_A_NETWORK {
            return Heard::Crowded;
        }
        let asking = Asking {
            page,
            request,
            first: now,
            last: now,
            origin,
        };
        self.asking.insert(id, asking);
        Heard::New
    }

    /// Strikes out who has not been heard for long; `true` if there were any.
    pub fn strike_out(&mut self, now: UnixMicros) -> bool {
        let fresh = |at: UnixMicros| now.0.saturating_sub(at.0) < PATIENCE;
        let before = self.asking.len();
        self.asking.retain(|_, it| fresh(it.last));
        // A device that was refused is heard again after a while: it may have been refused by mistake.
        self.refused.retain(|_, at| fresh(*at));
        self.asking.len() != before
    }

    /// Those that ask, the newest last.
    pub fn list(&self) -> Vec<Asking> {
        let mut list: Vec<_> = self.asking.values().cloned().collect();
        list.sort_by_key(|it| (it.first, it.page));
        list
    }

    /// The device that shows that code.
    pub fn find(&self, code: &Code) -> Option<&Asking> {
        self.asking.values().find(|it| it.code() == *code)
    }

    /// The device of that page.
    pub fn page(&self, page: [u8; 16]) -> Option<&Asking> {
        self.asking.values().find(|it| it.page == page)
    }

    /// Takes the device that shows that code out of the book: it is being approved.
    pub fn take(&mut self, code: &Code) -> Option<Asking> {
        let id = self.find(code)?.request.device.claim();
        self.asking.remove(&id.0)
    }

    /// Puts a device back that was not approved after all.
    pub fn put_back(&mut self, asking: Asking) {
        self.asking.insert(asking.request.device.claim().0, asking);
    }

    /// Strikes out a device, and does not hear it for a while.
    pub fn refuse(&mut self, id: ClaimId, now: UnixMicros) {
        if self.asking.remove(&id.0).is_some() {
            self.refused.insert(id.0, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loa_protocol::agreement::PublicKey;

    const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);

    fn request(n: u16) -> Request {
        let mut key = [7; 32];
        key[..2].copy_from_slice(&n.to_be_bytes());
        Request {
            device: PublicKey(key),
            firmware: "0.1".try_into().unwrap(),
            board: "qemu".try_into().unwrap(),
            key_number: 1,
        }
    }

    fn hear(book: &mut Book, n: u16, origin: [u8; 4], at: UnixMicros) -> Heard {
        let mut page = [0; 16];
        page[..2].copy_from_slice(&n.to_be_bytes());
        book.hear(request(n), Some(origin.into()), page, at)
    }

    #[test]
    fn a_device_is_found_by_its_whole_code_and_by_nothing_less() {
        let mut book = Book::default();
        assert_eq!(hear(&mut book, 1, [192, 0, 2, 1], NOW), Heard::New);
        assert_eq!(hear(&mut book, 1, [192, 0, 2, 1], NOW), Heard::Again);
        let code = request(1).device.claim().code();
        let listed = book.list();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].hint(), code.to_string()[..4]);
        assert_eq!(book.find(&code).unwrap().request, request(1));
        let mut other = code;
        other.0[9] ^= 1;
        assert!(book.find(&other).is_none());
        assert_eq!(book.page(listed[0].page).unwrap().request, request(1));
        assert!(book.page([9; 16]).is_none());
    }

    #[test]
    fn a_stranger_fills_neither_the_book_nor_the_room_of_others() {
        let mut book = Book::default();
        let flood: Vec<_> = (0..1000)
            .map(|n| hear(&mut book, n, [192, 0, 2, n as u8], NOW))
            .collect();
        assert_eq!(flood.iter().filter(|it| **it == Heard::New).count(), PAGES_OF_A_NETWORK);
        // From everywhere at once.
        for n in 1000..9000u16 {
            let [a, b] = n.to_be_bytes();
            hear(&mut book, n, [10, a, b, 1], NOW);
        }
        assert_eq!(book.list().len(), PAGES);
        // It passes.
        let later = NOW.offset(PATIENCE as i64);
        assert_eq!(hear(&mut book, 1, [192, 0, 2, 1], later), Heard::New);
        assert_eq!(book.list().len(), 1);
    }

    #[test]
    fn one_that_is_refused_is_not_heard_for_a_while() {
        let mut book = Book::default();
        let id = request(1).device.claim();
        // Nobody can be refused before they ask: or the list of refused ones would grow without end.
        book.refuse(id, NOW);
        assert_eq!(hear(&mut book, 1, [192, 0, 2, 1], NOW), Heard::New);
        book.refuse(id, NOW);
        assert_eq!(hear(&mut book, 1, [192, 0, 2, 1], NOW.offset(1)), Heard::Refused);
        assert!(book.list().is_empty());
        assert_eq!(
            hear(&mut book, 1, [192, 0, 2, 1], NOW.offset(PATIENCE as i64)),
            Heard::New
        );
        let taken = book.take(&id.code()).unwrap();
        assert!(book.list().is_empty() && book.take(&id.code()).is_none());
        book.put_back(taken.clone());
        assert_eq!(book.list(), [taken]);
    }

    #[test]
    fn networks_are_told_apart() {
        let network = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.200"));
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
        assert_eq!(network("2001:db8:1:2::3"), network("2001:db8:1:ffff::1"));
        assert_ne!(network("2001:db8:1::"), network("2001:db8:2::"));
    }
}
