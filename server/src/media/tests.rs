//! Ingest against files that other programs made, and what it writes against other programs' readers. The files are
//! made here and now, by ffmpeg and sox from a sweep with a click at a known place: nothing third-party is in the tree.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::*;

const LIMITS: Limits = Limits {
    bytes: 100 << 20,
    duration: Duration::from_secs(7200),
};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A WAV of `seconds` seconds at `rate` Hz: a swept tone at speech level.
    fn wav(&self, name: &str, rate: u32, channels: u32, seconds: f64) -> PathBuf {
        let path = self.path(name);
        let sweep = format!("aevalsrc=0.4*sin(2*PI*(200+150*t)*t):s={rate}:d={seconds}");
        let channels = channels.to_string();
        run(
            "ffmpeg",
            &["-f", "lavfi", "-i", &sweep, "-ac", &channels, "-c:a", "pcm_s16le"],
            &path,
        );
        path
    }

    fn convert(&self, from: &Path, name: &str, options: &[&str]) -> PathBuf {
        let path = self.path(name);
        let from = from.to_str().expect("a path in UTF-8");
        run("ffmpeg", &[&["-i", from], options].concat(), &path);
        path
    }

    /// Sound written by ffmpeg's `expression` of `t`, 48 kHz, mono.
    fn signal(&self, name: &str, seconds: f64, expression: &str) -> PathBuf {
        let path = self.path(name);
        let source = format!("aevalsrc={expression}:s=48000:d={seconds}");
        run("ffmpeg", &["-f", "lavfi", "-i", &source, "-c:a", "pcm_f32le"], &path);
        path
    }

    fn ingest(&self, file: &Path) -> Result<Ingested, IngestError> {
        ingest(file, &self.path("out.opus"), Encoding::default(), LIMITS)
    }

    /// Our programme, decoded by ffmpeg's libopus (floating point).
    fn decode_by_ffmpeg(&self) -> Vec<f32> {
        let raw = self.path("out.f32");
        let from = self.path("out.opus");
        run(
            "ffmpeg",
            &[
                "-c:a",
                "libopus",
                "-i",
                from.to_str().expect("UTF-8"),
                "-f",
                "f32le",
                "-ac",
                "1",
            ],
            &raw,
        );
        floats(&raw)
    }

    /// The same by our own fixed-point libopus, by way of [`Programme`].
    fn decode_by_programme(&self) -> Vec<f32> {
        let programme = Programme::open(&self.path("out.opus")).expect("a programme");
        let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).expect("a decoder");
        let mut pcm = Vec::new();
        let mut block = [0i16; 5760];
        for index in 0..programme.packets() {
            let packet = programme.packet(index).expect("an index in range");
            let samples = decoder.decode(packet, &mut block, false).expect("a good packet");
            assert_eq!(samples as u32, programme.packet_samples());
            pcm.extend(block[..samples].iter().map(|sample| f32::from(*sample) / 32_768.0));
        }
        assert!(programme.packet(programme.packets()).is_none());
        pcm.drain(..usize::from(programme.pre_skip()));
        pcm.truncate(programme.samples() as usize);
        pcm
    }
}

fn run(program: &str, arguments: &[&str], output: &Path) {
    let mut command = Command::new(program);
    if program == "ffmpeg" {
        command.args(["-nostdin", "-y", "-loglevel", "error"]);
    }
    let status = command
        .args(arguments)
        .arg(output)
        .status()
        .expect("the program is installed");
    assert!(status.success(), "{program} {arguments:?}");
}

/// Loudness (LUFS) and true peak (dBTP) of a file as ffmpeg's own meter has them.
fn measured_by_ffmpeg(file: &Path) -> (f64, f64) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-c:a", "libopus", "-i"])
        .arg(file)
        .args(["-af", "ebur128=peak=true", "-f", "null", "-"])
        .output()
        .expect("ffmpeg is installed");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = text.rsplit("Summary:").next().expect("a last part");
    let value = |key: &str| -> f64 {
        let line = summary.lines().find_map(|line| line.trim().strip_prefix(key));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        number
            .and_then(|it| it.parse().ok())
            .unwrap_or_else(|| panic!("{text}"))
    };
    (value("I:"), value("Peak:"))
}

fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("the file just written");
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

/// Signal to noise in decibels of `got` against `want`.
fn snr(got: &[f32], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len());
    let signal: f64 = want.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let noise: f64 = got
        .iter()
        .zip(want)
        .map(|(got, want)| f64::from(got - want).powi(2))
        .sum();
    10.0 * (signal / noise.max(1e-20)).log10()
}

/// How many samples `got` lags behind `want`, by the highest correlation within ±200.
fn lag(got: &[f32], want: &[f32]) -> i64 {
    let middle = want.len() / 4..want.len() / 4 + 24_000.min(want.len() / 2);
    let score = |lag: i64| -> f64 {
        middle
            .clone()
            .map(|i| f64::from(want[i]) * f64::from(got[(i as i64 + lag) as usize]))
            .sum()
    };
    (-200..=200)
        .max_by(|a, b| score(*a).total_cmp(&score(*b)))
        .expect("401 candidates")
}

fn expected(frames: u64, rate: u32) -> u64 {
    (frames as f64 * 48_000.0 / f64::from(rate)).round() as u64
}

#[test]
fn lossless_formats_keep_every_sample_at_every_rate() {
    let bench = Bench::new();
    for rate in [
        8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000,
    ] {
        for channels in [1, 2] {
            let wav = bench.wav("in.wav", rate, channels, 2.345);
            let bytes = std::fs::read(&wav).expect("just made");
            let data = bytes.windows(4).position(|word| word == b"data").expect("a data chunk") + 8;
            let frames = (bytes.len() - data) as u64 / u64::from(2 * channels);
            let flac = bench.convert(&wav, "in.flac", &[]);
            for file in [wav, flac] {
                let made = bench.ingest(&file).expect("a good file");
                assert_eq!(made.samples, expected(frames, rate), "{file:?} {rate} {channels}");
                assert_eq!(made.source_rate, rate);
                assert_eq!(made.source_channels, channels as usize);
            }
        }
    }
}

#[test]
fn lossy_formats_are_trimmed_to_what_was_encoded() {
    let bench = Bench::new();
    for rate in [22_050, 44_100, 48_000] {
        let wav = bench.wav("in.wav", rate, 2, 3.21);
        let frames = (3.21 * f64::from(rate)).round() as u64;
        for (name, options, format) in [
            ("in.mp3", &["-c:a", "libmp3lame", "-b:a", "128k"][..], Format::Mp3),
            ("vbr.mp3", &["-c:a", "libmp3lame", "-q:a", "4"], Format::Mp3),
            ("in.m4a", &["-c:a", "aac", "-b:a", "128k"], Format::Aac),
            (
                "fast.m4a",
                &["-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart"],
                Format::Aac,
            ),
            ("in.ogg", &["-c:a", "libvorbis", "-q:a", "4"], Format::Vorbis),
            ("in.opus", &["-c:a", "libopus", "-b:a", "64k"], Format::Opus),
        ] {
            if name == "in.opus" && rate != 48_000 {
                continue;
            }
            let file = bench.convert(&wav, name, options);
            let made = bench.ingest(&file).expect(name);
            assert_eq!(made.format, format, "{name}");
            let want = expected(frames, rate);
            assert!(
                made.samples.abs_diff(want) <= 1,
                "{name} at {rate}: {} for {want}",
                made.samples
            );
            let raw = bench.path("ref.f32");
            run(
                "ffmpeg",
                &[
                    "-i",
                    file.to_str().expect("UTF-8"),
                    "-af",
                    "pan=mono|c0=0.5*c0+0.5*c1",
                    "-f",
                    "f32le",
                    "-ar",
                    "48000",
                ],
                &raw,
            );
            let reference = floats(&raw);
            let mut pcm = Vec::new();
            let mut source = decode::Source::open(&file).expect(name);
            let keep = |mono: &[f32]| {
                pcm.extend_from_slice(mono);
                Ok(())
            };
            ingest::sound_of(&mut source, LIMITS, keep).expect(name);
            // Another decoder, and a resampler with another filter: equal where both had time to settle.
            let whole = 2000..pcm.len().min(reference.len()) - 2000;
            let snr = snr(&pcm[whole.clone()], &reference[whole]);
            // (Opus decodes differently by nature: its fixed-point decoder against a floating-point one.)
            let least = if format == Format::Opus { 60.0 } else { 90.0 };
            assert!(snr > least, "{name} at {rate}: {snr:.1} dB");
            let played = bench.decode_by_programme();
            let lag = lag(&played, &pcm);
            assert!(
                lag.abs() <= 5,
                "{name} at {rate} lags by {lag}: libopus' own filters lead by a few samples"
            );
        }
    }
}

