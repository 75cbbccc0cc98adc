//! `cargo xtask demo`: one broadcast, from an MP3 file to every receiver's loudspeaker, with real parts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loa_tests::{Api, Board, Enrolled, Server, Settings, Simulation, repository, speech};
use serde_json::Value;

use crate::install::{self, Need};

/// Simulated receivers in the sample commune, and its villages.
const SIMULATED: usize = 20;
const VILLAGES: usize = 4;

/// How long receivers may take to come online, and a broadcast beyond its own length.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Dừng sau buổi phát đó; báo lỗi nếu có cụm loa phát thiếu. Stop after that broadcast; fail unless every receiver played all of it.
    #[arg(long)]
    once: bool,
    /// Chỉ liệt kê những gì còn thiếu. Only list what is missing, and stop.
    #[arg(long)]
    no_install: bool,
    /// Địa chỉ của trang điều khiển. Where the console listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Thư mục chứa tệp WAV. Where the WAV files go.
    #[arg(long, default_value = "demo-output")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    install::ensure_installed(Need::Demo, arguments.no_install)?;
    install::build_console()?;
    install::build_server()?;
    crate::firmware::build(crate::firmware::IMAGES[0])?;

    let output = repository().join(&arguments.output);
    std::fs::create_dir_all(&output)?;
    let scratch = tempfile::tempdir()?;
    let sign_off = interrupted()?;

    let settings = Settings {
        listen: arguments.listen.clone(),
        ..Settings::default()
    }
    .host(Board::HOST);
    let (server, api) = Server::start(&scratch.path().join("data"), settings).context("the server did not start")?;
    let (user, password) = server.administrator();
    println!("\nTrang điều khiển / console: {}", server.base());
    println!("Đăng nhập / sign in: {user}   mật khẩu / password: {password}\n");

    let commune = Commune::enrol(&api)?;
    let events = api.events()?;
    let mut simulation = Simulation::start(&commune.simulated, &scratch.path().join("simulated"), &[])?;
    let board = Board::boot(&commune.board, &scratch.path().join("board"))?;
    events.wait_online(SIMULATED + 1, PATIENCE)?;
    println!(
        "{} cụm loa đã kết nối / receivers online, one of them the real firmware in QEMU",
        SIMULATED + 1
    );

    let mp3 = speech::announcement(scratch.path())?;
    let bulletin = api.approved(&mp3, "Thông báo tiêm chủng")?;
    let broadcast = api.broadcast(&bulletin, &[&commune.area], None)?;
    let id = broadcast["id"].as_str().context("no broadcast id")?;
    println!(
        "Buổi phát / broadcast {id}: {} → {}",
        broadcast["start"], broadcast["end"]
    );
    let done = events.wait(
        "the broadcast to end",
        PATIENCE + Duration::from_secs(60),
        |name, value| {
            if name != "broadcast" || value["id"] != id {
                return None;
            }
            let count = &value["receivers"];
            println!(
                "  {}: đang phát / playing {}, đã phát đủ / played {}, trên / of {}",
                value["state"].as_str().unwrap_or("?"),
                count["playing"],
                count["played"],
                count["targeted"]
            );
            ["done", "failed", "stopped"]
                .iter()
                .any(|state| value["state"] == *state)
                .then(|| value.clone())
        },
    )?;
    ensure!(done["state"] == "done", "the broadcast did not end well: {done}");

    if arguments.once {
        simulation.finish()?;
    }
    let whole = report(&api.receipts(id)?, &commune, &simulation, &board, &output)?;
    println!("\nTệp WAV / WAV files: {}", output.display());
    if arguments.once {
        ensure!(whole, "not every receiver played all of the broadcast");
        return Ok(());
    }
    println!(
        "\nMáy chủ vẫn chạy. Nhấn Ctrl-C để dừng. The server goes on: {} (Ctrl-C ends it)",
        server.base()
    );
    // An error would mean that nobody can interrupt any more: then it is time to go, too.
    let _ = sign_off.recv();
    Ok(())
}

/// The sample commune.
struct Commune {
    area: String,
    simulated: Vec<Enrolled>,
    board: Enrolled,
    names: std::collections::BTreeMap<String, String>,
}

impl Commune {
    fn enrol(api: &Api) -> Result<Self> {
        let area = api.area("Xã Hoà Bình (mẫu)", "commune", None)?;
        let mut villages = Vec::new();
        for number in 1..=VILLAGES {
            villages.push(api.area(&format!("Thôn {number}"), "village", Some(&area))?);
        }
        let (mut simulated, mut names) = (Vec::new(), std::collections::BTreeMap::new());
        for number in 0..SIMULATED {
            let name = format!("Cụm loa {:02} (mô phỏng)", number + 1);
            let one = api.enrol(&name, &villages[number % VILLAGES], "127.0.0.1")?;
            names.insert(one.id.clone(), name);
            simulated.push(one);
        }
        let name = "Cụm loa 21 (phần mềm thật trong QEMU)".to_owned();
        let board = api.enrol(&name, &villages[0], Board::HOST)?;
        names.insert(board.id.clone(), name);
        Ok(Self {
            area,
            simulated,
            board,
            names,
        })
    }
}

/// Prints the table and tells whether everybody played everything.
fn report(
    receipts: &[Value],
    commune: &Commune,
    simulation: &Simulation,
    board: &Board,
    output: &Path,
) -> Result<bool> {
    let mut whole = true;
    println!(
        "\n{:<40} {:>8} {:>8} {:>6} {:>9} {:>7}",
        "cụm loa / receiver", "giây / s", "of", "lost", "concealed", "LUFS"
    );
    let mut names: Vec<_> = commune.names.iter().collect();
    names.sort_by_key(|(_, name)| *name);
    for (id, name) in names {
        let recording = match *id == commune.board.id {
            true => board.recording()?,
            false => simulation.recording(id)?,
        };
        recording.write_wav(&output.join(format!("{name}.wav")))?;
        let Some(receipt) = receipts.iter().find(|receipt| receipt["receiver_id"] == **id) else {
            println!("{name:<40} — không báo về / no receipt");
            whole = false;
            continue;
        };
        let number = |key: &str| receipt[key].as_u64().unwrap_or_default();
        let all = receipt["outcome"] == "played"
            && number("played_ms") == number("planned_ms")
            && recording.0.len() as u64 * 1000 / 48_000 == number("planned_ms");
        whole &= all;
        println!(
            "{name:<40} {:>8.3} {:>8.3} {:>6} {:>9} {:>7}{}",
            recording.seconds(),
            number("planned_ms") as f64 / 1000.0,
            number("lost"),
            number("concealed"),
            recording
                .lufs()
                .map_or_else(|| "—".to_owned(), |lufs| format!("{lufs:.1}")),
            if all { "" } else { "   THIẾU / NOT ALL" }
        );
    }
    Ok(whole)
}

/// Hears of Ctrl-C, so that everything started is stopped and temporary folders go.
fn interrupted() -> Result<std::sync::mpsc::Receiver<()>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    ctrlc::set_handler(move || {
        // Nobody listens before the end: the second Ctrl-C ends us.
        if sender.send(()).is_err() {
            std::process::exit(130);
        }
    })?;
    Ok(receiver)
}
