//! Engines: the real espeak-ng; Piper and a service by HTTP, both simulated, that keep the real ones' contracts; and parts
//! that are put together. That nothing waits for ever, and that what is wrong is said.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode};
use serde_json::json;

use super::script::{Step, perform};
use super::*;
use crate::config::Config;

const LONG: Duration = Duration::from_secs(600);

fn settings() -> Settings {
    Config::default().speech
}

fn simulated(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/speech/simulated")
        .join(name)
}

fn vietnamese() -> Language {
    Language::vietnamese()
}

/// What the preferred engine of `voices` makes of `texts`, with a gap between them: samples at 48 kHz.
async fn spoken(voices: &Voices, language: &Language, texts: &[&str], gap: Duration) -> Result<Vec<i16>, SpeechError> {
    let engine = voices.engine(language, None)?;
    let step = |text: &&str| Step::Say {
        engine,
        text: (*text).to_owned(),
        language: language.clone(),
    };
    let folder = tempfile::tempdir().unwrap();
    let file = perform(texts.iter().map(step).collect(), gap, LONG, folder.path()).await?;
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing but the file itself is left");
    let mut wav = hound::WavReader::open(file.path()).unwrap();
    assert_eq!((wav.spec().sample_rate, wav.spec().channels), (48_000, 1));
    Ok(wav.samples::<i16>().map(Result::unwrap).collect())
}

fn seconds(samples: &[i16]) -> f64 {
    samples.len() as f64 / 48_000.0
}

/// Root mean square, of 1.
fn level(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|it| (f64::from(*it) / 32_768.0).powi(2)).sum();
    (sum / samples.len().max(1) as f64).sqrt()
}

#[tokio::test]
async fn espeak_reads_for_as_long_as_there_is_to_read() {
    let voices = Voices::new(&settings());
    let one = "Kính mời bà con đến nhà văn hóa thôn lúc bảy giờ ba mươi phút.";
    let short = spoken(&voices, &vietnamese(), &[one], GAP).await.unwrap();
    let long = spoken(&voices, &vietnamese(), &[&[one; 6].join(" ")], GAP)
        .await
        .unwrap();
    // Fifteen syllables at 150 words a minute.
    assert!((2.0..12.0).contains(&seconds(&short)), "{} s", seconds(&short));
    let ratio = seconds(&long) / seconds(&short);
    assert!((5.0..7.0).contains(&ratio), "{ratio}");
    for sound in [&short, &long] {
        assert!(level(sound) > 0.01, "{}", level(sound));
    }
    // Another language, another voice.
    let english = Language::parse("en").unwrap();
    let english = spoken(&voices, &english, &["The village hall is open."], GAP)
        .await
        .unwrap();
    assert!(level(&english) > 0.01);
}

#[tokio::test]
async fn parts_follow_each_other_after_the_gap() {
    let voices = Voices::new(&settings());
    let gap = Duration::from_millis(1500);
    let one = spoken(&voices, &vietnamese(), &["Bản tin."], gap).await.unwrap();
    let two = spoken(&voices, &vietnamese(), &["Bản tin.", "Bản tin."], gap)
        .await
        .unwrap();
    let silence = 72_000;
    assert_eq!(two.len(), 2 * one.len() + silence);
    let (first, rest) = two.split_at(one.len());
    assert_eq!((first, &rest[silence..]), (&one[..], &one[..]));
    assert!(rest[..silence].iter().all(|it| *it == 0));

    // A recording among them.
    let folder = tempfile::tempdir().unwrap();
    let engine = voices.engine(&vietnamese(), None).unwrap();
    let say = || Step::Say {
        engine,
        text: "Bản tin.".into(),
        language: vietnamese(),
    };
    let recorded = perform(vec![say()], GAP, LONG, folder.path()).await.unwrap();
    let steps = vec![say(), Step::Play(recorded.path().to_owned())];
    let both = perform(steps, Duration::ZERO, LONG, folder.path()).await.unwrap();
    let both = hound::WavReader::open(both.path()).unwrap().len() as usize;
    assert_eq!(both, 2 * one.len());
    let gone = perform(vec![Step::Play(folder.path().join("gone"))], GAP, LONG, folder.path()).await;
    assert!(matches!(gone, Err(SpeechError::Phrase(_))), "{gone:?}");
    let short = perform(vec![say(), say()], GAP, Duration::from_secs(1), folder.path()).await;
    assert!(matches!(short, Err(SpeechError::TooLong(_))), "{short:?}");
}

