//! Plain values that every room may use: no I/O, no wire format, no SQL.

mod api_key;
mod configuration;
mod database_url;
mod id;
mod instant;
mod page;
mod scope;

pub use api_key::{ApiKey, NewApiKey, Role};
pub use configuration::{Configuration, ConfigurationChange, NewConfiguration, TokenLifetime};
pub use database_url::{DatabaseUrl, InvalidDatabaseUrl};
pub use id::{ApiKeyId, ConfigurationId, OrganizationId, RequestId, SsoConfigurationId};
pub use instant::Instant;
pub use page::{Page, Position};
pub use scope::Scope;
