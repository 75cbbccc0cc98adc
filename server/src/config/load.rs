//! Reading settings. Here: file, environment and flags, put together and judged; an error names the key, where the value
//! came from, the value, and what would be right.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Config;
use super::keys::{KEYS, Key};
use crate::speech::EngineKind;

/// Why the settings are not right; nothing was done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {why}", .path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// No such key.
    #[error("{from}: unknown key `{key}`{}", .like.map(|like| format!("; did you mean `{like}`?")).unwrap_or_default())]
    UnknownKey {
        /// Where it stands.
        from: String,
        /// What stands there.
        key: String,
        /// The key that looks most like it.
        like: Option<&'static str>,
    },
    /// A value is not right.
    #[error("{key} = `{value}` ({from}): must be {right}")]
    Value {
        /// The key.
        key: &'static str,
        /// Where the value stands.
        from: String,
        /// The value.
        value: String,
        /// What would be right.
        right: String,
    },
    /// Two values do not go together.
    #[error("{0}")]
    Together(&'static str),
}

/// The flags, one a key, and `--config`.
#[derive(Debug, Clone, Default)]
pub struct ConfigArgs {
    /// The file.
    pub file: Option<PathBuf>,
    /// Keys given as flags, with their values.
    pub flags: BTreeMap<&'static str, String>,
}

/// Settings from the file, the environment (`variable` looks one up) and the flags; later ones win.
///
/// # Errors
/// The first thing that is wrong.
pub fn load(args: &ConfigArgs, variable: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    let file = args.file.clone().or_else(|| variable("LOA_CONFIG").map(PathBuf::from));
    let mut values: BTreeMap<&str, (String, String)> = BTreeMap::new();
    if let Some(path) = file {
        for (key, value) in read(&path)? {
            values.insert(key.name, (value, path.display().to_string()));
        }
    }
    for key in KEYS {
        if let Some(value) = variable(&key.variable()) {
            values.insert(key.name, (value, key.variable()));
        }
        if let Some(value) = args.flags.get(key.name) {
            values.insert(key.name, (value.clone(), format!("--{}", key.flag())));
        }
    }
    for key in KEYS {
        if let Some((value, from)) = values.remove(key.name) {
            (key.set)(&mut config, &value).map_err(|right| {
                // A URL may hold a password.
                let value = if key.name.ends_with(".url") {
                    "…".into()
                } else {
                    value
                };
                ConfigError::Value {
                    key: key.name,
                    from,
                    value,
                    right,
                }
            })?;
        }
    }
    judge(&config)?;
    Ok(config)
}

/// Variables that begin like ours and are none: mistyped, most likely.
pub fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let known = |name: &str| {
        matches!(name, "LOA_CONFIG" | "LOA_LOG" | "LOA_SERVER") || KEYS.iter().any(|key| key.variable() == name)
    };
    names
        .filter(|name| name.starts_with("LOA_") && !name.starts_with("LOA_TEST_") && !known(name))
        .collect()
}

fn judge(config: &Config) -> Result<(), ConfigError> {
    let tls = config.mqtt_url.as_ref().is_some_and(|url| url.tls);
    match (&config.mqtt_ca, tls) {
        (Some(_), false) => Err(ConfigError::Together(
            "mqtt.ca is for an outside broker with TLS: mqtt.url must begin with mqtts://",
        )),
        (None, true) => Err(ConfigError::Together(
            "mqtt.url begins with mqtts://: mqtt.ca must name the certificate that receivers and this server trust",
        )),
        _ => {
            judge_https(config)?;
            judge_speech(config)?;
            judge_oidc(config)
        }
    }
}

fn judge_speech(config: &Config) -> Result<(), ConfigError> {
    let speech = &config.speech;
    let why = match speech.engine {
        EngineKind::Piper if speech.piper_model.is_none() => {
            "speech.engine is piper: speech.piper_model must name its voice"
        }
        EngineKind::Http if speech.url.is_none() => "speech.engine is http: speech.url must say where the service is",
        _ if speech.url.is_none() && (speech.headers.is_some() || speech.body.is_some()) => {
            "speech.headers and speech.body are for speech.url: set it"
        }
        _ => return Ok(()),
    };
    Err(ConfigError::Together(why))
}

