//! Where receivers were, across a restart. Here: a small file beside the database, one line a receiver, so that a
//! server that was killed sends to the same addresses again at once instead of waiting for hellos. Not here: trust; a
//! hello is checked as ever, and what is read back is forgotten after a minute without one.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::{Path as FilePath, PathBuf};

use loa_protocol::{ReceiverId, UnixMicros};

use super::peer::{Path, Peers};

/// A receiver's last hello: where from, and when by its own clock.
pub(super) type Binding = (Path, UnixMicros);

/// The file that bindings are kept in.
#[derive(Debug)]
pub(super) struct Bindings {
    file: PathBuf,
    written: u64,
    written_at: UnixMicros,
}

/// The file is written at most this often, in microseconds.
const REST: u64 = 500_000;

impl Bindings {
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            file,
            written: 0,
            written_at: UnixMicros(0),
        }
    }

    /// What the last server knew; lines that cannot be read are left out, as is all if there is no file.
    pub(super) fn read(&self) -> HashMap<ReceiverId, Binding> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        text.lines().filter_map(parse).collect()
    }

    /// Writes all bindings if any has changed, but not too often.
    pub(super) fn keep(&mut self, peers: &Peers, now: UnixMicros) {
        let changes = peers.changes();
        if changes == self.written || now.0.saturating_sub(self.written_at.0) < REST {
            return;
        }
        (self.written, self.written_at) = (changes, now);
        if let Err(error) = self.write(peers, now) {
            tracing::warn!(%error, file = %self.file.display(), "where receivers are could not be kept");
        }
    }

    fn write(&self, peers: &Peers, now: UnixMicros) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(FilePath::new("."));
        let mut half = tempfile::NamedTempFile::new_in(folder)?;
        let mut out = io::BufWriter::new(half.as_file_mut());
        for (id, (path, t1)) in peers.bindings(now) {
            match path {
                Path::Udp(address) => writeln!(out, "{id} {} {address}", t1.0)?,
                Path::Mqtt => writeln!(out, "{id} {} mqtt", t1.0)?,
            }
        }
        out.flush()?;
        drop(out);
        // Not synced: after a power cut hellos tell it again.
        half.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }
}

fn parse(line: &str) -> Option<(ReceiverId, Binding)> {
    let mut words = line.split(' ');
    let id = ReceiverId::parse(words.next()?)?;
    let t1 = UnixMicros(words.next()?.parse().ok()?);
    let path = match words.next()? {
        "mqtt" => Path::Mqtt,
        address => Path::Udp(address.parse().ok()?),
    };
    Some((id, (path, t1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use loa_protocol::key::Secret;

    #[test]
    fn a_restarted_server_knows_where_receivers_were() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bindings");
        let ids: Vec<_> = (1..=3).map(|n| ReceiverId([n; 16])).collect();
        let secrets = || ids.iter().map(|id| (*id, Secret([id.0[0]; 32])));
        let now = UnixMicros(1_800_000_000_000_000);
        let home = Path::Udp("[2001:db8::7]:40000".parse().unwrap());
        {
            let peers = Peers::default();
            peers.replace(secrets());
            assert!(
                peers
                    .bind(&peers.get(ids[0]).unwrap(), UnixMicros(7), home, now)
                    .is_some()
            );
            assert!(
                peers
                    .bind(&peers.get(ids[1]).unwrap(), UnixMicros(8), Path::Mqtt, now)
                    .is_some()
            );
            Bindings::new(file.clone()).keep(&peers, now);
        }
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "not a line\n").unwrap();
        let peers = Peers::default();
        peers.restore(Bindings::new(file).read(), now);
        peers.replace(secrets());
        let path = |n: usize, at| peers.get(ids[n]).unwrap().path(at);
        assert_eq!(
            (path(0, now), path(1, now), path(2, now)),
            (Some(home), Some(Path::Mqtt), None)
        );
        assert_eq!(path(0, now.offset(60_000_000)), None);
        // What was seen before the restart is a replay after it.
        assert!(
            peers
                .bind(&peers.get(ids[0]).unwrap(), UnixMicros(7), Path::Mqtt, now)
                .is_none()
        );
    }
}
