//! The log. Here: where it goes, and that each event is one line, whatever others wrote that stands in it.

use std::io::{self, IsTerminal as _, Write};

use anyhow::Context as _;

use crate::store::record::steers;

/// Tells what happens on standard error, from the level in `LOA_LOG` on.
pub(super) fn log() -> anyhow::Result<()> {
    let filter = std::env::var("LOA_LOG").unwrap_or_else(|_| "info,mqtt5=error".into());
    let filter = filter
        .parse::<tracing_subscriber::EnvFilter>()
        .context("LOA_LOG must be a filter such as `info`")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(|| OneLine(io::stderr(), io::stderr().is_terminal()))
        .init();
    Ok(())
}

/// Gets an event at a time and lets out one line: what steers is written as an escape. On a terminal (`true`)
/// colours stay, and nothing else that begins as they do.
struct OneLine<W>(W, bool);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut safe = String::with_capacity(event.len());
        for (at, c) in line.char_indices() {
            match c {
                '\u{1b}' if self.1 && is_colour(&line[at + 1..]) => safe.push(c),
                c if steers(c) => safe.extend(c.escape_default()),
                c => safe.push(c),
            }
        }
        safe.push('\n');
        self.0.write_all(safe.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether this, after an escape, sets a colour (SGR, ECMA-48 §8.3.117).
fn is_colour(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix('[') else {
        return false;
    };
    rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
        .starts_with('m')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_fakes_a_line() {
        for colours in [false, true] {
            let text = logged(colours);
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(text.ends_with('\n') && text.contains("all is well"), "{text}");
            assert!(!text.contains("\u{1b}[2J"), "{text:?}");
            let steering = text.trim_end().chars().any(|c| steers(c) && c != '\u{1b}');
            assert!(!steering && text.contains('\u{1b}') == colours, "{text:?}");
        }
    }

    fn logged(colours: bool) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(colours)
            .with_writer(move || OneLine(writer.clone(), colours))
            .finish();
        let name = "x\n2026-01-01T00:00:00Z  INFO loa: all is well\u{1b}[2J\u{202e}\u{2028}\r";
        tracing::subscriber::with_default(subscriber, || tracing::info!(name = %name, "{name}"));
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }
}
