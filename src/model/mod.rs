//! Plain values that every room may use: no I/O, no wire format, no SQL.

mod access;
mod account;
mod address;
mod api_key;
mod changes;
mod configuration;
mod database_url;
mod directory;
mod document;
mod event;
mod fold;
mod id;
mod instant;
mod origin;
mod page;
mod scope;
mod sorting;
mod token_notice;
mod webhook;
mod webhook_url;

pub use access::{Access, AccessDecision, AccessOfUser, Person};
pub use account::{
    Account, AccountFilter, Candidate, Import, ImportConflict, ImportedAccount, Link, LinkReason,
    LinkRefusal, PrimaryEmail, is_verified,
};
pub use address::is_public;
pub use api_key::{ApiKey, NewApiKey, Role};
pub use changes::changed_paths;
pub use configuration::{Configuration, ConfigurationChange, NewConfiguration, TokenLifetime};
pub use database_url::{DatabaseUrl, InvalidDatabaseUrl};
pub use directory::{
    Comparison, Condition, Group, GroupContent, GroupOf, GroupUpdate, Member, MemberChange,
    MemberId, Resource, ResourceKind, Slice, User, UserContent, Written,
};
pub use document::Document;
pub use event::{Event, EventKind, MEMBERS_OF_AN_EVENT, MembersState, State};
pub use fold::{fold, folded};
pub use id::{
    AccountId, ApiKeyId, ConfigurationId, GroupId, OrganizationId, RequestId, SsoConfigurationId,
    UserId, WebhookEndpointId, WebhookSecretId,
};
pub use instant::Instant;
pub use origin::Origin;
pub use page::{Page, Position};
pub use scope::Scope;
pub use sorting::{Begin, SortField, SortKey, SortPosition, SortedSlice};
pub use token_notice::{next_token_notice, token_days_left};
pub use webhook::{
    NewWebhookEndpoint, WEBHOOK_ENDPOINTS, WEBHOOK_PATIENCE, WEBHOOK_SECRETS, WebhookDelivery,
    WebhookEndpoint, WebhookEndpointChange, WebhookFailure, WebhookFailureKind, WebhookPause,
    WebhookSecret, webhook_wait,
};
pub use webhook_url::{InvalidWebhookUrl, WebhookPolicy, WebhookUrl};
