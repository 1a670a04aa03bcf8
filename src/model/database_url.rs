//! Where the store is.

use std::{fmt, path::PathBuf, str::FromStr};

/// The address of a database.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// An SQLite file, made when missing.
    SqliteFile(PathBuf),
    /// An SQLite database that ends with the process.
    SqliteMemory,
    /// A PostgreSQL server; the URL may hold a password.
    Postgres(String),
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let file = text.strip_prefix("sqlite:").ok_or(InvalidDatabaseUrl)?;
        if file == ":memory:" {
            return Ok(Self::SqliteMemory);
        }
        let path = file.strip_prefix("//").unwrap_or(file);
        // A parameter would silently become part of the file's name.
        if path.is_empty() || path.contains('?') {
            return Err(InvalidDatabaseUrl);
        }
        Ok(Self::SqliteFile(path.into()))
    }
}

/// Leaves out user and password, so that it may be logged.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SqliteFile(path) => write!(f, "sqlite:{}", path.display()),
            Self::SqliteMemory => f.write_str("sqlite::memory:"),
            Self::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
                // A password may have a question mark that should have been
                // escaped; then no host can be told from it.
                let unsure = if parameters.contains('@') { "" } else { rest };
                write!(f, "postgres://{}", rest.rsplit_once('@').map_or(unsure, |(_, host)| host))
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no database address that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be `sqlite:FILE`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST/DATABASE`")]
pub struct InvalidDatabaseUrl;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        let parsed = |text: &str| text.parse::<DatabaseUrl>();
        assert_eq!(parsed("sqlite:a/b.db"), Ok(DatabaseUrl::SqliteFile("a/b.db".into())));
        assert_eq!(parsed("sqlite:///a/b.db"), Ok(DatabaseUrl::SqliteFile("/a/b.db".into())));
        assert_eq!(parsed("sqlite::memory:"), Ok(DatabaseUrl::SqliteMemory));
        assert!(matches!(parsed("postgresql://h/d"), Ok(DatabaseUrl::Postgres(_))));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", "sqlite:", "sqlite:a.db?mode=ro", "mysql://h/d", "a.db"] {
            assert_eq!(text.parse::<DatabaseUrl>(), Err(InvalidDatabaseUrl), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let url: DatabaseUrl =
            "postgres://u:p@ss@host:5432/db?password=p@ss".parse().expect("a valid URL");
        assert_eq!(format!("{url} {url:?}"), "postgres://host:5432/db postgres://host:5432/db");
    }
}