#[tokio::test]
async fn what_an_engine_cannot_is_said() {
    let voices = Voices::new(&settings());
    let unknown = Language::parse("xx").unwrap();
    let error = spoken(&voices, &unknown, &["a"], GAP).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "espeak-ng: Error: The specified espeak-ng voice does not exist."
    );
    let nothing = spoken(&voices, &vietnamese(), &[" … "], GAP).await;
    assert!(matches!(nothing, Err(SpeechError::Nothing)), "{nothing:?}");
    let none = Voices::new(&Settings {
        espeak: "/nowhere/espeak-ng".into(),
        ..settings()
    });
    let error = spoken(&none, &vietnamese(), &["a"], GAP).await.unwrap_err();
    assert!(matches!(error, SpeechError::Missing { .. }), "{error}");
    assert!(
        error.to_string().starts_with("/nowhere/espeak-ng cannot be started"),
        "{error}"
    );
    let mute = Voices::new(&Settings {
        espeak: simulated("mute"),
        ..settings()
    });
    let error = spoken(&mute, &vietnamese(), &["a"], GAP).await.unwrap_err();
    assert!(matches!(error, SpeechError::NotSound { .. }), "{error}");
    for kind in [EngineKind::Piper, EngineKind::Http] {
        let asked = voices.engine(&vietnamese(), Some(kind)).err();
        assert!(matches!(asked, Some(SpeechError::NotConfigured(_))), "{kind:?}");
    }
}

