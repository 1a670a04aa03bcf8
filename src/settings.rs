//! What the operator says: flags, then `SCIMD_*` variables, then a TOML file,
//! then defaults. The only reader of the environment and of files.
//!
//! A value that cannot be used is named with the place that it came from and
//! with what would be right; so is a name that is no setting.

mod keys;
mod values;
mod webhooks;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use http::{HeaderValue, Uri};
use serde::Deserialize;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::model::DatabaseUrl;

pub use self::keys::SecretKeys;
pub use self::webhooks::WebhookSettings;

const PREFIX: &str = "SCIMD_";
/// Names behind the prefix that clients of the server use, in the README too.
const OF_CLIENTS: [&str; 3] = ["url", "api_key", "organization"];

/// Every setting, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where to listen.
    #[serde(deserialize_with = "values::address")]
    pub listen: SocketAddr,
    /// How many threads serve, each some of the connections; by default, as many as
    /// there are cores.
    #[serde(deserialize_with = "values::some_count")]
    pub threads: Option<NonZeroUsize>,
    /// Where the store is.
    #[serde(deserialize_with = "values::text")]
    pub database_url: DatabaseUrl,
    /// Under which URL clients reach the server; by default, where it listens.
    #[serde(deserialize_with = "values::some_text")]
    pub public_url: Option<PublicUrl>,
    /// What to log.
    #[serde(deserialize_with = "values::text")]
    pub log: LogFilter,
    /// How to log it.
    #[serde(deserialize_with = "values::text")]
    pub log_format: LogFormat,
    /// Whether commands bring the schema up to date before they use it.
    #[serde(deserialize_with = "values::flag")]
    pub migrate: bool,
    /// Between SIGTERM, when `/readyz` turns 503, and the end of listening.
    #[serde(deserialize_with = "values::span")]
    pub shutdown_delay: Duration,
    /// How long the change feed keeps events.
    #[serde(deserialize_with = "values::span")]
    pub event_retention: Duration,
    /// From which web pages browsers may call; empty: from all.
    #[serde(deserialize_with = "values::origins")]
    pub cors_origins: Vec<HeaderValue>,
    /// How many SCIM requests a configuration may make in a second, at each
    /// process; 0: any number.
    #[serde(deserialize_with = "values::number")]
    pub scim_rate_limit: u32,
    /// What becomes of members of groups that are not here.
    #[serde(deserialize_with = "values::text")]
    pub scim_unknown_members: UnknownMembers,
    /// What the secrets of webhooks are kept with; `None`: there are no webhooks.
    #[serde(deserialize_with = "values::some_text")]
    pub webhook_secret_key: Option<SecretKeys>,
    /// Whether webhooks may be sent to `http://`.
    #[serde(deserialize_with = "values::flag")]
    pub webhook_allow_http: bool,
    /// Whether webhooks may be sent to addresses that are not of the public
    /// internet.
    #[serde(deserialize_with = "values::flag")]
    pub webhook_allow_private: bool,
    /// How long the receiver of a webhook may take to be found and to answer a
    /// connection.
    #[serde(deserialize_with = "values::span")]
    pub webhook_connect_timeout: Duration,
    /// How long the receiver of a webhook may take in all.
    #[serde(deserialize_with = "values::span")]
    pub webhook_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            threads: None,
            database_url: DatabaseUrl::SqliteFile("scimd.db".into()),
            public_url: None,
            log: LogFilter(Targets::new().with_default(LevelFilter::INFO)),
            log_format: LogFormat::Text,
            migrate: true,
            shutdown_delay: Duration::from_secs(5),
            event_retention: Duration::from_hours(90 * 24),
            cors_origins: Vec::new(),
            scim_rate_limit: 200,
            scim_unknown_members: UnknownMembers::Refuse,
            webhook_secret_key: None,
            webhook_allow_http: false,
            webhook_allow_private: false,
            webhook_connect_timeout: Duration::from_secs(5),
            webhook_timeout: Duration::from_secs(15),
        }
    }
}

/// The settings that can be given as flags. Their values are checked together
/// with those from elsewhere, so that they are refused in the same words.
#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::doc_markdown, reason = "`--help` prints these texts as they stand")]
pub struct Flags {
    /// TOML file with settings [env: SCIMD_CONFIG]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Address to listen on [env: SCIMD_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", global = true)]
    pub listen: Option<String>,
    /// sqlite:FILE, sqlite::memory: or postgres://... [env: SCIMD_DATABASE_URL] [default: sqlite:scimd.db]
    #[arg(long, value_name = "URL", global = true)]
    pub database_url: Option<String>,
    /// URL under which clients reach the server [env: SCIMD_PUBLIC_URL] [default: http://<listen>]
    #[arg(long, value_name = "URL", global = true)]
    pub public_url: Option<String>,
    /// What to log: error, warn, info, debug, trace, or per module [env: SCIMD_LOG] [default: info]
    #[arg(long, value_name = "FILTER", global = true)]
    pub log: Option<String>,
    /// text or json [env: SCIMD_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT", global = true)]
    pub log_format: Option<String>,
}