fn judge_oidc(config: &Config) -> Result<(), ConfigError> {
    let about_it = config.oidc_client_id.is_some()
        || config.oidc_client_secret_file.is_some()
        || config.oidc_name.is_some()
        || config.oidc_ca.is_some()
        || !config.oidc_second_factor_acr.is_empty()
        || !config.oidc_second_factor_amr.is_empty();
    let plain = |issuer: &str| issuer.starts_with("http://");
    let why = match &config.oidc_issuer {
        None if about_it => "the other oidc settings are for oidc.issuer: set it",
        Some(_) if config.oidc_client_id.is_none() => {
            "oidc.issuer needs oidc.client_id: what the provider calls this server"
        }
        Some(issuer) if plain(issuer) && !config.oidc_plain_loopback => {
            "oidc.issuer must begin with https://; http:// is for trials on this machine alone, with oidc.plain_loopback = on"
        }
        _ => return Ok(()),
    };
    Err(ConfigError::Together(why))
}

fn judge_https(config: &Config) -> Result<(), ConfigError> {
    let given = [&config.https_certificate, &config.https_key].map(Option::is_some);
    let acme = config.https_acme_directory.is_some();
    let about_acme = !config.https_acme_domains.is_empty()
        || !config.https_acme_contact.is_empty()
        || config.https_acme_ca.is_some();
    let why = match (given, acme) {
        ([true, false] | [false, true], _) => "https.certificate and https.key belong together: set both",
        ([true, true], true) => "https.certificate is given: https.acme_directory must not be set as well",
        (_, true) if config.https_acme_domains.is_empty() => {
            "https.acme_directory needs https.acme_domains: the names that the certificate is for"
        }
        (_, false) if about_acme => "https.acme_domains, _contact and _ca are for https.acme_directory: set it",
        ([true, true], _) | (_, true) if config.https_listen.is_none() => {
            "there is a certificate for HTTPS, but https.listen is off: set it, such as 0.0.0.0:443"
        }
        _ => return Ok(()),
    };
    Err(ConfigError::Together(why))
}

/// The keys in a file.
fn read(path: &Path) -> Result<Vec<(&'static Key, String)>, ConfigError> {
    let file = |why: String| ConfigError::File {
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|error| file(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| file(error.to_string()))?;
    let mut found = Vec::new();
    flatten(path, String::new(), table, &mut found)?;
    Ok(found)
}

fn flatten(
    path: &Path,
    above: String,
    table: toml::Table,
    found: &mut Vec<(&'static Key, String)>,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let name = if above.is_empty() {
            name
        } else {
            format!("{above}.{name}")
        };
        let key = KEYS.iter().find(|key| key.name == name);
        let from = path.display().to_string();
        match (key, value) {
            (Some(key), toml::Value::String(text)) => found.push((key, text)),
            (Some(key), toml::Value::Integer(number)) => found.push((key, number.to_string())),
            (Some(key), other) => {
                let right = "a string or a whole number".to_owned();
                return Err(ConfigError::Value {
                    key: key.name,
                    from,
                    value: other.to_string(),
                    right,
                });
            }
            (None, toml::Value::Table(table)) => flatten(path, name, table, found)?,
            (None, _) => {
                return Err(ConfigError::UnknownKey {
                    from,
                    like: nearest(&name),
                    key: name,
                });
            }
        }
    }
    Ok(())
}

/// The key that looks most like `name`, if any does.
fn nearest(name: &str) -> Option<&'static str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().replace(['-', '_'], "");
    let alike = |key: &&Key| distance(&last(name), &last(key.name)) * 3 <= last(key.name).len();
    KEYS.iter()
        .filter(alike)
        .min_by_key(|key| distance(name, key.name))
        .map(|key| key.name)
}

/// Edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let replaced = before + usize::from(x != y);
            before = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

impl clap::FromArgMatches for ConfigArgs {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self {
            file: matches.get_one::<PathBuf>("config").cloned(),
            ..Self::default()
        };
        for key in KEYS {
            if let Some(values) = matches.get_many::<String>(key.name) {
                args.flags
                    .insert(key.name, values.cloned().collect::<Vec<_>>().join(","));
            }
        }
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for ConfigArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let file = clap::Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Tệp cấu hình (TOML).\nConfiguration file (TOML). [env: LOA_CONFIG]");
        let keys = KEYS.iter().map(|key| {
            let default = key
                .default
                .map(|default| format!(", default: {default}"))
                .unwrap_or_default();
            let help = format!(
                "{}\n{} [key: {}, env: {}{default}]",
                key.vi,
                key.en,
                key.name,
                key.variable()
            );
            // A list may also be given flag by flag.
            let action = if key.value.ends_with('…') {
                clap::ArgAction::Append
            } else {
                clap::ArgAction::Set
            };
            clap::Arg::new(key.name)
                .long(key.flag())
                .value_name(key.value)
                .action(action)
                .help(help)
                .help_heading("Cấu hình / Settings")
        });
        command.arg(file).args(keys)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}
