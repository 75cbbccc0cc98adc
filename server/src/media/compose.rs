//! Several programmes one after the other, as one. Here: silence of so many samples between them, how they come up and go down,
//! and the file that comes of it: decoded and encoded as it passes, so that memory does not grow with its length. Not here:
//! which programmes, and in which order (`schedule::playlist`).

use std::f32::consts::FRAC_PI_2;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::decode::Source;
use super::encode::Writer;
use super::ingest::{directory, settle};
use super::level::Leveller;
use super::{Encoding, IngestError};

/// Silence is laid in stretches of so many samples.
const STRETCH: usize = 4800;

/// A programme that is to be part of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it lies.
    pub programme: PathBuf,
    /// Samples of sound in it, at 48 kHz.
    pub samples: u64,
    /// Samples in which it comes up and goes down.
    pub fades: (u64, u64),
}

/// Why no programme was made of others. Nothing is kept then.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// It was told to stop.
    #[error("it was stopped")]
    Stopped,
    /// One of them cannot be read.
    #[error("part {} cannot be read: {error}", .index + 1)]
    Piece {
        /// Which, from 0 on.
        index: usize,
        /// Why.
        error: IngestError,
    },
    /// One of them is not as long as it should be.
    #[error("part {} has {found} samples and not {wanted}", .index + 1)]
    Length {
        /// Which, from 0 on.
        index: usize,
        /// Samples in it; one that is longer is not read to its end.
        found: u64,
        /// Samples that should be in it.
        wanted: u64,
    },
    /// It cannot be written.
    #[error(transparent)]
    Written(#[from] IngestError),
}

/// Makes the programme `destination` of `pieces` with `gap` samples of silence between them; blocking, one core for about 20 s for an
/// hour of sound. Before each stretch of a second or less `go_on` is asked whether to. `destination` exists afterwards if and only if
/// this returns `Ok`, whole and synced to the disk. Gives the samples in it: those of all pieces and gaps, exactly.
///
/// # Errors
/// [`ComposeError`] says what.
pub fn compose(
    pieces: &[Piece],
    gap: u64,
    destination: &Path,
    encoding: Encoding,
    mut go_on: impl FnMut() -> bool,
) -> Result<u64, ComposeError> {
    let mut half = NamedTempFile::new_in(directory(destination)).map_err(IngestError::from)?;
    let mut writer = Writer::new(BufWriter::new(half.as_file_mut()), encoding, false)?;
    let (mut leveller, mut held) = (Leveller::ceiling(), Vec::new());
    let open = |piece: &Piece| {
        let mut source = Source::open(&piece.programme)?;
        Ok(move |mono: &mut Vec<f32>| source.read(mono))
    };
    lay(pieces, gap, open, |mono| {
        if !go_on() {
            return Err(ComposeError::Stopped);
        }
        leveller.push(mono, &mut held);
        Ok(writer.push(&held)?)
    })?;
    leveller.finish(&mut held);
    writer.push(&held)?;
    let (mut output, written) = writer.finish()?;
    output.flush().map_err(IngestError::from)?;
    drop(output);
    settle(half, destination)?;
    Ok(written.samples)
}

/// Gives `sink` the sound of all `pieces`, as `open` reads them stretch by stretch, and the silence between them.
fn lay<R: FnMut(&mut Vec<f32>) -> Result<bool, IngestError>>(
    pieces: &[Piece],
    gap: u64,
    open: impl Fn(&Piece) -> Result<R, IngestError>,
    mut sink: impl FnMut(&[f32]) -> Result<(), ComposeError>,
) -> Result<(), ComposeError> {
    let silence = [0.0; STRETCH];
    let mut mono = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let mut left = if index > 0 { gap } else { 0 };
        while left > 0 {
            let now = left.min(STRETCH as u64);
            sink(&silence[..now as usize])?;
            left -= now;
        }
        let unread = |error| ComposeError::Piece { index, error };
        let mut read = open(piece).map_err(unread)?;
        let mut at = 0;
        while at <= piece.samples && read(&mut mono).map_err(unread)? {
            fade(&mut mono, at, piece);
            at += mono.len() as u64;
            if at <= piece.samples {
                sink(&mono)?;
            }
        }
        if at != piece.samples {
            return Err(ComposeError::Length {
                index,
                found: at,
                wanted: piece.samples,
            });
        }
    }
    Ok(())
}

