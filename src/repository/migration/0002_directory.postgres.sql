-- What identity providers provision. Every table begins its key with the
-- configuration, so that one tenant's rows lie together and are found together.
--
-- Nothing refers to scim_configurations: a deleted configuration goes at once,
-- what was provisioned through it in batches afterwards (table scim_purges).
--
-- Keys are computed by the program, in the one form in which texts are compared
-- without regard to case; COLLATE "C" compares them byte by byte. Each change of
-- a resource moves updated_at, which is indexed: no room is left in the pages,
-- because such an update cannot use it.

CREATE TABLE scim_users (
    configuration_id uuid NOT NULL,
    id uuid NOT NULL,
    user_name_key text COLLATE "C" NOT NULL,
    external_id text COLLATE "C",
    display_name_key text COLLATE "C",
    active boolean NOT NULL,
    document text NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (configuration_id, id),
    UNIQUE (configuration_id, user_name_key)
);

-- Lists are walked by creation. Each index ends in that order, so that what it
-- finds need not be sorted, however much it is. Sorted lists are walked by the
-- others; those without a value are in them too, because they are listed as well.
CREATE INDEX scim_users_by_creation
    ON scim_users (configuration_id, created_at, id);
CREATE INDEX scim_users_by_change
    ON scim_users (configuration_id, updated_at, created_at, id);
CREATE INDEX scim_users_by_external_id
    ON scim_users (configuration_id, external_id, created_at, id);
CREATE INDEX scim_users_by_display_name
    ON scim_users (configuration_id, display_name_key, created_at, id);
-- Most users are active: only the others are worth an index.
CREATE INDEX scim_users_inactive
    ON scim_users (configuration_id, created_at, id)
    WHERE NOT active;

CREATE TABLE scim_user_emails (
    configuration_id uuid NOT NULL,
    value_key text COLLATE "C" NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (configuration_id, value_key, user_id)
);

CREATE INDEX scim_user_emails_of_user
    ON scim_user_emails (configuration_id, user_id, value_key);

-- member_count is exact: how many rows scim_group_members has of the group.
CREATE TABLE scim_groups (
    configuration_id uuid NOT NULL,
    id uuid NOT NULL,
    display_name_key text COLLATE "C" NOT NULL,
    external_id text COLLATE "C",
    document text NOT NULL,
    member_count bigint NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (configuration_id, id),
    UNIQUE (configuration_id, display_name_key)
);

CREATE INDEX scim_groups_by_creation
    ON scim_groups (configuration_id, created_at, id);
CREATE INDEX scim_groups_by_change
    ON scim_groups (configuration_id, updated_at, created_at, id);
CREATE INDEX scim_groups_by_external_id
    ON scim_groups (configuration_id, external_id, created_at, id);

-- member_kind: 0 a user, 1 a group.
CREATE TABLE scim_group_members (
    configuration_id uuid NOT NULL,
    group_id uuid NOT NULL,
    member_id uuid NOT NULL,
    member_kind bigint NOT NULL CHECK (member_kind IN (0, 1)),
    PRIMARY KEY (configuration_id, group_id, member_id)
);

CREATE INDEX scim_group_members_of_member
    ON scim_group_members (configuration_id, member_id, group_id);

-- Exact totals, changed by the transaction that makes or removes a resource.
-- Every such transaction updates the row: the free half of each page lets it
-- stay there.
CREATE TABLE scim_directory_counts (
    configuration_id uuid NOT NULL PRIMARY KEY,
    user_count bigint NOT NULL,
    group_count bigint NOT NULL
) WITH (fillfactor = 50);

-- Deleted configurations that rows are left of.
CREATE TABLE scim_purges (
    configuration_id uuid NOT NULL PRIMARY KEY,
    since bigint NOT NULL
);
