-- Hashes are SHA-256, instants are microseconds since 1970-01-01T00:00:00Z,
-- spans are microseconds.

CREATE TABLE scim_configurations (
    id uuid NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    enabled boolean NOT NULL,
    sso_configuration_id uuid,
    allow_unverified_email_account_linking boolean NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    token_lifetime bigint NOT NULL,
    token_expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);

-- The list of one organization, and of all, in the order in which they are walked.
CREATE INDEX scim_configurations_of_organization
    ON scim_configurations (organization_id, created_at, id);
CREATE INDEX scim_configurations_by_creation
    ON scim_configurations (created_at, id);

CREATE TABLE api_keys (
    id uuid NOT NULL PRIMARY KEY,
    organization_id uuid,
    role text NOT NULL CHECK (role IN ('admin', 'viewer')),
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);

CREATE INDEX api_keys_of_organization
    ON api_keys (organization_id, created_at, id);
