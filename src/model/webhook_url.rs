//! Where a webhook may point.

use std::fmt;

use url::{Host, Url};

use super::address::is_public;

/// What an operator allows beyond `https://` and the public internet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookPolicy {
    /// `http://` as well.
    pub allow_http: bool,
    /// Addresses that are not of the public internet, as well.
    pub allow_private: bool,
}

/// A URL that requests of webhooks are sent to: a host, and neither user,
/// password nor fragment. Whether its host has an address that may be connected
/// to is known only when it is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// Reads a URL; what comes back otherwise says what it must be.
    pub fn parse(text: &str, policy: WebhookPolicy) -> Result<Self, InvalidWebhookUrl> {
        let url = Url::parse(text).map_err(|_| InvalidWebhookUrl::Form)?;
        let allowed = match url.scheme() {
            "https" => true,
            "http" => policy.allow_http,
            _ => false,
        };
        if !allowed {
            return Err(InvalidWebhookUrl::Scheme(policy.allow_http));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(InvalidWebhookUrl::Form);
        }
        let is_allowed = match url.host() {
            None => return Err(InvalidWebhookUrl::Form),
            // Names of the machine itself (RFC 6761 6.3), however looked up.
            Some(Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                // No name has nothing between two dots (RFC 1035 2.3.1).
                if name.split('.').any(str::is_empty) {
                    return Err(InvalidWebhookUrl::Form);
                }
                name != "localhost" && !name.ends_with(".localhost")
            }
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
        };
        if is_allowed || policy.allow_private {
            Ok(Self(url))
        } else {
            Err(InvalidWebhookUrl::Address)
        }
    }

    /// The URL in its normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidWebhookUrl {
    /// It is none, or has a part that it must not have.
    Form,
    /// Its scheme is not allowed; whether `http` would be.
    Scheme(bool),
    /// Its host is an address, or a name of the machine itself, that nothing may
    /// be sent to.
    Address,
}

impl fmt::Display for InvalidWebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => {
                "must be a URL such as https://app.example.com/webhooks, without user, password \
                 and fragment"
            }
            Self::Scheme(false) => "must begin with https://",
            Self::Scheme(true) => "must begin with https:// or http://",
            Self::Address => "must not point to this machine or to a private network",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STRICT: WebhookPolicy = WebhookPolicy { allow_http: false, allow_private: false };
    const LAX: WebhookPolicy = WebhookPolicy { allow_http: true, allow_private: true };

    #[test]
    fn a_url_of_the_public_internet_is_taken() {
        for text in [
            "https://app.example.com/webhooks?tenant=7",
            "https://app.example.com:8443/",
            "https://1.1.1.1/",
            "https://[2606:4700:4700::1111]/",
        ] {
            let url = WebhookUrl::parse(text, STRICT).expect(text);
            assert_eq!(url.as_str(), text);
        }
    }

    #[test]
    fn what_it_must_not_be_is_said() {
        for (text, expected) in [
            ("", InvalidWebhookUrl::Form),
            ("app.example.com", InvalidWebhookUrl::Form),
            ("https://", InvalidWebhookUrl::Form),
            ("https://app..example.com/", InvalidWebhookUrl::Form),
            ("https://./", InvalidWebhookUrl::Form),
            ("https://user@app.example.com/", InvalidWebhookUrl::Form),
            ("https://user:password@app.example.com/", InvalidWebhookUrl::Form),
            ("https://app.example.com/#part", InvalidWebhookUrl::Form),
            ("http://app.example.com/", InvalidWebhookUrl::Scheme(false)),
            ("ftp://app.example.com/", InvalidWebhookUrl::Scheme(false)),
            ("file:///etc/passwd", InvalidWebhookUrl::Scheme(false)),
            ("https://localhost/", InvalidWebhookUrl::Address),
            ("https://LOCALHOST./", InvalidWebhookUrl::Address),
            ("https://a.localhost/", InvalidWebhookUrl::Address),
            ("https://127.0.0.1/", InvalidWebhookUrl::Address),
            // Other ways to write the same.
            ("https://2130706433/", InvalidWebhookUrl::Address),
            ("https://0x7f.1/", InvalidWebhookUrl::Address),
            ("https://0177.0.0.1/", InvalidWebhookUrl::Address),
            ("https://127.1/", InvalidWebhookUrl::Address),
            ("https://[::1]/", InvalidWebhookUrl::Address),
            ("https://[::ffff:10.0.0.1]/", InvalidWebhookUrl::Address),
            ("https://169.254.169.254/latest/meta-data/", InvalidWebhookUrl::Address),
        ] {
            assert_eq!(WebhookUrl::parse(text, STRICT), Err(expected), "{text}");
        }
        assert!(WebhookUrl::parse("http://127.0.0.1:8080/", LAX).is_ok());
        assert!(WebhookUrl::parse("http://localhost/", LAX).is_ok());
        assert_eq!(
            WebhookUrl::parse("ftp://app.example.com/", LAX),
            Err(InvalidWebhookUrl::Scheme(true))
        );
    }

    proptest! {
        #[test]
        fn no_text_whatever_makes_the_parser_panic(text: String) {
            let _ = WebhookUrl::parse(&text, STRICT);
            let _ = WebhookUrl::parse(&format!("https://{text}"), LAX);
        }

        #[test]
        fn what_was_taken_is_taken_again_and_stays_the_same(text in "https://[a-z0-9.:/?%@#\\[\\]-]{1,40}") {
            if let Ok(url) = WebhookUrl::parse(&text, STRICT) {
                prop_assert_eq!(WebhookUrl::parse(url.as_str(), STRICT), Ok(url));
            }
        }
    }
}
