//! A private PostgreSQL: a cluster in a temporary folder, on a socket in it and on no port, gone when dropped. Or the one
//! at `LOA_TEST_POSTGRES` (a URL without a database's name), where each run leaves databases behind.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where Debian keeps the programs.
const PROGRAMS: &str = "/usr/lib/postgresql";

pub(crate) enum Server {
    /// One that is there.
    Given { url: String, run: String },
    /// One of our own.
    Own {
        folder: tempfile::TempDir,
        programs: PathBuf,
    },
}

impl Server {
    /// The one that is given, or one of our own; `None` where PostgreSQL is not installed.
    pub(crate) fn find() -> io::Result<Option<Self>> {
        if let Ok(url) = std::env::var("LOA_TEST_POSTGRES") {
            let run = format!(
                "loa_{}",
                uuid::Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)).simple()
            );
            return Ok(Some(Self::Given {
                url: url.trim_end_matches('/').to_owned(),
                run,
            }));
        }
        let versions = std::fs::read_dir(PROGRAMS)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("bin"));
        let Some(programs) = versions.filter(|programs| programs.join("initdb").exists()).max() else {
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let path = folder.path().to_owned();
        give_away(&path)?;
        let own = Self::Own { folder, programs };
        let data = path.join("data").display().to_string();
        own.run(
            "initdb",
            &["-D", &data, "--auth=trust", "--encoding=UTF8", "--no-sync", "-U", "loa"],
        )?;
        let options = format!("-k {} -c listen_addresses= -c fsync=off", path.display());
        own.run(
            "pg_ctl",
            &["-D", &data, "-o", &options, "-l", &format!("{data}.log"), "-w", "start"],
        )?;
        Ok(Some(own))
    }

    /// The URL of a new database.
    pub(crate) fn database(&self, name: &str) -> String {
        match self {
            Self::Given { url, run } => {
                let name = format!("{run}_{name}");
                let maintenance = format!("{url}/postgres");
                let sql = format!("CREATE DATABASE {name}");
                checked(Command::new("psql").args([&maintenance, "-qc", &sql]), "psql").unwrap();
                format!("{url}/{name}")
            }
            Self::Own { folder, .. } => {
                let socket = folder.path().display().to_string();
                self.run("createdb", &["-h", &socket, "-U", "loa", name]).unwrap();
                format!("postgres://loa@localhost/{name}?host={}", socket.replace('/', "%2F"))
            }
        }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<Output> {
        let Self::Own { programs, .. } = self else {
            unreachable!("only our own is run")
        };
        let path = programs.join(program);
        // It refuses to run as root.
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        // Where everybody may be: the account may have no right to this folder.
        checked(command.args(arguments).current_dir("/"), program)
    }
}

/// Makes `folder` the account's that the server runs under.
fn give_away(folder: &Path) -> io::Result<()> {
    if is_root() {
        checked(Command::new("chown").arg("postgres").arg(folder), "chown")?;
    }
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Own { folder, .. } = self {
            let data = folder.path().join("data").display().to_string();
            if let Err(error) = self.run("pg_ctl", &["-D", &data, "-m", "immediate", "-w", "stop"]) {
                eprintln!("{error}");
            }
        }
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

fn checked(command: &mut Command, name: &str) -> io::Result<Output> {
    // Its output must not be waited for: a server that it starts keeps the pipe.
    let log = tempfile::tempfile()?;
    let output = command
        .stdin(std::process::Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .output()?;
    if output.status.success() {
        return Ok(output);
    }
    use std::io::{Read as _, Seek as _};
    let (mut log, mut text) = (log, String::new());
    log.rewind()?;
    log.read_to_string(&mut text)?;
    Err(io::Error::other(format!("{name}: {}: {text}", output.status)))
}
