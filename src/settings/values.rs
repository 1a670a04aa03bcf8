//! How the value of a setting is read: from the text that flags and variables
//! have, or from TOML's own type where that says it better.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderValue, Uri};
use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer};

pub fn text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    parse(deserializer, |text| text.parse().map_err(|error: T::Err| error.to_string()))
}

pub fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse(deserializer, |text| {
        let expected = "must be an IP address with a port such as 127.0.0.1:8080";
        text.parse().map_err(|_| expected.to_owned())
    })
}

pub fn some_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    text(deserializer).map(Some)
}

pub fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(deserializer, |text| {
        humantime::parse_duration(text).map_err(|_| "must be a time span such as 10s".to_owned())
    })
}

pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole(deserializer, "must be a whole number such as 200")
}

pub fn some_count<'de, D>(deserializer: D) -> Result<Option<NonZeroUsize>, D::Error>
where
    D: Deserializer<'de>,
{
    whole(deserializer, "must be a whole number from 1, such as 4").map(Some)
}

fn whole<'de, D, T>(deserializer: D, expected: &str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + FromStr,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number<T> {
        Whole(T),
        Text(String),
        Other(IgnoredAny),
    }
    let number = match Number::<T>::deserialize(deserializer)? {
        Number::Whole(number) => Some(number),
        Number::Text(text) => text.parse().ok(),
        Number::Other(_) => None,
    };
    number.ok_or_else(|| de::Error::custom(expected))
}

pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Bool(bool),
        Text(String),
        Other(IgnoredAny),
    }
    match Flag::deserialize(deserializer)? {
        Flag::Bool(flag) => Ok(flag),
        Flag::Text(text) if text == "true" => Ok(true),
        Flag::Text(text) if text == "false" => Ok(false),
        Flag::Text(_) | Flag::Other(_) => Err(de::Error::custom("must be true or false")),
    }
}

pub fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HeaderValue>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Origins {
        List(Vec<String>),
        Text(String),
        Other(IgnoredAny),
    }
    let expected = || de::Error::custom("must be origins such as https://app.example.com");
    let origins = match Origins::deserialize(deserializer)? {
        Origins::List(list) => list,
        Origins::Text(text) => text.split(',').map(|origin| origin.trim().to_owned()).collect(),
        Origins::Other(_) => return Err(expected()),
    };
    let origins = origins.iter().filter(|origin| !origin.is_empty());
    origins.map(|origin| self::origin(origin).ok_or_else(expected)).collect()
}

/// Browsers send scheme, host and port, and nothing else (RFC 6454 6.2): what is
/// not just that would never match.
fn origin(text: &str) -> Option<HeaderValue> {
    let url: Uri = text.parse().ok()?;
    let (scheme, authority) = (url.scheme_str()?, url.authority()?);
    let exact = format!("{scheme}://{authority}") == text
        && !text.contains('@')
        && !text.contains(|letter: char| letter.is_ascii_uppercase());
    HeaderValue::from_str(text).ok().filter(|_| exact)
}

fn parse<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    read(&text).map_err(de::Error::custom)
}
