//! Why a request is refused, in the words of RFC 7644 3.12.

use std::fmt;

/// The keyword that says what kind of bad request it is (RFC 7644, table 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScimType {
    /// The filter's syntax, or an attribute or operator in it, is not supported.
    InvalidFilter,
    /// The request is not a message of its schema.
    InvalidSyntax,
    /// The path of a PATCH operation is malformed or names nothing.
    InvalidPath,
    /// The path of a PATCH operation matches nothing that could be changed.
    NoTarget,
    /// A value is missing or not of the attribute's type.
    InvalidValue,
    /// The attribute cannot be changed.
    Mutability,
    /// Another resource has the value.
    Uniqueness,
    /// The request would touch more than the server is willing to.
    TooMany,
}

impl ScimType {
    /// The keyword as it travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::Mutability => "mutability",
            Self::Uniqueness => "uniqueness",
            Self::TooMany => "tooMany",
        }
    }
}

/// A refusal that the client can mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub scim_type: ScimType,
    /// What is wrong and what would be right, for a person.
    pub detail: String,
}

impl Fault {
    /// A refusal of some kind.
    pub fn new(scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self { scim_type, detail: detail.into() }
    }

    /// A value that is missing or not of its type.
    pub fn value(detail: impl Into<String>) -> Self {
        Self::new(ScimType::InvalidValue, detail)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.scim_type.as_str(), self.detail)
    }
}

impl std::error::Error for Fault {}
