//! A speech service by HTTP: text or JSON out, a file of sound back. Here: one request, bounded in time and size, that goes
//! nowhere but where the settings say: redirects are refused.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use ureq::tls::{RootCerts, TlsConfig};

use super::engine::{Engine, LARGEST, Language, SpeechError};

const NAME: &str = "HTTP";
/// So much of what a service complains is told, in bytes.
const COMPLAINT: u64 = 300;

#[derive(Clone)]
pub(super) struct Service {
    url: String,
    headers: Option<PathBuf>,
    body: Option<Value>,
    agent: ureq::Agent,
}

impl Service {
    /// `headers`: a file of `Name: value` lines, which may hold a key. `body`: JSON in which `{text}` and `{language}` stand
    /// for what is to be said; without it the text goes as it is.
    pub(super) fn new(url: String, headers: Option<PathBuf>, body: Option<Value>, limit: Duration) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::PlatformVerifier);
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(limit))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .tls_config(tls.build())
            .build()
            .into();
        Self {
            url,
            headers,
            body,
            agent,
        }
    }

    fn ask(&self, text: &str, language: &str, to: &Path) -> Result<(), SpeechError> {
        let mut request = ureq::http::Request::post(&self.url).header("accept", "audio/*");
        if let Some(path) = &self.headers {
            let lines =
                std::fs::read_to_string(path).map_err(|error| failed(format!("{}: {error}", path.display())))?;
            for line in lines.lines().filter(|line| !line.trim().is_empty()) {
                let (name, value) = line
                    .split_once(':')
                    .ok_or_else(|| failed(format!("{}: each line must be Name: value", path.display())))?;
                request = request.header(name.trim(), value.trim());
            }
        }
        let (kind, body) = match &self.body {
            Some(template) => ("application/json", filled(template, text, language).to_string()),
            None => ("text/plain; charset=utf-8", text.to_owned()),
        };
        let request = request
            .header("content-type", kind)
            .body(body)
            // What is wrong may be a key: it is not told.
            .map_err(|_| failed("a header in speech.headers or speech.url is not well formed"))?;
        let mut answer = self.agent.run(request).map_err(|error| failed(error.to_string()))?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(failed(format!("it answers {status}: redirects are not followed")));
        }
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        let mut body = answer.body_mut().as_reader();
        if !status.is_success() {
            let mut told = Vec::new();
            let _ = body.take(COMPLAINT).read_to_end(&mut told);
            let told = String::from_utf8_lossy(&told);
            let told: String = told.chars().filter(|c| !c.is_control()).collect();
            return Err(failed(format!("it answers {status} {told}").trim_end()));
        }
        if !kind.starts_with("audio/") && !kind.starts_with("application/octet-stream") {
            let shown: String = kind.chars().take(60).collect();
            return Err(failed(format!("it answers with “{shown}”, which is no sound")));
        }
        let mut file = File::create(to)?;
        let copied = std::io::copy(&mut body.by_ref().take(LARGEST + 1), &mut file);
        match copied.map_err(|error| failed(error.to_string()))? {
            size if size > LARGEST => Err(failed("it sends too much")),
            _ => Ok(()),
        }
    }
}

impl Engine for Service {
    fn name(&self) -> &'static str {
        NAME
    }

    fn speak<'a>(
        &'a self,
        text: &'a str,
        language: &'a Language,
        to: &'a Path,
    ) -> BoxFuture<'a, Result<(), SpeechError>> {
        Box::pin(async move {
            let (service, text, language, to) =
                (self.clone(), text.to_owned(), language.tag().to_owned(), to.to_owned());
            let asked = tokio::task::spawn_blocking(move || service.ask(&text, &language, &to));
            asked.await.map_err(std::io::Error::other)?
        })
    }
}

fn failed(why: impl Into<String>) -> SpeechError {
    SpeechError::Failed {
        engine: NAME,
        why: why.into(),
    }
}

/// The template with what is to be said in its strings: whatever that is, it stays JSON.
fn filled(template: &Value, text: &str, language: &str) -> Value {
    match template {
        // One pass, so that a text with {language} in it stays that text.
        Value::String(it) => it
            .split("{text}")
            .map(|part| part.replace("{language}", language))
            .collect::<Vec<_>>()
            .join(text)
            .into(),
        Value::Array(all) => all.iter().map(|it| filled(it, text, language)).collect(),
        Value::Object(all) => all
            .iter()
            .map(|(key, it)| (key.clone(), filled(it, text, language)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}
