//! From a presented secret to who presents it, and what that one may do. The
//! only authorisation rules of the service stand here.

mod known;

use std::future::Future;
use std::sync::Arc;

use self::known::Known;
use crate::clock::Clock;
use crate::model::{
    ApiKey, ApiKeyId, ConfigurationId, Instant, OrganizationId, Origin, RequestId, Role, Scope,
};
use crate::repository::{self, Repository};
use crate::token::{Kind, PlainToken, TokenHash};

/// Who calls the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The API key that was presented.
    pub key: ApiKeyId,
    /// Whose configurations it may see.
    pub scope: Scope,
    /// In which request.
    pub request: RequestId,
    role: Role,
}

/// What a method does to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads.
    Read,
    /// Reads and writes.
    Write,
}

impl Caller {
    /// Refuses a method beyond the caller's role.
    pub fn require(self, access: Access) -> Result<(), Error> {
        match (self.role, access) {
            (Role::Admin, _) | (Role::Viewer, Access::Read) => Ok(()),
            (Role::Viewer, Access::Write) => Err(Error::RoleInsufficient),
        }
    }

    /// Who makes the changes that it asks for.
    #[must_use]
    pub const fn origin(self) -> Origin {
        Origin::ApiKey(self.key, self.request)
    }

    /// Refuses to act for an organization outside of the caller's scope.
    pub fn require_organization(self, organization: OrganizationId) -> Result<(), Error> {
        if self.scope.covers(organization) { Ok(()) } else { Err(Error::OrganizationForbidden) }
    }
}

/// Why a credential was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none, or it is not of the scheme `Bearer`.
    #[error("no bearer credential")]
    Missing,
    /// It is none of ours, or opens something else.
    #[error("unknown credential")]
    Unknown,
    /// It was valid until then.
    #[error("the credential expired at {0}")]
    Expired(Instant),
    /// Somebody withdrew it.
    #[error("the credential was revoked")]
    Revoked,
    /// Its role does not allow the method.
    #[error("the role does not allow writing")]
    RoleInsufficient,
    /// It belongs to another organization.
    #[error("the credential belongs to another organization")]
    OrganizationForbidden,
    /// The token is right, but its configuration is switched off.
    #[error("the SCIM configuration is disabled")]
    Disabled,
    /// The question could not be answered.
    #[error(transparent)]
    Repository(#[from] repository::Error),
}

/// Decides whom to let in. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    repository: Repository,
    clock: Arc<dyn Clock>,
    holders: Known<TokenHash, Holder>,
    clients: Known<(ConfigurationId, TokenHash), ()>,
}

/// What is always true of whoever shows a key.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Holder {
    key: ApiKeyId,
    scope: Scope,
    role: Role,
}

impl Authenticator {
    /// An authenticator over the keys and tokens in `repository`.
    #[must_use]
    pub fn new(repository: Repository, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { repository, clock, holders: Known::new(), clients: Known::new() }))
    }

    /// The same, which looks in `repository`, and remembers with this one whom it let in.
    #[must_use]
    pub fn over(&self, repository: Repository) -> Self {
        let Inner { clock, holders, clients, .. } = &*self.0;
        let (holders, clients) = (holders.clone(), clients.clone());
        Self(Arc::new(Inner { repository, clock: Arc::clone(clock), holders, clients }))
    }

    /// Does `work` for the caller behind an `Authorization` header of the control
    /// plane, if it may have that access. Of what reads, some may be done when the caller is
    /// refused; nobody sees it.
    pub async fn caller<F: Future>(
        &self,
        authorization: Option<&str>,
        request: RequestId,
        access: Access,
        work: impl FnOnce(Caller) -> F,
    ) -> Result<F::Output, Error> {
        let hash = match Credential::read(bearer(authorization)?) {
            Credential::ApiKey(token) => token.hash(),
            Credential::Unknown => return Err(Error::Unknown),
        };
        let caller = |Holder { key, scope, role }| Caller { key, scope, request, role };
        let check = async {
            let holder = self.holder(&hash).await?;
            caller(holder).require(access).map(|()| holder)
        };
        self.0.holders.admit(hash, access, check, |holder| work(caller(holder))).await
    }

    async fn holder(&self, hash: &TokenHash) -> Result<Holder, Error> {
        let key = self.0.repository.read().api_key_of_token(hash).await?;
        let key = key.ok_or(Error::Unknown)?;
        self.refuse_ended(&key)?;
        Ok(Holder { key: key.id, scope: key.scope, role: key.role })
    }

    /// Refuses a caller who was let in before and whose key has ended since: for
    /// answers that go on for ever.
    pub async fn still(&self, caller: Caller) -> Result<(), Error> {
        let key = self.0.repository.read().api_key(caller.key).await?;
        self.refuse_ended(&key.ok_or(Error::Unknown)?)
    }

    fn refuse_ended(&self, key: &ApiKey) -> Result<(), Error> {
        if key.revoked_at.is_some() {
            return Err(Error::Revoked);
        }
        key.expires_at.map_or(Ok(()), |at| self.refuse_expired(at))
    }

    /// Does `work` for the configuration that an identity provider opens by the
    /// `Authorization` header of the SCIM server, as [`Self::caller`] does. A configuration
    /// that does not exist, an id that is none (`None`), and a token that is not its own get
    /// the same answer.
    pub async fn scim_client<F: Future>(
        &self,
        configuration: Option<ConfigurationId>,
        authorization: Option<&str>,
        access: Access,
        work: impl FnOnce(ConfigurationId) -> F,
    ) -> Result<F::Output, Error> {
        let token = PlainToken::parse(Kind::Scim, bearer(authorization)?)
            .map_err(|_malformed| Error::Unknown)?;
        let configuration = configuration.ok_or(Error::Unknown)?;
        let hash = token.hash();
        let check = self.refuse_closed(configuration, &hash);
        let work = |()| work(configuration);
        self.0.clients.admit((configuration, hash), access, check, work).await
    }

    async fn refuse_closed(
        &self,
        configuration: ConfigurationId,
        hash: &TokenHash,
    ) -> Result<(), Error> {
        let found = self.0.repository.read().configuration_of_token(configuration, hash).await?;
        let configuration = found.ok_or(Error::Unknown)?;
        self.refuse_expired(configuration.token_expires_at)?;
        if configuration.enabled { Ok(()) } else { Err(Error::Disabled) }
    }

    fn refuse_expired(&self, at: Instant) -> Result<(), Error> {
        if self.0.clock.now() < at { Ok(()) } else { Err(Error::Expired(at)) }
    }
}

/// A control plane credential, told apart by its form. A JSON Web Token, which
/// is three texts with dots between, gets a variant and an arm in
/// [`Authenticator::caller`]; nothing behind a [`Caller`] need know.
enum Credential {
    ApiKey(PlainToken),
    Unknown,
}

impl Credential {
    fn read(text: &str) -> Self {
        PlainToken::parse(Kind::ApiKey, text).map_or(Self::Unknown, Self::ApiKey)
    }
}

/// The credential in an `Authorization` header. Schemes are compared without
/// regard to case (RFC 9110 11.1).
fn bearer(authorization: Option<&str>) -> Result<&str, Error> {
    let (scheme, credential) =
        authorization.and_then(|header| header.split_once(' ')).ok_or(Error::Missing)?;
    let credential = credential.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty() {
        Ok(credential)
    } else {
        Err(Error::Missing)
    }
}
