//! Who makes changes.

use uuid::Uuid;

use super::{ApiKeyId, ConfigurationId, RequestId};

/// Who makes a change, and in which request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The server or its operator, by itself.
    #[default]
    Server,
    /// An identity provider, through this configuration.
    Configuration(ConfigurationId, RequestId),
    /// Whoever has this API key.
    ApiKey(ApiKeyId, RequestId),
}

impl Origin {
    /// A form that is short to store: the kind, then both ids.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let (kind, id, request) = match self {
            Self::Server => return Vec::new(),
            Self::Configuration(id, request) => (1, id.as_uuid(), request),
            Self::ApiKey(id, request) => (2, id.as_uuid(), request),
        };
        let mut bytes = Vec::with_capacity(33);
        bytes.push(kind);
        bytes.extend(id.as_bytes());
        bytes.extend(request.as_uuid().as_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let Some((kind, ids)) = bytes.split_first() else { return Some(Self::Server) };
        let (id, request) = ids.split_at_checked(16)?;
        let (id, request) = (Uuid::from_slice(id).ok()?, Uuid::from_slice(request).ok()?);
        match kind {
            1 => Some(Self::Configuration(id.into(), request.into())),
            2 => Some(Self::ApiKey(id.into(), request.into())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_survives_its_bytes_and_nothing_else_is_taken_for_one() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for origin in [
            Origin::Server,
            Origin::Configuration(one.into(), two.into()),
            Origin::ApiKey(one.into(), two.into()),
        ] {
            assert_eq!(Origin::from_bytes(&origin.to_bytes()), Some(origin));
        }
        assert_eq!(Origin::from_bytes(&[1; 32]), None);
        assert_eq!(Origin::from_bytes(&[3; 33]), None);
    }
}
