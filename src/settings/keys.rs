//! Keys to keep secrets with.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;

/// Keys of 256 bits, the present one first. Wiped from memory when dropped;
/// `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKeys(Arc<[Zeroizing<[u8; 32]>]>);

impl SecretKeys {
    /// The bytes of each, of which there is one at least.
    pub fn expose(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.0.iter().map(|key| &**key)
    }
}

/// Reads base64, as `openssl rand -base64 32` prints it; several with commas
/// between.
impl FromStr for SecretKeys {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = |text: &str| {
            let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
            Some(Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?))
        };
        let keys: Option<Vec<_>> = text.split(',').map(key).collect();
        let keys =
            keys.ok_or("must be 32 bytes in base64, such as `openssl rand -base64 32` makes")?;
        Ok(Self(keys.into()))
    }
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKeys({} [redacted])", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_read_in_their_order(keys in prop::collection::vec(any::<[u8; 32]>(), 1..4)) {
            let texts: Vec<_> = keys.iter().map(|key| STANDARD.encode(key)).collect();
            let read: SecretKeys = texts.join(", ").parse().expect("they are keys");
            prop_assert!(read.expose().eq(&keys));
            let shown = format!("{read:?}");
            prop_assert!(!texts.iter().any(|text| shown.contains(text)));
        }

        #[test]
        fn no_text_whatever_makes_the_parser_panic(text: String) {
            let _ = text.parse::<SecretKeys>();
        }
    }
}
