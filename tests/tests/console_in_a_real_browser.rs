//! The console in a real Chromium against a real server and receivers that play: `web-console/e2e`, one file for each story.

use anyhow::{Result, ensure};
use loa_tests::{Plan, Server, Settings, Village, speech, start_single_sign_on, stories};

const RUNNING: usize = 3;
const SILENT: usize = 1;
/// What the console calls the provider of sign-in.
const PROVIDER: &str = "Cổng tỉnh Bắc Ninh";

#[test]
fn the_stories_of_the_console() -> Result<()> {
    let village = Village::start(Plan {
        simulated: RUNNING,
        // A story relays a station of its own.
        settings: Settings::default().with(&["--relay-allow", "127.0.0.1"]),
        ..Plan::default()
    })?;
    for number in 0..SILENT {
        village
            .api
            .enrol(&format!("Cụm loa chưa bật {number}"), &village.area, "127.0.0.1")?;
    }
    let (wav, mp3) = (village.folder().join("long.wav"), village.folder().join("long.mp3"));
    speech::speak(&[speech::ANNOUNCEMENT; 3].join(" "), &wav)?;
    speech::to_mp3(&wav, &mp3)?;
    // Another one that nobody has set up yet.
    let (_fresh, setup) = Server::fresh(&village.folder().join("fresh"), &Settings::default())?;
    // And one for the stories about people, which change who may do what there.
    let (office, _) = Server::start(
        &village.folder().join("office"),
        Settings::default().with(&["--public-host", "127.0.0.1"]),
    )?;
    // And one whose people come in by a provider of sign-in.
    let (_provider, sso) = start_single_sign_on(&village.folder().join("sso"), PROVIDER)?;
    let (office_user, office_password) = office.administrator();
    let (sso_user, sso_password) = sso.administrator();
    let status = stories(&village.server, RUNNING, SILENT)
        .env("LOA_E2E_MP3", &mp3)
        .env("LOA_E2E_OFFICE_URL", office.base())
        .env("LOA_E2E_OFFICE_USER", office_user)
        .env("LOA_E2E_OFFICE_PASSWORD", office_password)
        .env("LOA_E2E_SSO_URL", sso.base())
        .env("LOA_E2E_SSO_USER", sso_user)
        .env("LOA_E2E_SSO_PASSWORD", sso_password)
        .env("LOA_E2E_SSO_NAME", PROVIDER)
        .env("LOA_E2E_SETUP", setup)
        .status()?;
    ensure!(status.success(), "npx playwright test: {status}");
    Ok(())
}
