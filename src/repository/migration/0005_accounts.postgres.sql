-- The accounts of each organization's application, and whose they are.
--
-- client_id is the application's own id of the account; NULL: the application has
-- said nothing of it, it was made for a user that configuration_id provisioned.
-- Whoever provisions or imports an email is kept apart by the key of it; NULL, and
-- an empty email: the users of the account have left its address, and it has got no
-- other.
CREATE TABLE scim_accounts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    client_id text COLLATE "C",
    email text NOT NULL,
    email_key text COLLATE "C",
    email_verified boolean NOT NULL,
    configuration_id uuid,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, email_key)
);

-- Most accounts may be known to nobody but us.
CREATE UNIQUE INDEX scim_accounts_by_client_id
    ON scim_accounts (organization_id, client_id)
    WHERE client_id IS NOT NULL;

-- account_reason says why the user has the account, or no longer; NULL: nothing
-- was to be decided. other_email_key is the user's primary email where that is
-- not the one of the account; empty: the user has an account and no email.
ALTER TABLE scim_users ADD COLUMN account_id uuid;
ALTER TABLE scim_users ADD COLUMN account_reason bigint;
ALTER TABLE scim_users ADD COLUMN other_email_key text COLLATE "C";

CREATE INDEX scim_users_of_account
    ON scim_users (account_id)
    WHERE account_id IS NOT NULL;
CREATE INDEX scim_users_by_other_email
    ON scim_users (configuration_id, other_email_key)
    WHERE other_email_key IS NOT NULL;

-- What an account remembers of its users that were deleted: of each configuration
-- the last one. email_key where it was not the one of the account, or need not stay
-- that because others have the account. The key does
-- not begin with the organization: SQLite would look through all of it then, instead
-- of into the other indexes.
CREATE TABLE scim_former_users (
    organization_id uuid NOT NULL,
    account_id uuid NOT NULL,
    configuration_id uuid NOT NULL,
    user_id uuid NOT NULL,
    user_name_key text COLLATE "C" NOT NULL,
    external_id text COLLATE "C",
    email_key text COLLATE "C",
    deleted_at bigint NOT NULL,
    PRIMARY KEY (account_id, configuration_id)
);

CREATE INDEX scim_former_users_by_user_name
    ON scim_former_users (organization_id, user_name_key);
CREATE INDEX scim_former_users_by_external_id
    ON scim_former_users (organization_id, external_id)
    WHERE external_id IS NOT NULL;
CREATE INDEX scim_former_users_by_email
    ON scim_former_users (organization_id, email_key)
    WHERE email_key IS NOT NULL;

-- Which refusals were told of, so that an identity provider that tries again and
-- again does not fill the feed.
CREATE TABLE scim_link_refusals (
    configuration_id uuid NOT NULL,
    user_name_key text COLLATE "C" NOT NULL,
    account_id uuid NOT NULL,
    reason bigint NOT NULL,
    told_at bigint NOT NULL,
    PRIMARY KEY (configuration_id, user_name_key)
);

CREATE INDEX scim_link_refusals_by_age
    ON scim_link_refusals (configuration_id, told_at);

-- The account of a user as of the event, and why it is that one.
ALTER TABLE scim_events ADD COLUMN account_id uuid;
ALTER TABLE scim_events ADD COLUMN account_reason bigint;
