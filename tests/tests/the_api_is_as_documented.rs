//! The API against its own description: schemathesis makes requests from `/api/openapi.json`, right and wrong ones, and holds each answer to
//! what the description says of it: no 5xx, only statuses, content types and bodies that are written there, nothing taken that must be
//! refused, nothing told to who is not signed in. As an administrator, as an auditor, as nobody.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Api, Server, Settings, loa_binary, repository};

/// Seconds that each caller's requests may take.
const BUDGET: u32 = 20;

/// What is not asked, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("/api/v1/events", "an answer without end"),
    (
        "/api/v1/uploads",
        "it takes what it needs from headers, and a header that nobody knows is taken for a mistake that must be refused; `http::tests::resumable` tries it",
    ),
    (
        "/api/v1/uploads/{id}",
        "schemathesis can make no body of the type that tus asks for; `http::tests::resumable` tries it",
    ),
    (
        "/api/v1/session",
        "signing out ends the session that all the rest goes on with; signing in is tried in vain until it is locked",
    ),
];

/// Checks that are not made, and why.
const UNCHECKED: &[(&str, &str)] = &[
    (
        "positive_data_acceptance",
        "what is well-formed may still break a rule: names that are taken, areas that do not exist, times gone by",
    ),
    (
        "ensure_resource_availability",
        "a broadcast that was accepted is not there to be fetched by itself",
    ),
    (
        "use_after_free",
        "nothing is gone after being deleted: receivers and users keep their history",
    ),
    (
        "object_level_authorization",
        "every route and role is tried by a test of its own",
    ),
];

/// What refuses a request that is wrong: what schemathesis expects, and 412, which tus says of another version of itself.
const REFUSALS: &str = "
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 415, 422, 428, 429, '5xx']
[checks.missing_required_header]
expected-statuses = [400, 401, 403, 406, 412, 415, 422]
";

#[test]
fn every_answer_is_as_documented() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let (server, administrator) = Server::start(&data, Settings::default())?;
    let area = administrator.area("Xã Thử", "commune", None)?;
    administrator.enrol("Cụm loa", &area, "127.0.0.1")?;
    let (name, password) = ("kiem.toan", "một mật khẩu để thử");
    add_auditor(&data, name, password)?;
    let mut auditor = Api::anonymous(server.base());
    auditor.sign_in(name, password)?;
    let description = folder.path().join("openapi.json");
    administrator.download("/api/openapi.json", &description)?;
    let callers = [
        ("an administrator", &administrator),
        ("an auditor", &auditor),
        ("nobody", &Api::anonymous(server.base())),
    ];
    let mut wrong = Vec::new();
    for (who, api) in callers {
        wrong.extend(try_as(who, api, &description, folder.path()).err());
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

fn try_as(who: &str, api: &Api, description: &Path, folder: &Path) -> Result<()> {
    let (token, csrf) = api.session();
    let settings = folder.join("schemathesis.toml");
    let mut file = std::fs::File::create(&settings)?;
    if !token.is_empty() {
        writeln!(file, "[auth.openapi.session]\napi_key = \"{token}\"")?;
    }
    writeln!(file, "{REFUSALS}")?;
    let program = repository().join("target/python/bin/schemathesis");
    ensure!(
        program.exists(),
        "`cargo xtask supply` installs schemathesis; {} is not there",
        program.display()
    );
    let mut command = Command::new(program);
    command.arg("--config-file").arg(&settings).arg("run").arg(description);
    command.args([
        "--url",
        api.base(),
        "--phases",
        "coverage,fuzzing,stateful",
        "--checks",
        "all",
    ]);
    command.args([
        "--exclude-checks",
        &UNCHECKED.iter().map(|(check, _)| *check).collect::<Vec<_>>().join(","),
    ]);
    command.args(LEFT_OUT.iter().flat_map(|(path, _)| ["--exclude-path", path]));
    command.args([
        "--generation-deterministic",
        "--max-examples",
        "12",
        "--max-time",
        &BUDGET.to_string(),
    ]);
    command.args([
        "--request-timeout",
        "20",
        "--suppress-health-check",
        "all",
        "--warnings",
        "off",
    ]);
    command.args(["--continue-on-failure", "--no-color", "--no-shrink"]);
    if !csrf.is_empty() {
        command.args(["--header", &format!("X-Loa-Csrf: {csrf}")]);
    }
    command.current_dir(folder);
    let output = command.output().context("schemathesis cannot be started")?;
    let said = String::from_utf8_lossy(&output.stdout);
    println!("=== as {who}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(
        output.status.success(),
        "as {who}, answers are not as documented: see above"
    );
    ensure!(said.contains("Tested: "), "as {who}, nothing was tried");
    Ok(())
}

/// Adds somebody who may look at everything and change nothing.
fn add_auditor(data: &Path, name: &str, password: &str) -> Result<()> {
    let mut command = Command::new(loa_binary());
    command
        .args([
            "user",
            "add",
            name,
            "--name",
            "Kiểm toán",
            "--role",
            "auditor",
            "--data",
        ])
        .arg(data);
    let mut child = command.stdin(Stdio::piped()).spawn().context("loa user add")?;
    let mut input = child.stdin.take().context("a pipe")?;
    writeln!(input, "{password}")?;
    drop(input);
    ensure!(child.wait()?.success(), "loa user add failed");
    Ok(())
}
