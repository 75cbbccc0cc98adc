//! A child process that does not outlive us, and where things are in the repository.

use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// The root of the repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}

/// The `loa` binary that `cargo build -p loa` makes.
pub fn loa_binary() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    target.join("debug/loa")
}

/// A TCP port of loopback that was free a moment ago: for programs that cannot take port 0.
pub fn scratch_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A running child process, its output line by line. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    /// Lines that were waited for or passed over.
    passed: Vec<String>,
}

impl Process {
    /// Starts `command` with its output (both kinds) captured.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("{name} cannot be started: {command:?}"))?;
        let (sender, lines) = mpsc::channel();
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
            child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        ];
        for output in outputs.into_iter().flatten() {
            let (sender, name) = (sender.clone(), name.to_owned());
            let show = std::env::var_os("LOA_TEST_SHOW_OUTPUT").is_some();
            // Ends with the pipe, which ends with the process.
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if show {
                        eprintln!("[{name}] {line}");
                    }
                    if sender.send(line).is_err() {
                        // Nobody listens any more; the pipe must be drained all the same.
                        continue;
                    }
                }
            });
        }
        Ok(Self {
            name: name.to_owned(),
            child,
            lines,
            passed: Vec::new(),
        })
    }

    /// The process identifier.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of output that `wanted` makes something of.
    pub fn wait_for_line<T>(&mut self, patience: Duration, mut wanted: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + patience;
        let begin = self.passed.len();
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    let found = wanted(&line);
                    self.passed.push(line);
                    if let Some(found) = found {
                        return Ok(found);
                    }
                }
                Err(why) => {
                    bail!(
                        "{} did not say what was waited for ({why}); it said:\n{}",
                        self.name,
                        self.passed[begin..].join("\n")
                    )
                }
            }
        }
    }

    /// Lines that have come in and were not waited for.
    pub fn lines(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// All that it has said until now.
    pub fn everything(&mut self) -> &[String] {
        self.passed.extend(self.lines.try_iter());
        &self.passed
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        // Its output ends when it ends.
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.passed.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(self.child.wait()?),
                Err(mpsc::RecvTimeoutError::Timeout) => bail!("{} goes on running", self.name),
            }
        }
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    pub fn terminate(&mut self, patience: Duration) -> Result<ExitStatus> {
        Command::new("kill").arg(self.id().to_string()).status()?;
        self.wait(patience)
    }

    /// Ends the process at once: SIGKILL, with no chance to tidy up.
    pub fn kill(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
