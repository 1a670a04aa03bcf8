-- UUIDs are blobs of 16 bytes, hashes are SHA-256, instants are microseconds
-- since 1970-01-01T00:00:00Z, spans are microseconds.

CREATE TABLE scim_configurations (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL,
    name TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    sso_configuration_id BLOB,
    allow_unverified_email_account_linking INTEGER NOT NULL
        CHECK (allow_unverified_email_account_linking IN (0, 1)),
    token_hash BLOB NOT NULL UNIQUE,
    token_lifetime INTEGER NOT NULL,
    token_expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- The list of one organization, and of all, in the order in which they are walked.
CREATE INDEX scim_configurations_of_organization
    ON scim_configurations (organization_id, created_at, id);
CREATE INDEX scim_configurations_by_creation
    ON scim_configurations (created_at, id);

CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB,
    role TEXT NOT NULL CHECK (role IN ('admin', 'viewer')),
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE INDEX api_keys_of_organization
    ON api_keys (organization_id, created_at, id);
