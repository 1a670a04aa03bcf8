//! `scimd serve --dev`: something to try.

use crate::clock::Random;
use crate::model::{
    NewApiKey, NewConfiguration, OrganizationId, Role, Scope, SsoConfigurationId, TokenLifetime,
};
use crate::repository::Repository;
use crate::settings::PublicUrl;
use crate::token::{Kind, PlainToken};

/// Makes an organization with a key and a configuration, and answers with a
/// page of requests that work as they stand there.
pub async fn sample(
    repository: &Repository,
    random: &dyn Random,
    public_url: &PublicUrl,
) -> anyhow::Result<String> {
    let key = PlainToken::mint(Kind::ApiKey, random);
    let token = PlainToken::mint(Kind::Scim, random);
    let tx = repository.write().await?;
    let organization = OrganizationId::new(tx.now(), random.id_bytes());
    let sso = SsoConfigurationId::new(tx.now(), random.id_bytes());
    let new_key = NewApiKey {
        scope: Scope::Organization(organization),
        role: Role::Admin,
        name: "sample".to_owned(),
        expires_at: None,
    };
    tx.create_api_key(new_key, &key.hash()).await?;
    let new = NewConfiguration {
        organization_id: organization,
        name: "Sample".to_owned(),
        sso_configuration_id: sso,
        allow_unverified_email_account_linking: false,
        token_lifetime: TokenLifetime::DEFAULT,
    };
    let configuration = tx.create_configuration(new, &token.hash()).await?;
    tx.commit().await?;

    let (url, key, token) = (public_url.as_str(), key.expose(), token.expose());
    let service = format!("{url}/gitpod.v1.OrganizationService");
    let scim = format!("{url}/scim/v2/{}", configuration.id);
    Ok(format!(
        r#"
The database is in memory: everything is gone when scimd stops.

  organization       {organization}
  SSO configuration  {sso}
  API key            {key}
  SCIM base URL      {scim}
  SCIM token         {token}

List the SCIM configurations:

  curl {service}/ListSCIMConfigurations -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{}}'

Create another, over gRPC, with the schema that the server tells by reflection:

  buf curl --protocol grpc --http2-prior-knowledge {service}/CreateSCIMConfiguration -H 'Authorization: Bearer {key}' -d '{{"organizationId":"{organization}","ssoConfigurationId":"{sso}","name":"Okta"}}'

Ask the SCIM server what it can do, as an identity provider would:

  curl {scim}/ServiceProviderConfig -H 'Authorization: Bearer {token}'

"#
    ))
}
