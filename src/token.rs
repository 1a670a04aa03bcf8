//! Secrets as text: SCIM tokens and API keys.
//!
//! ```text
//! scimd_scim_ Q3v…(43 characters)…x8 0Kd2fT
//! └─ kind ──┘ └── 256 random bits ─┘ └ CRC-32 of all before it
//! ```
//!
//! The kind lets a person and a secret scanner see what leaked; the checksum
//! lets us refuse a typing error without asking the database, and a scanner
//! tell a token from noise. Only the SHA-256 of the text is ever stored: with
//! 256 random bits behind it, neither salt nor stretching would add anything.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::clock::Random;

/// The regular expression that every token matches, for secret scanners.
pub const PATTERN: &str = "scimd_(scim|key)_[0-9A-Za-z]{49}";

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// log2(62^43) is 256.03.
const RANDOM_LEN: usize = 43;
/// 62^6 is more than 2^32.
const CHECKSUM_LEN: usize = 6;

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The SCIM server of one configuration; held by an identity provider.
    Scim,
    /// The control plane; held by the product's own programs.
    ApiKey,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Scim => "scimd_scim_",
            Self::ApiKey => "scimd_key_",
        }
    }
}

/// A token in plain: shown once to whoever asked for it, or just presented by
/// a client. It is wiped from memory when dropped, and `Debug` does not show it.
#[derive(Clone, Debug)]
pub struct PlainToken(SecretString);

impl PlainToken {
    /// Makes a new token.
    #[must_use]
    pub fn mint(kind: Kind, random: &dyn Random) -> Self {
        let mut text = String::with_capacity(kind.prefix().len() + RANDOM_LEN + CHECKSUM_LEN);
        text.push_str(kind.prefix());
        let body_len = kind.prefix().len() + RANDOM_LEN;
        while text.len() < body_len {
            let mut bytes = [0; 64];
            random.fill(&mut bytes);
            // Six bits give 64 values for 62 characters: the two beyond the
            // alphabet are skipped, since wrapping would favour some characters.
            let characters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
            text.extend(characters.take(body_len - text.len()).copied().map(char::from));
        }
        push_checksum(&mut text);
        Self(text.into())
    }

    /// Reads a token of the given kind as a client presented it.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, Malformed> {
        let (body, _checksum) =
            text.split_at_checked(text.len().saturating_sub(CHECKSUM_LEN)).ok_or(Malformed)?;
        let random = body.strip_prefix(kind.prefix()).ok_or(Malformed)?;
        if random.len() != RANDOM_LEN || !random.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Malformed);
        }
        let mut expected = body.to_owned();
        push_checksum(&mut expected);
        if expected == text { Ok(Self(expected.into())) } else { Err(Malformed) }
    }

    /// What is stored of the token, and what it is found by.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose()).into())
    }

    /// The text itself, for the one answer that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The SHA-256 of a token's text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The 32 bytes, for the database.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Shows that there is a hash, and not which: who has it can look for it in a
/// stolen database.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash([redacted])")
    }
}

/// A text that was never one of our tokens: mistyped, cut off, or of another
/// kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token of this kind")]
pub struct Malformed;

fn push_checksum(text: &mut String) {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [0; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    text.extend(digits.map(char::from));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::SeededRandom;

    fn minted(kind: Kind, seed: u64) -> PlainToken {
        PlainToken::mint(kind, &SeededRandom::new(seed))
    }

    proptest! {
        #[test]
        fn every_minted_token_is_read_back_and_matches_the_published_pattern(seed: u64) {
            let pattern = regex::Regex::new(&format!("^{PATTERN}$")).expect("a valid pattern");
            for kind in [Kind::Scim, Kind::ApiKey] {
                let token = minted(kind, seed);
                prop_assert!(pattern.is_match(token.expose()));
                let read = PlainToken::parse(kind, token.expose()).expect("it was just minted");
                prop_assert_eq!(read.hash(), token.hash());
            }
        }

        #[test]
        fn a_token_with_one_wrong_character_is_refused(seed: u64, at in 0_usize..60, wrong: char) {
            let token = minted(Kind::Scim, seed);
            let mut characters: Vec<char> = token.expose().chars().collect();
            prop_assume!(characters[at] != wrong);
            characters[at] = wrong;
            let mistyped: String = characters.into_iter().collect();
            prop_assert_eq!(PlainToken::parse(Kind::Scim, &mistyped).err(), Some(Malformed));
        }

        #[test]
        fn no_text_whatever_makes_the_parser_panic(text: String) {
            let _ = PlainToken::parse(Kind::Scim, &text);
            let _ = PlainToken::parse(Kind::ApiKey, &text);
        }
    }

    #[test]
    fn a_token_of_one_kind_is_not_one_of_another() {
        let token = minted(Kind::ApiKey, 1);
        assert_eq!(PlainToken::parse(Kind::Scim, token.expose()).err(), Some(Malformed));
    }

    #[test]
    fn debug_shows_neither_token_nor_hash() {
        let token = minted(Kind::Scim, 1);
        let shown = format!("{token:?} {:?}", token.hash());
        assert!(!shown.contains(token.expose()), "{shown}");
        assert!(!shown.contains(&format!("{:?}", token.hash().as_bytes())), "{shown}");
    }

    #[test]
    fn the_hash_is_the_sha_256_of_the_text() {
        let token = minted(Kind::Scim, 1);
        assert_eq!(token.hash().as_bytes(), Sha256::digest(token.expose()).as_slice());
    }
}