#[tokio::test]
async fn who_never_ends_is_ended() {
    let endless = Voices::new(&Settings {
        espeak: simulated("endless"),
        timeout: Duration::from_millis(300),
        ..settings()
    });
    let begun = Instant::now();
    // More than a pipe holds: it is not read either.
    let text = "một hai ba ".repeat(20_000);
    let error = spoken(&endless, &vietnamese(), &[&text], GAP).await.unwrap_err();
    assert!(matches!(error, SpeechError::Slow { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn nothing_that_is_typed_is_an_argument() {
    let voices = Voices::new(&settings());
    for text in ["--help", "-w /tmp/x", "$(reboot)", "; ls", "[[a]]", "<speak>a</speak>"] {
        let sound = spoken(&voices, &vietnamese(), &[text], GAP).await.unwrap();
        assert!(level(&sound) > 0.001, "{text}");
    }
    for tag in ["-w", "vi -w", "VI", "v", "vi/../x", "vi+f2", "", "vi-", "việ"] {
        assert_eq!(Language::parse(tag), None, "{tag}");
    }
    for tag in ["vi", "en-gb", "hmn", "vi-vn-x-central"] {
        assert_eq!(Language::parse(tag).unwrap().tag(), tag);
    }
}

#[tokio::test]
async fn piper_reads_the_languages_that_it_is_set_up_for() {
    let model = tempfile::NamedTempFile::new().unwrap();
    let with = |model: &Path| {
        Voices::new(&Settings {
            engine: EngineKind::Piper,
            piper: simulated("piper"),
            piper_model: Some(model.to_owned()),
            ..settings()
        })
    };
    let voices = with(model.path());
    let sound = spoken(&voices, &vietnamese(), &["Xin chào bà con."], GAP)
        .await
        .unwrap();
    assert!(level(&sound) > 0.01);
    assert_eq!(voices.engine(&vietnamese(), None).unwrap().name(), "Piper");
    assert_eq!(
        voices.engine(&Language::parse("en").unwrap(), None).unwrap().name(),
        "espeak-ng"
    );
    let wanted = voices.engine(&vietnamese(), Some(EngineKind::Espeak)).unwrap();
    assert_eq!(wanted.name(), "espeak-ng");
    let error = spoken(&with(Path::new("/nowhere.onnx")), &vietnamese(), &["a"], GAP)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "Piper: no such model: /nowhere.onnx");
}

/// A speech service, simulated: it answers as `answer` says, and keeps what it was asked.
struct Simulated {
    url: String,
    asked: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Simulated {
    async fn start(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let keep = asked.clone();
        let router = Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
            keep.lock().unwrap().push((headers, body));
            let answer = answer();
            async move { answer }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/tts?key=bí-mật", listener.local_addr().unwrap());
        let url = url::Url::parse(&url).unwrap().to_string();
        // Ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked }
    }

    fn voices(&self, set: impl FnOnce(&mut Settings)) -> Voices {
        let mut settings = Settings {
            engine: EngineKind::Http,
            url: Some(self.url.clone()),
            ..settings()
        };
        set(&mut settings);
        Voices::new(&settings)
    }
}

fn answer(status: u16, kind: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("content-type", kind)
        .body(body.into())
        .unwrap()
}

/// A second of a tone, as a WAV file.
fn tone() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for n in 0..16_000 {
        let phase = f64::from(n) * 440.0 / 16_000.0 * std::f64::consts::TAU;
        writer.write_sample((phase.sin() * 12_000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_asked_as_the_settings_say() {
    let sound = tone();
    let service = Simulated::start(move || answer(200, "audio/wav", sound.clone())).await;
    let plain = service.voices(|_| {});
    let heard = spoken(&plain, &vietnamese(), &["Xin chào “bà con”."], GAP)
        .await
        .unwrap();
    assert_eq!(heard.len(), 48_000);
    let (headers, body) = service.asked.lock().unwrap().pop().unwrap();
    assert_eq!(&body[..], "Xin chào “bà con”.".as_bytes());
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");

    let keys = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(keys.path(), "Authorization: Bearer abc\nX-Voice: nữ\n\n").unwrap();
    let template = json!({ "text": "{text}", "lang": "{language}", "speed": 1, "list": ["<{text}>"] });
    let full = service.voices(|it| {
        it.headers = Some(keys.path().to_owned());
        it.body = Some(template);
    });
    let text = "“Xin \"chào\" {language}”\\";
    spoken(&full, &vietnamese(), &[text], GAP).await.unwrap();
    let (headers, body) = service.asked.lock().unwrap().pop().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let list = [format!("<{text}>")];
    assert_eq!(body, json!({ "text": text, "lang": "vi", "speed": 1, "list": list }));
    assert_eq!(
        (&headers["authorization"], &headers["content-type"]),
        (&"Bearer abc".parse().unwrap(), &"application/json".parse().unwrap())
    );
    std::fs::write(keys.path(), "Bearer abc").unwrap();
    let error = spoken(&full, &vietnamese(), &["a"], GAP).await.unwrap_err().to_string();
    assert!(
        error.ends_with("each line must be Name: value") && !error.contains("abc"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_does_wrong_is_said_and_nothing_else_happens() {
    let elsewhere = Simulated::start(|| answer(200, "audio/wav", tone())).await;
    let there = elsewhere.url.clone();
    let redirect = Simulated::start(move || {
        let mut answer = answer(302, "text/plain", "");
        answer.headers_mut().insert("location", there.parse().unwrap());
        answer
    });
    let redirect = redirect.await;
    let refused = Simulated::start(|| answer(403, "application/json", "{\"error\": \"khóa sai\"}")).await;
    let page = Simulated::start(|| answer(200, "text/html", "<html>")).await;
    let garbage = Simulated::start(|| answer(200, "audio/mpeg", vec![7; 5000])).await;
    let stalled = Simulated::start(|| {
        answer(
            200,
            "audio/wav",
            Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>()),
        )
    });
    let stalled = stalled.await;
    for (service, said) in [
        (&redirect, "HTTP: it answers 302 Found: redirects are not followed"),
        (&refused, "HTTP: it answers 403 Forbidden {\"error\": \"khóa sai\"}"),
        (&page, "HTTP: it answers with “text/html”, which is no sound"),
        (&garbage, "HTTP gave no sound: "),
        (&stalled, "HTTP: timeout"),
    ] {
        let voices = service.voices(|it| it.timeout = Duration::from_secs(2));
        let error = spoken(&voices, &vietnamese(), &["Xin chào."], GAP)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(said), "{error}");
        assert!(!error.contains("key="), "{error}");
    }
    assert!(elsewhere.asked.lock().unwrap().is_empty(), "a redirect was followed");
    let nobody = Simulated {
        url: "http://127.0.0.1:1/".into(),
        asked: Arc::default(),
    };
    let error = spoken(&nobody.voices(|_| {}), &vietnamese(), &["a"], GAP)
        .await
        .unwrap_err();
    assert!(matches!(error, SpeechError::Failed { .. }), "{error}");
}
