//! What webhooks are signed with: secrets to sign requests, as Standard Webhooks
//! has them, and keys to keep those secrets with.
//!
//! ```text
//! whsec_ MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw…(base64 of 32 random bytes)
//! ```
//!
//! A secret must be known to sign, so that no hash of it would do. It is stored
//! encrypted (XChaCha20-Poly1305), bound to the endpoint that it is of, under a
//! key that only the operator's settings have: who has the database alone can
//! neither read a secret nor put one in another's place.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

use crate::clock::Random;
use crate::model::WebhookEndpointId;

/// The regular expression that every secret of ours matches, for secret
/// scanners.
pub const PATTERN: &str = "whsec_[0-9A-Za-z+/]{43}=";

const PREFIX: &str = "whsec_";
const SECRET_LEN: usize = 32;
const NONCE_LEN: usize = 24;
/// The first byte of what is sealed, so that a later form can be told apart.
const VERSION: u8 = 1;

/// A secret to sign requests with. Wiped from memory when dropped; `Debug` does
/// not show it.
#[derive(Debug)]
pub struct SigningSecret(SecretBox<[u8; SECRET_LEN]>);

impl SigningSecret {
    /// Makes a new secret.
    #[must_use]
    pub fn mint(random: &dyn Random) -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; SECRET_LEN]| random.fill(bytes)))
    }

    /// The text for the receiver, for the one answer that shows it.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        format!("{PREFIX}{}", STANDARD.encode(self.0.expose_secret())).into()
    }

    /// The signature of a request: `v1,` and the base64 of the HMAC-SHA256 of id,
    /// timestamp (seconds since 1970) and body with dots between (Standard
    /// Webhooks, "Signature scheme").
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        sign(self.0.expose_secret(), id, timestamp, body)
    }
}

fn sign(secret: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret);
    let mut mac = mac.expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// A secret as it is stored: version, nonce, ciphertext with its tag. `Debug`
/// does not show it: the log holds nothing to try keys on.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(Vec<u8>);

impl SealedSecret {
    /// The bytes, for the database.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// As the database has it.
impl From<Vec<u8>> for SealedSecret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSecret([redacted])")
    }
}

/// The operator's keys: the first one seals, all of them open, so that a key can
/// be replaced while secrets under the old one are still there. Cheap to clone.
#[derive(Clone)]
pub struct Keyring(Arc<[XChaCha20Poly1305]>);

impl Keyring {
    /// A ring of these keys, of which there must be one at least.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a [u8; 32]>) -> Self {
        Self(keys.into_iter().map(|key| XChaCha20Poly1305::new(&(*key).into())).collect())
    }

    /// Encrypts a secret of `endpoint`.
    #[must_use]
    pub fn seal(
        &self,
        endpoint: WebhookEndpointId,
        secret: &SigningSecret,
        random: &dyn Random,
    ) -> SealedSecret {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let cipher = self.0.first().expect("a ring has a key");
        let owner = endpoint.as_uuid();
        let payload = Payload { msg: secret.0.expose_secret(), aad: owner.as_bytes() };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.expect("32 bytes are few enough");
        SealedSecret([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts a secret of `endpoint`; `None`: under none of these keys.
    #[must_use]
    pub fn open(
        &self,
        endpoint: WebhookEndpointId,
        sealed: &SealedSecret,
    ) -> Option<SigningSecret> {
        let rest = sealed.0.strip_prefix(&[VERSION])?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let nonce = XNonce::from(*nonce);
        let owner = endpoint.as_uuid();
        let mut opened = self.0.iter().filter_map(|cipher| {
            cipher.decrypt(&nonce, Payload { msg: sealed, aad: owner.as_bytes() }).ok()
        });
        let bytes = SecretBox::<[u8]>::from(opened.next()?);
        let bytes: &[u8; SECRET_LEN] = bytes.expose_secret().try_into().ok()?;
        Some(SigningSecret(SecretBox::init_with_mut(|own: &mut [u8; SECRET_LEN]| {
            own.copy_from_slice(bytes);
        })))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::SeededRandom;

    fn endpoint(number: u128) -> WebhookEndpointId {
        uuid::Uuid::from_u128(number).into()
    }

    /// The example of the reference libraries' own tests.
    #[test]
    fn the_published_example_has_the_published_signature() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let signature = sign(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    proptest! {
        #[test]
        fn a_sealed_secret_is_opened_by_its_keys_for_its_endpoint_alone(seed: u64, id: u128) {
            let random = SeededRandom::new(seed);
            let [mut old, mut new] = [[0; 32]; 2];
            random.fill(&mut old);
            random.fill(&mut new);
            let secret = SigningSecret::mint(&random);
            let pattern = regex::Regex::new(&format!("^{PATTERN}$")).expect("a valid pattern");
            prop_assert!(pattern.is_match(secret.to_text().expose_secret()));
            let sealed = Keyring::new([&old]).seal(endpoint(id), &secret, &random);
            let opened = Keyring::new([&new, &old]).open(endpoint(id), &sealed).expect("its key is there");
            prop_assert_eq!(opened.sign("a", 1, b"c"), secret.sign("a", 1, b"c"));
            prop_assert!(Keyring::new([&new]).open(endpoint(id), &sealed).is_none());
            prop_assert!(Keyring::new([&old]).open(endpoint(id ^ 1), &sealed).is_none());
            let plain = secret.0.expose_secret();
            prop_assert!(!sealed.as_bytes().windows(8).any(|part| plain.windows(8).any(|own| own == part)));
        }

        #[test]
        fn nothing_whatever_makes_the_opening_panic(bytes: Vec<u8>, versioned: bool) {
            let bytes = if versioned { [vec![VERSION], bytes].concat() } else { bytes };
            prop_assert!(Keyring::new([&[7; 32]]).open(endpoint(1), &bytes.into()).is_none());
        }
    }

    #[test]
    fn debug_shows_neither_secret_nor_key() {
        let random = SeededRandom::new(1);
        let (secret, ring) = (SigningSecret::mint(&random), Keyring::new([&[7; 32]]));
        let sealed = ring.seal(endpoint(1), &secret, &random);
        let shown = format!("{secret:?} {ring:?} {sealed:?}");
        assert!(!shown.contains(char::is_numeric) || !shown.contains(", "), "{shown}");
        assert!(!shown.contains(&STANDARD.encode(secret.0.expose_secret())), "{shown}");
    }
}