/// Brings `mono` up and down as it is to be in `piece` from its sample `at` on: a quarter of a sine, so that the power rises evenly.
fn fade(mono: &mut [f32], at: u64, piece: &Piece) {
    let (up, down) = piece.fades;
    let end = at + mono.len() as u64;
    let gain = |done: u64, of: u64| (FRAC_PI_2 * (done as f32 + 0.5) / of as f32).sin();
    if at < up {
        for (place, sample) in (at..up).zip(mono.iter_mut()) {
            *sample *= gain(place, up);
        }
    }
    let falls = piece.samples.saturating_sub(down);
    if end > falls {
        let first = falls.saturating_sub(at) as usize;
        for (place, sample) in (at..piece.samples).zip(mono.iter_mut()).skip(first) {
            *sample *= gain(piece.samples - 1 - place, down);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, Programme, ingest, sound};
    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 1 << 30,
        duration: std::time::Duration::from_secs(60),
    };

    fn piece(samples: u64, fades: (u64, u64)) -> Piece {
        Piece {
            programme: PathBuf::from("/nowhere"),
            samples,
            fades,
        }
    }

    /// Reads `piece` as full scale, in stretches of 60 ms, whatever it is.
    fn loud(piece: &Piece) -> Result<impl FnMut(&mut Vec<f32>) -> Result<bool, IngestError> + use<>, IngestError> {
        let mut left = piece.samples;
        Ok(move |mono: &mut Vec<f32>| {
            let now = left.min(2880);
            left -= now;
            mono.clear();
            mono.resize(now as usize, 1.0);
            Ok(now > 0)
        })
    }

    fn laid(pieces: &[Piece], gap: u64) -> Vec<f32> {
        let mut all = Vec::new();
        lay(pieces, gap, loud, |mono| {
            all.extend_from_slice(mono);
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn gaps_are_there_to_the_sample_between_pieces_and_nowhere_else() {
        for gap in [0, 1, 4800, 4801, 48_000 * 3 + 7] {
            let all = laid(&[piece(5000, (0, 0)), piece(1, (0, 0)), piece(2881, (0, 0))], gap);
            let mut wanted = vec![1.0; 5000];
            for samples in [1, 2881] {
                wanted.resize(wanted.len() + gap as usize, 0.0);
                wanted.resize(wanted.len() + samples, 1.0);
            }
            assert!(all == wanted, "gap {gap}");
        }
    }

    #[test]
    fn a_piece_comes_up_and_goes_down_evenly_in_power_and_over_the_edges_of_stretches() {
        let (up, down) = (4000, 7000);
        let all = laid(&[piece(20_000, (up, down))], 0);
        let (up, down) = (up as usize, down as usize);
        let rise = &all[..up];
        let fall: Vec<_> = all[20_000 - down..].iter().rev().copied().collect();
        assert!(all[up..20_000 - down].iter().all(|it| *it == 1.0));
        for edge in [rise, &fall] {
            assert!(edge.windows(2).all(|pair| pair[0] <= pair[1]));
            assert!(edge[0] < 0.001 && edge[edge.len() - 1] > 0.999_999);
            // Up and down at once are one power.
            for (one, other) in edge.iter().zip(edge.iter().rev()) {
                assert!((one * one + other * other - 1.0).abs() < 1e-5);
            }
        }
        // The whole of a short piece, and none that has no length.
        let short = laid(&[piece(10, (5, 5))], 0);
        assert!((short[4] - short[5]).abs() < 1e-6 && short[0] == short[9] && short[0] > 0.0);
    }

    #[test]
    fn twelve_hours_are_twelve_hours_to_the_sample_and_never_in_memory() {
        // Parts of odd lengths, again and again: 12 hours and some.
        let odd = [97 * 48_000 + 13, 211 * 48_000 + 4799, 31 * 48_000 + 1];
        let pieces: Vec<_> = (0..382).map(|n| piece(odd[n % 3], (4800, 96_000))).collect();
        let gap = 1500 * 48;
        let (mut samples, mut most) = (0u64, 0);
        // What sounds does not matter here, and is not made anew for each of two thousand million samples.
        let any = |piece: &Piece| {
            let mut left = piece.samples;
            Ok(move |mono: &mut Vec<f32>| {
                let now = left.min(2880);
                left -= now;
                mono.resize(now as usize, 1.0);
                Ok(now > 0)
            })
        };
        lay(&pieces, gap, any, |mono| {
            samples += mono.len() as u64;
            most = most.max(mono.len());
            Ok(())
        })
        .unwrap();
        let wanted = pieces.iter().map(|it| it.samples).sum::<u64>() + 381 * gap;
        assert!(wanted > 12 * 3600 * 48_000, "{wanted}");
        assert_eq!(samples, wanted);
        assert!(most <= STRETCH, "{most} samples were held at once");
    }

    #[test]
    fn a_piece_that_is_not_what_it_should_be_is_named() {
        let short = |piece: &Piece| {
            let wrong = if piece.samples == 5000 { 4999 } else { piece.samples };
            loud(&Piece {
                samples: wrong,
                ..piece.clone()
            })
        };
        let pieces = [piece(100, (0, 0)), piece(5000, (0, 0))];
        let error = lay(&pieces, 0, short, |_| Ok(())).unwrap_err();
        assert!(
            matches!(
                error,
                ComposeError::Length {
                    index: 1,
                    found: 4999,
                    wanted: 5000
                }
            ),
            "{error}"
        );
        let folder = tempfile::tempdir().unwrap();
        let destination = folder.path().join("a.opus");
        let error = compose(&pieces, 0, &destination, Encoding::default(), || true).unwrap_err();
        assert!(matches!(error, ComposeError::Piece { index: 0, .. }), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    /// The programme of a tone, beginning and ending at full level.
    fn tone(folder: &Path, name: &str, hertz: f32, samples: u64) -> Piece {
        let upload = folder.join(format!("{name}.wav"));
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&upload, spec).unwrap();
        for place in 0..samples {
            let phase = place as f32 * hertz * std::f32::consts::TAU / 48_000.0;
            writer.write_sample((phase.sin() * 16_000.0) as i16).unwrap();
        }
        writer.finalize().unwrap();
        let programme = folder.join(format!("{name}.opus"));
        let made = ingest(&upload, &programme, Encoding::default(), LIMITS).unwrap();
        assert_eq!(made.samples, samples);
        Piece {
            programme,
            samples,
            fades: (0, 0),
        }
    }

    #[test]
    fn two_programmes_join_with_the_gap_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let pieces = [
            tone(folder.path(), "a", 600.0, 60_001),
            tone(folder.path(), "b", 900.0, 49_999),
        ];
        let gap = 24_000;
        let destination = folder.path().join("both.opus");
        let samples = compose(&pieces, gap, &destination, Encoding::default(), || true).unwrap();
        assert_eq!(samples, 60_001 + 49_999 + gap);
        assert_eq!(Programme::open(&destination).unwrap().samples(), samples);
        let mut all = Vec::new();
        sound(&destination, LIMITS, |mono| {
            all.extend_from_slice(mono);
            Ok(())
        })
        .unwrap();
        assert_eq!(all.len() as u64, samples);
        // A codec smears an edge by some milliseconds: a frame is 20.
        let loud = |sample: &f32| sample.abs() > 0.05;
        let ends = all[..72_000].iter().rposition(loud).unwrap();
        let begins = 72_000 + all[72_000..].iter().position(loud).unwrap();
        assert!((begins - ends).abs_diff(gap as usize) < 480, "{ends} to {begins}");
        assert!(
            ends.abs_diff(60_001) < 240 && begins.abs_diff(84_001) < 240,
            "{ends} to {begins}"
        );
        let most = all.iter().fold(0f32, |most, it| most.max(it.abs()));
        assert!(most < 0.9, "{most}");

        // Told to stop it stops, and leaves what was there.
        let mut asked = 0;
        let stopped = compose(&pieces, gap, &destination, Encoding::default(), || {
            asked += 1;
            asked < 10
        });
        assert!(matches!(stopped, Err(ComposeError::Stopped)));
        assert_eq!(Programme::open(&destination).unwrap().samples(), samples);
    }
}
