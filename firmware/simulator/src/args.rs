//! The arguments of `loa simulate`. Here: [`Args`] and [`run`]. Not here: printing.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use loa_receiver::Micros;

use crate::fault::{Burst, Faults, Outage, Scope};
use crate::recording::Gaps;
use crate::report::Report;
use crate::simulation::{Config, Error, Simulation};
use crate::{claim, enrolments};

/// Chạy cụm thu phát thanh mô phỏng: phần mềm thật của cụm thu, mạng thật, lỗi mạng theo yêu cầu.
/// (Run simulated receivers: the real receiver software over real sockets, with faults to order.)
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Thư mục chứa tệp ghi danh, mỗi cụm một tệp (folder with enrolment files, one a receiver)
    #[arg(long, value_name = "DIR")]
    pub enrolments: PathBuf,
    /// Số cụm: lấy các tệp đầu tiên theo tên (how many receivers: the first files by name) [mặc định (default): tất cả (all)]
    #[arg(long, value_name = "N")]
    pub receivers: Option<usize>,
    /// Thêm một bản sao của cụm đầu tiên: hai thiết bị, một danh tính (add a clone of the first receiver: two devices, one identity)
    #[arg(long)]
    pub clone: bool,
    /// Ghi âm thanh từng cụm vào thư mục này: WAV và chỉ mục (keep what each sounds here: WAV and index)
    #[arg(long, value_name = "DIR")]
    pub wav: Option<PathBuf>,
    /// Điền khoảng lặng vào WAV ở chỗ bị ngắt (fill gaps within a broadcast with silence in the WAV)
    #[arg(long, requires = "wav")]
    pub wav_gaps: bool,
    /// Ghi báo cáo JSON khi kết thúc (write the report as JSON when it ends)
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Kết thúc khi mọi cụm đã phát xong N buổi (end when every receiver has done with N broadcasts)
    #[arg(long, value_name = "N")]
    pub broadcasts: Option<u64>,
    /// Tỷ lệ gói mất ngẫu nhiên, 0–1 (share of packets lost at random)
    #[arg(long, value_name = "0-1", default_value_t = 0.0)]
    pub loss: f64,
    /// Mất theo cụm: xác suất vào, xác suất ra, tỷ lệ mất (losses in bursts: chance to enter, to leave, share lost within [1])
    #[arg(long, value_name = "ENTER,LEAVE[,LOSS]")]
    pub burst: Option<Burst>,
    /// Trễ mỗi gói, mili giây (delay of every packet)
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub delay_ms: u64,
    /// Trễ thêm ngẫu nhiên, tối đa, mili giây (further delay at most, at random)
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub jitter_ms: u64,
    /// Tỷ lệ gói bị giữ lại để gói sau vượt lên, 0–1 (share of packets held back until others overtake them)
    #[arg(long, value_name = "0-1", default_value_t = 0.0)]
    pub reorder: f64,
    /// Giữ lại bao lâu, mili giây (for how long)
    #[arg(long, value_name = "MS", default_value_t = 150)]
    pub reorder_ms: u64,
    /// Tỷ lệ gói đến hai lần, 0–1 (share of packets that come twice)
    #[arg(long, value_name = "0-1", default_value_t = 0.0)]
    pub duplicate: f64,
    /// Tỷ lệ gói sai một bit, 0–1 (share of packets with one bit changed)
    #[arg(long, value_name = "0-1", default_value_t = 0.0)]
    pub bit_errors: f64,
    /// Mất mạng từ giây … đến giây …, lặp lại được (no network from … to … seconds; may be repeated)
    #[arg(long, value_name = "FROM-TO")]
    pub outage: Vec<Outage>,
    /// Mất điện rồi khởi động lại ở giây …, lặp lại được (mains fail for a moment at this second; may be repeated)
    #[arg(long, value_name = "S")]
    pub reboot_at: Vec<f64>,
    /// Đổi cổng UDP ở giây …, như NAT làm, lặp lại được (another UDP port at this second, as a NAT gives; may be repeated)
    #[arg(long, value_name = "S")]
    pub rebind_at: Vec<f64>,
    /// Chặn UDP hoàn toàn: âm thanh đi qua MQTT (no UDP passes: sound goes over MQTT)
    #[arg(long)]
    pub udp_shut: bool,
    /// Lỗi cả với gói chào và RTCP (spoil hello and RTCP too)
    #[arg(long)]
    pub spoil_everything: bool,
    /// Hạt giống ngẫu nhiên: cùng số, cùng lỗi (seed: the same number, the same faults)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Không giải mã, chỉ đếm: cho hàng nghìn cụm (do not decode, count only: for thousands of receivers)
    #[arg(long, conflicts_with = "wav")]
    pub no_decode: bool,
    /// Bật các cụm lần lượt trong chừng ấy giây (switch the receivers on one after the other, over so many seconds)
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub spread: u64,
}