impl Settings {
    /// Reads the settings of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the room that may read the environment")]
    pub fn load(flags: &Flags) -> anyhow::Result<Self> {
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            let value = value.into_string();
            let value = value.map_err(|_| anyhow!("{name} must be a text in UTF-8"))?;
            variables.push((name.to_owned(), value));
        }
        Self::from_sources(flags, variables)
    }

    /// Reads the settings from `flags` and `variables`, and from the file that
    /// either of them names.
    pub fn from_sources(flags: &Flags, variables: Vec<(String, String)>) -> anyhow::Result<Self> {
        let variables: Vec<_> = variables
            .into_iter()
            .filter_map(|(name, value)| {
                let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
                let setting = !key.starts_with("test_") && !OF_CLIENTS.contains(&key.as_str());
                setting.then_some((key, value))
            })
            .collect();
        let file = flags.config.clone().or_else(|| {
            let named = variables.iter().find(|(key, _)| key == "config");
            named.map(|(_, path)| PathBuf::from(path))
        });

        let mut sources = Figment::new();
        if let Some(file) = &file {
            readable(file)?;
            sources = sources.merge(Toml::file_exact(file));
        }
        let variables = variables.into_iter().filter(|(key, _)| key != "config").collect();
        sources
            .merge(Texts { origin: Origin::Variable, values: variables })
            .merge(Texts { origin: Origin::Flag, values: flags.values() })
            .extract()
            .map_err(|error| describe(&error))
    }

    /// Under which URL clients reach the server that listens on `address`.
    #[must_use]
    pub fn public_url(&self, address: SocketAddr) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| PublicUrl(format!("http://{address}")))
    }
}

impl Flags {
    fn values(&self) -> Vec<(String, String)> {
        [
            ("listen", &self.listen),
            ("database_url", &self.database_url),
            ("public_url", &self.public_url),
            ("log", &self.log),
            ("log_format", &self.log_format),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)))
        .collect()
    }
}

/// A URL with scheme and host and without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The URL's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "must be a URL such as https://scim.example.com, without query";
        let url: Uri = text.parse().map_err(|_| expected)?;
        let web = matches!(url.scheme_str(), Some("http" | "https"));
        let plain = !text.contains(['#', '\'', '"']);
        if !web || !plain || url.host().is_none_or(str::is_empty) || url.query().is_some() {
            return Err(expected);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// What to log, in the syntax of `tracing_subscriber::filter::Targets`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFilter(Targets);

impl LogFilter {
    /// The filter itself.
    #[must_use]
    pub fn to_filter(&self) -> Targets {
        self.0.clone()
    }
}

impl FromStr for LogFilter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // To the filter a word alone may be a module, of which it then logs all, and so
        // may be what means a span to others: a mistyped level would silence everything
        // else.
        let is_level = |word: &str| word.trim().parse::<LevelFilter>().is_ok();
        let clear = !text.contains('[')
            && text.split(',').all(|directive| directive.contains('=') || is_level(directive));
        text.parse().ok().filter(|_| clear).map(Self).ok_or(
            "must be a level (error, warn, info, debug, trace) or a list such as scimd=debug,sqlx=warn",
        )
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be `text` or `json`"),
        }
    }
}

/// What becomes of a member of a group that is neither a user nor a group here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownMembers {
    /// The request that names it is refused.
    Refuse,
    /// It is left out, and the rest of the request done.
    Ignore,
}

impl FromStr for UnknownMembers {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "ignore" => Ok(Self::Ignore),
            _ => Err("must be `refuse` or `ignore`"),
        }
    }
}

/// Values that came as text, and from where.
struct Texts {
    origin: Origin,
    values: Vec<(String, String)>,
}

#[derive(Clone, Copy)]
enum Origin {
    Variable,
    Flag,
}

impl Provider for Texts {
    fn metadata(&self) -> Metadata {
        let origin = self.origin;
        Metadata::named("text").interpolater(move |_profile, keys| {
            let key = keys.join("_");
            match origin {
                Origin::Variable => format!("{PREFIX}{}", key.to_ascii_uppercase()),
                Origin::Flag => format!("--{}", key.replace('_', "-")),
            }
        })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let values = self.values.iter();
        let values = values.map(|(key, text)| (key.clone(), Value::from(text.as_str()))).collect();
        Ok(Profile::Default.collect(values))
    }
}

/// All that is wrong with the settings, one sentence each.
fn describe(error: &figment::Error) -> anyhow::Error {
    let sentences: Vec<_> = error.clone().into_iter().map(|error| sentence(&error)).collect();
    anyhow!(sentences.join("\n"))
}

fn sentence(error: &figment::Error) -> String {
    let key = error.path.join(".");
    let place = |key: &str| match error.metadata.as_ref() {
        Some(metadata) => match &metadata.source {
            Some(Source::File(file)) => format!("`{key}` in {}", file.display()),
            _ => metadata.interpolate(&Profile::Default, &[key]),
        },
        None => key.to_owned(),
    };
    match &error.kind {
        Kind::Message(what) if key.is_empty() => {
            let source = error.metadata.as_ref().and_then(|metadata| metadata.source.as_ref());
            let file = source.and_then(Source::file_path).unwrap_or(Path::new("the settings"));
            format!("{}: {}", file.display(), without_quote(what))
        }
        Kind::Message(what) => format!("{} {what}", place(&key)),
        Kind::InvalidType(found, _) => format!("{} must be a text, and is {found}", place(&key)),
        Kind::UnknownField(name, expected) => {
            format!("{} is no setting; settings are {}", place(name), expected.join(", "))
        }
        _ => error.to_string(),
    }
}

/// What the parser says of a file that is no TOML, without the line that it
/// quotes: that may hold a password.
fn without_quote(what: &str) -> String {
    let quotes = |line: &str| {
        line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|')
    };
    what.lines().filter(|line| !quotes(line)).collect::<Vec<_>>().join(": ")
}

fn readable(file: &Path) -> anyhow::Result<()> {
    std::fs::File::open(file)
        .map(drop)
        .map_err(|error| anyhow!("the settings file {} cannot be read: {error}", file.display()))
}