#[test]
fn tags_pictures_and_surround_are_taken() {
    let bench = Bench::new();
    let wav = bench.wav("in.wav", 44_100, 2, 2.0);
    let picture = bench.path("cover.png");
    run(
        "ffmpeg",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=1200x1200:duration=1:rate=1",
            "-frames:v",
            "1",
        ],
        &picture,
    );
    let tagged = bench.convert(
        &wav,
        "tagged.mp3",
        &[
            "-i",
            picture.to_str().expect("UTF-8"),
            "-map",
            "0:a",
            "-map",
            "1:v",
            "-c:a",
            "libmp3lame",
            "-c:v",
            "copy",
            "-id3v2_version",
            "3",
            "-metadata",
            "title=Thông báo",
            "-metadata",
            "artist=Đài truyền thanh",
            "-write_id3v1",
            "1",
        ],
    );
    assert_eq!(bench.ingest(&tagged).expect("a tagged file").samples, 96_000);
    for name in ["six.wav", "six.flac", "six.ogg", "six.opus"] {
        let file = bench.convert(&wav, name, &["-ac", "6", "-ar", "48000"]);
        let made = bench.ingest(&file).expect(name);
        assert_eq!((made.source_channels, made.samples), (6, 96_000), "{name}");
    }
    // Symphonia decodes no surround AAC: said, not garbled.
    let file = bench.convert(&wav, "six.m4a", &["-ac", "6"]);
    assert!(matches!(bench.ingest(&file), Err(IngestError::Unsupported(_))));
}

#[test]
fn the_programme_is_what_other_players_hear() {
    let bench = Bench::new();
    let spoken = bench.path("spoken.wav");
    let text = "Xin chào bà con. Đây là bản tin thử của đài truyền thanh xã, phát lúc năm giờ ba mươi sáng.";
    run("espeak-ng", &["-v", "vi", text, "-w"], &spoken);
    let spoken = bench.convert(&spoken, "spoken.mp3", &["-c:a", "libmp3lame"]);
    let made = bench.ingest(&spoken).expect("speech");
    let (ours, theirs) = (bench.decode_by_programme(), bench.decode_by_ffmpeg());
    assert_eq!(ours.len() as u64, made.samples);
    assert_eq!(theirs.len() as u64, made.samples);
    let snr = snr(&ours, &theirs);
    assert!(snr >= 60.0, "fixed against floating point: {snr:.1} dB");

    let report = Command::new("opusinfo")
        .arg(bench.path("out.opus"))
        .output()
        .expect("opusinfo is installed");
    let report = String::from_utf8_lossy(&report.stdout).into_owned() + &String::from_utf8_lossy(&report.stderr);
    assert!(
        !report.to_lowercase().contains("warning") && !report.contains("ERROR"),
        "{report}"
    );
    assert!(
        report.contains("Pre-skip") && report.contains("Logical stream 1 ended"),
        "{report}"
    );
}