impl Args {
    /// What they ask for.
    ///
    /// # Errors
    /// Enrolments that cannot be read; whether the faults can be is found out when it starts.
    pub fn config(&self) -> Result<Config, Error> {
        let milliseconds = |ms: u64| ms.saturating_mul(1000);
        Ok(Config {
            faults: Faults {
                loss: self.loss,
                burst: self.burst,
                delay: milliseconds(self.delay_ms),
                jitter: milliseconds(self.jitter_ms),
                reorder: self.reorder,
                held_back: milliseconds(self.reorder_ms),
                duplicate: self.duplicate,
                bit_error: self.bit_errors,
                outages: self.outage.clone(),
                udp_shut: self.udp_shut,
                reboots: self.reboot_at.iter().map(|at| micros(*at)).collect(),
                rebinds: self.rebind_at.iter().map(|at| micros(*at)).collect(),
                scope: if self.spoil_everything {
                    Scope::Everything
                } else {
                    Scope::Sound
                },
            },
            seed: self.seed,
            wav_folder: self.wav.clone(),
            gaps: if self.wav_gaps { Gaps::Silent } else { Gaps::LeftOut },
            decode: !self.no_decode,
            spread: Duration::from_secs(self.spread),
            ..Config::new(Vec::new())
        })
    }
}

/// Simulates until `shutdown` comes true or `--broadcasts` have ended, writes `--report`, and gives it back.
///
/// # Errors
/// What cannot be, or cannot be written.
pub async fn run(args: &Args, shutdown: impl Future<Output = ()>) -> Result<Report, Error> {
    let mut config = args.config()?;
    tokio::pin!(shutdown);
    let claimed = claim::all(enrolments::read(&args.enrolments, args.receivers)?);
    (config.files, config.enrolments) = tokio::select! {
        () = &mut shutdown => return Ok(Report { seed: args.seed, receivers: Vec::new() }),
        claimed = claimed => claimed?.into_iter().unzip(),
    };
    if args.clone {
        // Last, so that it has no file: a thief's copy.
        config.enrolments.extend(config.enrolments.first().cloned());
    }
    let simulation = Simulation::start(config)?;
    tokio::select! {
        () = &mut shutdown => {}
        () = simulation.wait_played(args.broadcasts.unwrap_or_default()), if args.broadcasts.is_some() => {}
    }
    let report = simulation.stop().await?;
    if let Some(path) = &args.report {
        report.write(path).map_err(|source| Error::Unwritable {
            path: path.clone(),
            source,
        })?;
    }
    Ok(report)
}

fn micros(seconds: f64) -> Micros {
    Micros((seconds * 1e6) as u64)
}

impl FromStr for Burst {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shares: Result<Vec<f64>, _> = text.split(',').map(|share| share.trim().parse()).collect();
        match shares.as_deref() {
            Ok([enter, leave]) => Ok(Self {
                enter: *enter,
                leave: *leave,
                loss: 1.0,
            }),
            Ok([enter, leave, loss]) => Ok(Self {
                enter: *enter,
                leave: *leave,
                loss: *loss,
            }),
            _ => Err("two or three numbers are needed, such as 0.01,0.3".into()),
        }
    }
}

impl FromStr for Outage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let second = |text: &str| text.trim().parse::<f64>().ok().filter(|second| *second >= 0.0);
        let ends = text
            .split_once('-')
            .and_then(|(from, to)| Some((second(from)?, second(to)?)));
        let (from, to) = ends.ok_or("two times in seconds are needed, such as 10-15")?;
        Ok(Self {
            from: micros(from),
            to: micros(to),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn arguments_become_faults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let line = "simulate --loss 0.05 --burst 0.01,0.25 --delay-ms 20 --outage 1.5-2 --outage 8-9 --reboot-at 30 --rebind-at 40 --seed 7 --enrolments";
        let cli = Cli::try_parse_from(line.split(' ').chain([path])).unwrap();
        let config = cli.args.config().unwrap();
        assert_eq!(config.seed, 7);
        let expected = Faults {
            loss: 0.05,
            burst: Some(Burst {
                enter: 0.01,
                leave: 0.25,
                loss: 1.0,
            }),
            delay: 20_000,
            held_back: 150_000,
            outages: [(1_500_000, 2_000_000), (8_000_000, 9_000_000)]
                .map(|(from, to)| Outage {
                    from: Micros(from),
                    to: Micros(to),
                })
                .to_vec(),
            reboots: vec![Micros(30_000_000)],
            rebinds: vec![Micros(40_000_000)],
            ..Faults::default()
        };
        assert_eq!(config.faults, expected);
        for wrong in ["--burst 1", "--outage 5", "--outage 5--6", "--loss x"] {
            let line = ["simulate", "--enrolments", path];
            assert!(
                Cli::try_parse_from(line.into_iter().chain(wrong.split(' '))).is_err(),
                "{wrong}"
            );
        }
    }
}
