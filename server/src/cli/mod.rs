//! The command line. Here: what can be said and what follows, in few words. The commands that change something work on
//! the database itself, also beside a running server, which notices within a second.

mod area;
mod audit;
mod backup;
mod key;
mod log;
mod mosquitto;
mod receiver;
mod simulate;
mod user;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use tokio::sync::watch;

use log::log;

use crate::config::{Config, ConfigArgs, load, unknown_variables};
use crate::data::{DataFolder, Vault};
use crate::serve;
use crate::store::{Actor, Store};

/// Hệ thống truyền thanh: lập lịch và phát bản tin tới các cụm loa.
/// An IP loudspeaker network: schedules and streams broadcasts to receivers.
#[derive(Debug, Parser)]
#[command(name = "loa", version, verbatim_doc_comment)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Chạy máy chủ.
    /// Runs the server. Every setting can stand in the file, the environment or a flag; a flag weighs most.
    #[command(verbatim_doc_comment)]
    Serve(ConfigArgs),
    /// Mô phỏng cụm thu phát thanh, cho tới khi được bảo dừng.
    /// Simulates receivers: the real receiver software over real sockets, until told to end.
    #[command(verbatim_doc_comment)]
    Simulate(Box<loa_simulator::args::Args>),
    /// Người dùng trang điều khiển.
    /// People who use the console.
    #[command(verbatim_doc_comment, subcommand)]
    User(user::Command),
    /// Địa bàn.
    /// Areas: the tree of territories.
    #[command(verbatim_doc_comment, subcommand)]
    Area(area::Command),
    /// Cụm thu phát thanh.
    /// Receivers.
    #[command(verbatim_doc_comment, subcommand)]
    Receiver(receiver::Command),
    /// Nhật ký: ai đã làm gì, khi nào, từ đâu.
    /// The record: who did what, when, from where.
    #[command(verbatim_doc_comment, subcommand)]
    Audit(audit::Command),
    /// Khóa của máy chủ.
    /// The server's own keys.
    #[command(verbatim_doc_comment, subcommand)]
    Key(key::Command),
    /// Sao lưu tất cả vào một tệp có mật khẩu, cũng khi máy chủ đang chạy; hoặc kiểm tra một tệp sao lưu.
    /// Backs up everything into a file under a passphrase, also beside a running server; or checks such a file.
    #[command(verbatim_doc_comment)]
    Backup(backup::Backup),
    /// Khôi phục từ tệp sao lưu vào một thư mục dữ liệu và cơ sở dữ liệu còn trống.
    /// Restores a backup into a data folder and a database that are empty.
    #[command(verbatim_doc_comment)]
    Restore(backup::Restore),
    /// Ghi tệp quyền và mật khẩu cho máy chủ Mosquitto bên ngoài; ghi lại sau mỗi lần ghi danh.
    /// Writes access list and passwords for an outside Mosquitto (allow_anonymous false, use_username_as_clientid true);
    /// again after each enrolment.
    #[command(verbatim_doc_comment)]
    Mosquitto(mosquitto::Mosquitto),
    /// In tài liệu OpenAPI của máy chủ này.
    /// Prints this server's OpenAPI document.
    #[command(verbatim_doc_comment)]
    Openapi,
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// When it could not be done; the text says why, for people.
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new().context("threads cannot be started")?;
        runtime.block_on(async {
            match self.command {
                Command::Serve(args) => serve(&args).await,
                Command::Simulate(args) => simulate::run(&args).await,
                Command::User(command) => command.run().await,
                Command::Area(command) => command.run().await,
                Command::Receiver(command) => command.run().await,
                Command::Audit(command) => command.run().await,
                Command::Key(command) => command.run().await,
                Command::Backup(command) => command.run().await,
                Command::Restore(command) => command.run().await,
                Command::Mosquitto(command) => command.run().await,
                Command::Openapi => Ok(say(&crate::http::document())?),
            }
        })
    }
}

async fn serve(args: &ConfigArgs) -> anyhow::Result<()> {
    log()?;
    for name in unknown_variables(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
        tracing::warn!("{name} is set, but there is no such setting");
    }
    let config = load(args, |name| std::env::var(name).ok())?;

    let (end, shutdown) = watch::channel(false);
    let mut running = serve::start(config, shutdown).await?;
    say(&format!("Trang điều khiển / Console: {}\n", running.url))?;
    if let Some(link) = &running.setup {
        say("Chưa có người dùng nào. Mở đường dẫn này một lần, trong 24 giờ, để tạo người quản trị:\n")?;
        say("There is no user yet. Open this link once, within 24 hours, to make the first administrator:\n")?;
        say(&format!("  {link}\n"))?;
    }
    let reload = running.reload.clone();
    tokio::select! {
        told = until_told_to_end() => told?,
        told = pass_on_hangups(&reload) => told?,
        _ = running.ended() => anyhow::bail!("a part of the server has failed, see the log: start it again"),
    }
    tracing::info!("ending");
    end.send_replace(true);
    running.ended().await;
    Ok(())
}

/// Waits for SIGINT or SIGTERM.
async fn until_told_to_end() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// Tells the server at each SIGHUP to look at its certificate again.
async fn pass_on_hangups(reload: &tokio::sync::Notify) -> std::io::Result<()> {
    let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
    while hangup.recv().await.is_some() {
        reload.notify_one();
    }
    Ok(())
}

/// Where the data is: the settings that commands beside a server need. All settings are taken, the usual ones are shown.
#[derive(Debug, Clone)]
struct Place(ConfigArgs);

impl Place {
    fn config(&self) -> anyhow::Result<Config> {
        Ok(load(&self.0, |name| std::env::var(name).ok())?)
    }

    /// The data folder and the database.
    async fn open(&self) -> anyhow::Result<(Config, DataFolder, Store)> {
        let config = self.config()?;
        let wrong = || format!("the data folder {}", config.data.display());
        let data = DataFolder::open(&config.data).with_context(wrong)?;
        let url = config.database_url.clone().map_or_else(|| data.database_url(), Ok)?;
        let store = Store::open(&url, &data.programmes(), Vault::open(&data)?).await?;
        Ok((config, data, store))
    }
}

impl clap::FromArgMatches for Place {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        ConfigArgs::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl Args for Place {
    fn augment_args(command: clap::Command) -> clap::Command {
        let shown = ["config", "data", "database.url"];
        let hide = |arg: clap::Arg| {
            let hidden = arg.get_help_heading().is_some() && !shown.contains(&arg.get_id().as_str());
            arg.hide(hidden)
        };
        let settings = ConfigArgs::augment_args(clap::Command::new("settings")).mut_args(hide);
        command.args(settings.get_arguments().cloned().collect::<Vec<_>>())
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// Who acts, for the record.
fn actor() -> Actor {
    let who = std::env::var("SUDO_USER")
        .or_else(|_| std::env::var("USER"))
        .unwrap_or_else(|_| "-".into());
    Actor {
        who,
        origin: "command line".into(),
    }
}

/// Prints for people and scripts alike.
fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A new file that only its owner can read; it must not be there yet.
fn private_file(path: &PathBuf) -> anyhow::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let options = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    options.with_context(|| format!("{} cannot be created", path.display()))
}
