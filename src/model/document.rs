//! The text of a resource.

use std::fmt;
use std::ops::Deref;
use std::str::Utf8Error;

use bytes::Bytes;
use bytestring::ByteString;

/// What is stored of a resource: one JSON object. A copy is another reference to the
/// same text, and a text out of the store may be a part of what was received with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(ByteString);

impl Deref for Document {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Document {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl TryFrom<Bytes> for Document {
    type Error = Utf8Error;

    fn try_from(text: Bytes) -> Result<Self, Utf8Error> {
        ByteString::try_from(text).map(Self)
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
