//! Any bytes as an uploaded file; see `crate::attempts`.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::decode::Source;
use super::ingest::{Limits, sound_of};

/// Sound that is decoded of a file: what is longer is as good as refused.
const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    duration: Duration::from_secs(2),
};

thread_local! {
    static FILE: NamedTempFile = NamedTempFile::new().expect("a temporary file");
}

/// Finds out what it is, decodes, mixes and resamples it: all of the way but the encoder.
pub(crate) fn files(input: &[u8]) {
    FILE.with(|named| {
        let mut file = named.as_file();
        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(input));
        written
            .and_then(|()| file.set_len(input.len() as u64))
            .expect("a temporary file can be written");
        if let Ok(mut source) = Source::open(named.path()) {
            let mut samples = 0;
            // Any error will do.
            let _ = sound_of(&mut source, LIMITS, |mono| {
                assert!(mono.iter().all(|sample| !sample.is_infinite()), "sound without end");
                samples += mono.len();
                Ok(())
            });
            assert!(samples <= 48_000 * 2 + 48_000, "{samples} samples of two seconds");
        }
    });
}
