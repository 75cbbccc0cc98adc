//! Whatever comes in from outside, as a fuzzer makes it: no panic, and what must hold holds. Here: an attempt for each decoder of the
//! server that sees bytes of strangers; the fuzz targets in `server/fuzz` call them, and the tests on the corpus that those found.
//! Not here: the words on the wire (`protocol/fuzz`), how much memory an attempt may take (`server/fuzz` bounds it).
//!
//! Built for tests, and with the feature `fuzzing`.

/// Gives an input to a decoder and panics if something does not hold.
pub type Attempt = fn(&[u8]);

/// Every attempt: a name, and what tries it.
pub const ALL: [(&str, Attempt); 5] = [
    ("datagram", crate::transmit::attempts::datagrams),
    ("mailbox", crate::fleet::attempts::messages),
    ("mqtt", crate::broker::attempts::packets),
    ("json", crate::http::attempts::bodies),
    ("media", crate::media::attempts::files),
];

#[cfg(test)]
mod tests {
    /// What fuzzing once found worth keeping, again.
    #[test]
    fn the_corpus_is_borne() {
        for (name, attempt) in super::ALL {
            let folder = format!("{}/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
            let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
            let mut tried = 0;
            for file in files {
                let file = file.unwrap().path();
                println!("{}", file.display());
                attempt(&std::fs::read(file).unwrap());
                tried += 1;
            }
            assert!(tried >= 4, "{folder} holds {tried} inputs");
        }
    }
}
