//! A real provider of OpenID Connect: npm's `oidc-provider`, as `tests/oidc/provider.mjs` sets it up.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::{Process, Server, Settings, repository, scratch_port};

/// What Loa shows the provider.
const SECRET: &str = "a secret of the stories";

/// Starts the provider, and a server on `folder` whose people come in by it, too.
pub fn start_single_sign_on(folder: &Path, name: &str) -> Result<(Process, Server)> {
    let listen = format!("127.0.0.1:{}", scratch_port()?);
    let mut command = Command::new("node");
    command
        .args(["provider.mjs", &format!("http://{listen}"), SECRET])
        .current_dir(repository().join("tests/oidc"));
    let mut provider = Process::start("oidc-provider", &mut command)?;
    let issuer = provider.wait_for_line(Duration::from_secs(60), |line| {
        line.strip_prefix("issuer ").map(str::to_owned)
    })?;
    std::fs::create_dir_all(folder)?;
    let secret = folder.join("client-secret");
    let mut options = std::fs::File::options();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&secret)?;
    std::io::Write::write_all(&mut file, SECRET.as_bytes())?;
    let secret = secret.display().to_string();
    let settings = Settings {
        listen,
        ..Settings::default()
    };
    let settings = settings.with(&["--oidc-issuer", &issuer, "--oidc-client-id", "loa", "--oidc-name", name]);
    let settings = settings.with(&["--oidc-client-secret-file", &secret, "--oidc-plain-loopback", "on"]);
    let (server, _) = Server::start(&folder.join("data"), settings)?;
    Ok((provider, server))
}
