//! `gitpod.v1.IdentityService`: who the caller is.

use std::sync::Arc;

use super::error::Error;
use crate::auth::Caller;
use crate::proto::gitpod::v1::identity_service_server::IdentityService;
use crate::proto::gitpod::v1::{
    GetAuthenticatedIdentityRequest, GetAuthenticatedIdentityResponse, Principal, Subject,
};

/// The service. It knows nothing but the caller.
pub struct Identity;

impl Identity {
    /// Names the caller: an API key is a service account. The organization of a
    /// platform key is empty.
    #[expect(clippy::unused_async, reason = "all methods have one shape")]
    pub async fn get_authenticated_identity(
        self: Arc<Self>,
        caller: Caller,
        _request: GetAuthenticatedIdentityRequest,
    ) -> Result<GetAuthenticatedIdentityResponse, Error> {
        Ok(GetAuthenticatedIdentityResponse {
            subject: Some(Subject {
                id: caller.key.to_string(),
                principal: Principal::ServiceAccount.into(),
            }),
            organization_id: caller
                .scope
                .organization()
                .map(|id| id.to_string())
                .unwrap_or_default(),
            organization_tier: String::new(),
        })
    }
}

super::transport::serve!(Identity as IdentityService, "gitpod.v1.IdentityService" {
    "GetAuthenticatedIdentity" => get_authenticated_identity(GetAuthenticatedIdentityRequest)
        -> GetAuthenticatedIdentityResponse;
});
