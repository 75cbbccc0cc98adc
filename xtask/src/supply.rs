//! What we depend on: advisories, licences, banned and doubled crates, where crates come from; and the console's packages. Here: how the
//! checkers are called, without a network. Not here: what is allowed (`deny.toml`) and what is known to be wrong (`advisories/`).

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use loa_tests::repository;
use serde_json::Value;

use crate::install;

/// The workspaces whose lock files are checked. The other fuzz targets stand on the server's and the receiver's crates, and on what
/// `protocol/fuzz` has beside them.
pub(crate) const WORKSPACES: &[&str] = &["", "firmware/boards", "protocol/fuzz"];

/// The folder below `db-path` in which cargo-deny looks for the database of its default address.
const DATABASE: &str = "advisory-db-3157b0e258782691";

/// Holds all lock files to `deny.toml`.
pub(crate) fn check_crates() -> Result<()> {
    let deny = install::python_tool("cargo-deny")?;
    publish_advisories(&repository().join("target/advisories").join(DATABASE))?;
    for workspace in WORKSPACES {
        let manifest = repository().join(workspace).join("Cargo.toml");
        println!("{}", manifest.display());
        // What is not on this machine yet is fetched while the network is there; the check itself needs none.
        install::run(
            Command::new("cargo")
                .args(["fetch", "--locked", "--quiet", "--manifest-path"])
                .arg(&manifest),
        )?;
        // Doubled crates and exceptions that only another workspace needs are told by `cargo deny check` alone.
        let quiet = ["duplicate", "advisory-not-detected", "license-not-encountered"];
        let mut command = Command::new(&deny);
        command
            .args(["--offline", "--locked", "--manifest-path"])
            .arg(&manifest)
            .arg("--config")
            .arg(repository().join("deny.toml"))
            .args(["check", "--hide-inclusion-graph"])
            .args(quiet.iter().flat_map(|lint| ["--allow", lint]));
        install::run(command.current_dir(repository()))?;
    }
    unlooked()
}

/// Makes the git repository that cargo-deny reads of the folder `advisories`.
fn publish_advisories(database: &Path) -> Result<()> {
    if database.exists() {
        std::fs::remove_dir_all(database)?;
    }
    std::fs::create_dir_all(database)?;
    let git = |arguments: &[&str]| install::run(Command::new("git").arg("-C").arg(database).args(arguments));
    install::run(
        Command::new("cp")
            .arg("-r")
            .arg(repository().join("advisories/crates"))
            .arg(database),
    )?;
    git(&["init", "--quiet"])?;
    git(&["add", "crates"])?;
    let who = ["-c", "user.name=xtask", "-c", "user.email=xtask@localhost"];
    git(&[
        &who[..],
        &["-c", "commit.gpgsign=false", "commit", "--quiet", "-m", "advisories"],
    ]
    .concat())
}

/// Says how many of our crates nobody has looked up in the public database: to be seen, no fault.
fn unlooked() -> Result<()> {
    let looked = std::fs::read_to_string(repository().join("advisories/looked-up.txt"))?;
    let looked: Vec<&str> = looked.lines().filter(|line| !line.starts_with('#')).collect();
    let mut all = Vec::new();
    for workspace in WORKSPACES {
        let lock = std::fs::read_to_string(repository().join(workspace).join("Cargo.lock"))?;
        let names = lock
            .lines()
            .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        all.extend(
            names
                .filter(|name| !name.starts_with("loa") && *name != "xtask")
                .map(str::to_owned),
        );
    }
    all.sort();
    all.dedup();
    let missing = all.iter().filter(|name| !looked.contains(&name.as_str())).count();
    println!(
        "advisories: {missing} of {} crates have not been looked up (advisories/README.md)",
        all.len()
    );
    Ok(())
}

/// Folders with packages of npm's.
const PACKAGES: &[&str] = &["web-console", "tests/oidc"];

/// Asks npm's registry about the packages of the console, and of its tests.
pub(crate) fn check_packages() -> Result<()> {
    PACKAGES.iter().try_for_each(|folder| check_folder(folder))
}

/// A finding fails; a registry that gives no answer is told, and does not.
fn check_folder(folder: &str) -> Result<()> {
    let output = Command::new("npm")
        .args(["audit", "--json"])
        .current_dir(repository().join(folder))
        .output()
        .context("npm cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let answer: Value = serde_json::from_str(&text).with_context(|| format!("npm audit said {text:?}"))?;
    let Some(found) = answer.get("vulnerabilities").and_then(Value::as_object) else {
        let why = answer["message"].as_str().or(answer["error"]["summary"].as_str());
        println!(
            "NOT CHECKED: npm's registry answers no audit here: {}",
            why.unwrap_or("no reason given")
        );
        return Ok(());
    };
    for (name, finding) in found {
        println!("{name} {}: {}", finding["range"], finding["severity"]);
    }
    if !found.is_empty() {
        bail!(
            "npm knows of {} packages in {folder} with faults; see above",
            found.len()
        );
    }
    ensure!(output.status.success(), "npm audit failed: {text}");
    Ok(())
}
