//! The console's stories (`web-console/e2e`) in a real browser. Here: how they are begun. Not here: which, and what becomes of them.

use std::process::Command;

use crate::{Server, repository};

/// Playwright on a server's console: so many of its receivers run, and so many are enrolled and off. What else a story needs to know
/// is added to it (`web-console/e2e/env.ts`).
pub fn stories(server: &Server, running: usize, silent: usize) -> Command {
    let (user, password) = server.administrator();
    let mut command = Command::new("npx");
    command
        .args(["playwright", "test"])
        .current_dir(repository().join("web-console"))
        .env("LOA_E2E_URL", server.base())
        .env("LOA_E2E_USER", user)
        .env("LOA_E2E_PASSWORD", password)
        .env("LOA_E2E_ONLINE", running.to_string())
        .env("LOA_E2E_SILENT", silent.to_string());
    command
}