#[test]
fn every_packet_duration_is_written_and_read() {
    let bench = Bench::new();
    let wav = bench.wav("in.wav", 48_000, 1, 1.0);
    for packet_ms in [20, 40, 60, 120] {
        let encoding = Encoding {
            packet_ms,
            ..Encoding::default()
        };
        let made = ingest(&wav, &bench.path("out.opus"), encoding, LIMITS).expect("a good file");
        assert_eq!((made.samples, made.packet_samples), (48_000, 48 * packet_ms));
        assert_eq!(bench.decode_by_programme().len(), 48_000);
        assert_eq!(bench.decode_by_ffmpeg().len(), 48_000);
    }
}

#[test]
fn what_is_not_sound_is_refused_and_leaves_nothing() {
    let bench = Bench::new();
    let file = |name: &str, bytes: &[u8]| {
        let path = bench.path(name);
        std::fs::write(&path, bytes).expect("a writable folder");
        path
    };
    let text = "Đây không phải là nhạc.\n".repeat(9000);
    assert!(matches!(bench.ingest(&file("empty.mp3", b"")), Err(IngestError::Empty)));
    assert!(matches!(
        bench.ingest(&file("text.mp3", text.as_bytes())),
        Err(IngestError::NotAudio)
    ));
    assert!(matches!(
        bench.ingest(&file("short.mp3", b"x")),
        Err(IngestError::NotAudio)
    ));
    let noise: Vec<u8> = (0u32..300_000)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    assert!(matches!(
        bench.ingest(&file("noise.mp3", &noise)),
        Err(IngestError::NotAudio | IngestError::Damaged(_))
    ));
    let picture = bench.path("film.mp4");
    run("ffmpeg", &["-f", "lavfi", "-i", "testsrc=duration=1"], &picture);
    let film = bench.ingest(&picture);
    assert!(
        matches!(
            film,
            Err(IngestError::NoAudioTrack | IngestError::NotAudio | IngestError::Unsupported(_))
        ),
        "{film:?}"
    );
    assert!(!bench.path("out.opus").exists());
    let left: Vec<_> = std::fs::read_dir(bench.folder.path())
        .expect("the folder")
        .flatten()
        .collect();
    assert_eq!(left.len(), 5, "nothing half-made is left: {left:?}");
}

