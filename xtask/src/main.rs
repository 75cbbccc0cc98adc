//! `cargo xtask`: the demo, the tests, the benchmarks, and what they need installed. `cargo xtask --help` explains.
#![forbid(unsafe_code)]

mod across;
mod bench;
mod demo;
mod firmware;
mod install;
mod supply;
mod test;
mod tidy;

use clap::{Parser, Subcommand};

/// Việc hằng ngày của dự án Loa.
///
/// The project's own commands. Each installs what it needs and says what and why.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Chạy thử toàn hệ thống: máy chủ, 20 cụm loa mô phỏng, một cụm loa chạy phần mềm thật trong QEMU.
    ///
    /// Runs the main job: server, 20 simulated receivers and the real firmware in QEMU; an announcement that starts by
    /// itself; a WAV file and a line in a table for each receiver. Goes on serving until Ctrl-C.
    Demo(demo::Arguments),
    /// Chạy mọi phép thử. Runs all tests that there are.
    Test(test::Arguments),
    /// Đo. Runs one benchmark; without a name lists them.
    Bench(bench::Arguments),
    /// Tạo phần mềm cho các mạch: ELF, UF2, kích thước. Builds both firmware images and prints their sizes.
    Firmware(firmware::Arguments),
    /// Kiểm tra quy tắc của kho mã. Checks the repository's own rules.
    Tidy,
    /// Kiểm tra các thư viện dùng đến. Checks what we depend on: deny.toml, advisories, the console's packages.
    Supply,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Firmware(arguments) => firmware::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Supply => supply::check_crates().and_then(|()| supply::check_packages()),
    }
}