#[test]
fn a_file_cut_short_says_how_much_is_missing() {
    let bench = Bench::new();
    let wav = bench.wav("in.wav", 44_100, 2, 10.0);
    for (name, options) in [
        ("cut.mp3", &["-c:a", "libmp3lame"][..]),
        ("cut.flac", &[]),
        ("cut.wav", &[]),
        ("cut.m4a", &["-movflags", "+faststart"]),
    ] {
        let file = bench.convert(&wav, name, options);
        let whole = std::fs::read(&file).expect("just made");
        std::fs::write(&file, &whole[..whole.len() * 6 / 10]).expect("a writable folder");
        match bench.ingest(&file) {
            Err(IngestError::Truncated { found, promised }) => {
                assert!((promised.as_secs_f64() - 10.0).abs() < 0.1, "{name}: {promised:?}");
                assert!((4.0..8.0).contains(&found.as_secs_f64()), "{name}: {found:?}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    // Without a Xing header nothing is promised: what is there is taken.
    let bare = bench.convert(
        &wav,
        "bare.mp3",
        &["-c:a", "libmp3lame", "-b:a", "128k", "-write_xing", "0"],
    );
    let whole = std::fs::read(&bare).expect("just made");
    std::fs::write(&bare, &whole[..whole.len() / 2]).expect("a writable folder");
    let made = bench.ingest(&bare).expect("half an MP3 without a promise");
    assert!(
        (made.duration().as_secs_f64() - 5.0).abs() < 0.1,
        "{:?}",
        made.duration()
    );
}

#[test]
fn limits_hold_for_bytes_and_for_playing_time() {
    let bench = Bench::new();
    let wav = bench.wav("in.wav", 8_000, 1, 3.0);
    let limits = Limits { bytes: 1000, ..LIMITS };
    let refused = ingest(&wav, &bench.path("out.opus"), Encoding::default(), limits);
    assert!(matches!(refused, Err(IngestError::TooLarge { limit: 1000 })));

    // An hour of silence weighs kilobytes: taken where the limit allows it, refused in passing where not.
    let hour = bench.path("hour.flac");
    run(
        "ffmpeg",
        &["-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "3600"],
        &hour,
    );
    assert!(std::fs::metadata(&hour).expect("just made").len() < 1_000_000);
    assert_eq!(bench.ingest(&hour).expect("a silent hour").samples, 3600 * 48_000);
    std::fs::remove_file(bench.path("out.opus")).expect("just made");
    let limits = Limits {
        duration: Duration::from_secs(600),
        ..LIMITS
    };
    let refused = ingest(&hour, &bench.path("out.opus"), Encoding::default(), limits);
    assert!(matches!(refused, Err(IngestError::TooLong { .. })));
    assert!(!bench.path("out.opus").exists());
}

/// Signals after EBU Tech 3341 (cases 1 to 5 of loudness, 15 to 19 of true peak, in one channel), and what stations get: all
/// become equally loud, none with a true peak over -1 dBTP. Another meter says so, of what another decoder makes of it.
#[test]
fn all_programmes_are_equally_loud_and_none_overshoots() {
    let bench = Bench::new();
    let tone = |level: f64| format!("{}*sin(2*PI*1000*t)", 10f64.powf(level / 20.0));
    // A tone whose level changes: (until when, dBFS).
    let steps = |steps: &[(u32, f64)]| {
        let gain = steps.iter().rev().fold("0".to_owned(), |rest, (until, level)| {
            format!("if(lt(t\\,{until})\\,{}\\,{rest})", 10f64.powf(level / 20.0))
        });
        format!("({gain})*sin(2*PI*1000*t)")
    };
    // A sine at a fraction of the sample rate, with its peaks between the samples.
    let between = |part: u32, degrees: u32| format!("0.5*sin(2*PI*(48000/{part})*t+{degrees}*PI/180)");
    let mut files = vec![
        bench.signal("3341-1.wav", 20.0, &tone(-20.0)),
        bench.signal("3341-2.wav", 20.0, &tone(-30.0)),
        bench.signal("3341-3.wav", 80.0, &steps(&[(10, -33.0), (70, -20.0), (80, -33.0)])),
        bench.signal(
            "3341-4.wav",
            100.0,
            &steps(&[(10, -69.0), (20, -33.0), (80, -20.0), (90, -33.0), (100, -69.0)]),
        ),
        bench.signal("3341-5.wav", 60.1, &steps(&[(20, -23.0), (40, -17.0), (61, -23.0)])),
        bench.signal("3341-15.wav", 5.0, &between(4, 0)),
        bench.signal("3341-16.wav", 5.0, &between(4, 45)),
        bench.signal("3341-17.wav", 5.0, &between(6, 60)),
        bench.signal("3341-18.wav", 5.0, &between(8, 67)),
        bench.signal("3341-19.wav", 5.0, &format!("2.8*{}", between(4, 45))),
    ];
    let spoken = bench.path("spoken.wav");
    let text = "Xin chào bà con. Đây là bản tin thử của đài truyền thanh xã, phát lúc năm giờ ba mươi sáng. \
                Đề nghị các gia đình chằng chống nhà cửa trước khi bão số ba đổ bộ.";
    run("espeak-ng", &["-v", "vi", text, "-w"], &spoken);
    for (name, filter) in [
        ("speech.mp3", "anull"),
        ("faint.mp3", "volume=-22dB"),
        // A microphone that is handled: clicks at full scale over faint speech.
        ("clicks.wav", "volume=-12dB,aeval=val(0)+0.9*gt(0.00005\\,mod(t\\,2))"),
        // Louder than it should be, flat at full scale.
        ("crushed.wav", "volume=20dB,alimiter=limit=1:level=false"),
    ] {
        files.push(bench.convert(&spoken, name, &["-af", filter]));
    }
    for file in files {
        let made = bench.ingest(&file).expect("a good file");
        let (loudness, true_peak) = measured_by_ffmpeg(&bench.path("out.opus"));
        println!(
            "{file:?}: {:?} LUFS became {loudness}, {true_peak} dBTP",
            made.source_loudness
        );
        // Sines of 6 kHz and more are there for their peaks: at 32 kbit/s the codec keeps little of them.
        let peaky = ["3341-15", "3341-16", "3341-17", "3341-18", "3341-19"];
        let peaky = peaky.iter().any(|name| file.to_string_lossy().contains(name));
        assert!(peaky || (loudness - -16.0).abs() <= 0.5, "{file:?}: {loudness} LUFS");
        assert!(true_peak <= -1.0, "{file:?}: {true_peak} dBTP");
        let told = made.loudness.expect("it is measured");
        assert!((told - loudness).abs() < 0.2, "{file:?}: {told} for {loudness}");
    }
}

#[test]
fn what_cannot_be_as_loud_stays_quieter_and_what_is_silent_silent() {
    let bench = Bench::new();
    // One click a second and nothing else: no gain makes that loud without crushing it.
    let clicks = bench.signal("clicks.wav", 5.0, "gt(0.0001\\,mod(t\\,1))");
    bench.ingest(&clicks).expect("clicks");
    let (loudness, true_peak) = measured_by_ffmpeg(&bench.path("out.opus"));
    assert!(
        loudness < -18.0 && true_peak <= -1.0,
        "{loudness} LUFS, {true_peak} dBTP"
    );
    let silence = bench.signal("silence.wav", 3.0, "0");
    let made = bench.ingest(&silence).expect("silence");
    assert_eq!((made.source_loudness, made.samples), (None, 144_000));
    assert!(bench.decode_by_programme().iter().all(|sample| sample.abs() < 0.001));
    // A chime of a fifth of a second cannot be measured: as loud as it was.
    let chime = bench.signal("chime.wav", 0.2, "0.25*sin(2*PI*880*t)");
    assert_eq!(bench.ingest(&chime).expect("a chime").source_loudness, None);
    let largest = bench
        .decode_by_programme()
        .iter()
        .fold(0f32, |most, it| most.max(it.abs()));
    assert!((0.2..0.31).contains(&largest), "{largest}");
}

#[test]
fn levelling_can_be_off() {
    let bench = Bench::new();
    let quiet = bench.signal("quiet.wav", 3.0, "0.05*sin(2*PI*440*t)");
    let encoding = Encoding {
        loudness: None,
        ..Encoding::default()
    };
    let made = ingest(&quiet, &bench.path("out.opus"), encoding, LIMITS).expect("a good file");
    let (loudness, _) = measured_by_ffmpeg(&bench.path("out.opus"));
    let before = made.source_loudness.expect("it is measured all the same");
    assert!(
        (loudness - before).abs() < 0.3 && made.loudness.is_none(),
        "{before} became {loudness}"
    );
}

#[test]
fn silence_around_is_left_out_on_request_only() {
    let bench = Bench::new();
    let file = bench.signal(
        "late.wav",
        10.0,
        "if(between(t\\,3\\,5)+between(t\\,6\\,7)\\,0.2*sin(2*PI*440*t)\\,0)",
    );
    assert_eq!(bench.ingest(&file).expect("a good file").samples, 480_000);
    let encoding = Encoding {
        trim: true,
        ..Encoding::default()
    };
    let made = ingest(&file, &bench.path("out.opus"), encoding, LIMITS).expect("a good file");
    // Sound from 3 s to 7 s, and a little before and after.
    assert_eq!(made.samples, 48_000 * 4 + 4_800 + 14_400);
    let pcm = bench.decode_by_programme();
    let sounding = pcm.iter().position(|sample| sample.abs() > 0.05).expect("it sounds");
    assert!((4_700..5_000).contains(&sounding), "{sounding}");
    assert_eq!(made.peaks.len(), made.samples.div_ceil(480) as usize);
    assert!(
        made.peaks[..8].iter().all(|peak| *peak < 4) && made.peaks[50] > 40,
        "{:?}",
        &made.peaks[..60]
    );
}

#[test]
fn the_same_sound_in_another_wrapping_has_the_same_fingerprint() {
    let bench = Bench::new();
    let wav = bench.wav("in.wav", 44_100, 2, 2.0);
    let one = bench.ingest(&wav).expect("a WAV").fingerprint;
    let flac = bench.convert(&wav, "in.flac", &["-metadata", "title=Bản tin"]);
    assert_eq!(bench.ingest(&flac).expect("a FLAC").fingerprint, one);
    let quieter = bench.convert(&wav, "quieter.wav", &["-af", "volume=-1dB"]);
    assert_ne!(bench.ingest(&quieter).expect("a WAV").fingerprint, one);
}

/// In a process of its own: the peak is a process', and other tests' heaps are not what is measured.
#[test]
fn an_hour_is_taken_whole_in_flat_memory() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["media::tests::an_hour_alone", "--exact", "--ignored"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "measures its process: an_hour_is_taken_whole_in_flat_memory starts it"]
fn an_hour_alone() {
    let bench = Bench::new();
    let hour = bench.path("hour.mp3");
    run(
        "ffmpeg",
        &[
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:duration=3600:sample_rate=16000",
            "-b:a",
            "32k",
        ],
        &hour,
    );
    let before = resident_kib();
    let made = bench.ingest(&hour).expect("an hour");
    let grown = peak_kib().saturating_sub(before);
    assert!(made.samples.abs_diff(3600 * 48_000) <= 1, "{}", made.samples);
    // An hour is 660 MB as f32; what may grow is the index of the file being written.
    assert!(grown < 100_000, "{grown} KiB more at the peak");
}

fn resident_kib() -> u64 {
    status_kib("VmRSS:")
}

fn peak_kib() -> u64 {
    status_kib("VmHWM:")
}

fn status_kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with(key))
        .expect("a line of that key");
    line.split_whitespace()
        .nth(1)
        .and_then(|value| value.parse().ok())
        .expect("a number of KiB")
}

#[test]
fn two_files_glued_together_are_taken_whole() {
    let bench = Bench::new();
    let wav = bench.wav("in.wav", 44_100, 1, 2.0);
    let one = bench.convert(&wav, "one.mp3", &["-c:a", "libmp3lame"]);
    let once = std::fs::read(&one).expect("just made");
    std::fs::write(&one, [once.clone(), once].concat()).expect("a writable folder");
    let made = bench.ingest(&one).expect("two MP3 files in one");
    // The seam keeps the second one's delay, which only its own header told.
    assert!(
        (4.0..4.2).contains(&made.duration().as_secs_f64()),
        "{:?}",
        made.duration()
    );
}

/// Whatever happened to a file on its way: an error or a programme, never a panic, and never sound without end.
#[test]
fn damaged_files_neither_panic_nor_grow() {
    let bench = Bench::new();
    let wav = bench.wav("in.wav", 16_000, 2, 0.7);
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for name in ["x.mp3", "x.m4a", "x.flac", "x.wav", "x.ogg", "x.opus"] {
        let whole = std::fs::read(bench.convert(&wav, name, &[])).expect("just made");
        for round in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..1 + round % 20 {
                // Headers are where parsers trust.
                let reach = if random() % 2 == 0 {
                    bytes.len().min(600)
                } else {
                    bytes.len()
                };
                let at = random() as usize % reach;
                bytes[at] = random() as u8;
            }
            bytes.truncate(bytes.len() - (random() as usize % 3) * bytes.len() / 4);
            let file = bench.path("damaged");
            std::fs::write(&file, &bytes).expect("a writable folder");
            let limits = Limits {
                duration: Duration::from_secs(60),
                ..LIMITS
            };
            let outcome = ingest(&file, &bench.path("out.opus"), Encoding::default(), limits);
            if let Ok(made) = outcome {
                assert!(made.duration() <= limits.duration, "{name} {round}");
            }
        }
    }
}
