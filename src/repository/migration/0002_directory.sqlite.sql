-- What identity providers provision. Every table begins its key with the
-- configuration, so that one tenant's rows lie together and are found together.
--
-- Nothing refers to scim_configurations: a deleted configuration goes at once,
-- what was provisioned through it in batches afterwards (table scim_purges).
--
-- Keys are computed by the program, in the one form in which texts are compared
-- without regard to case. WITHOUT ROWID where a row is little more than its key;
-- documents are too long for it.

CREATE TABLE scim_users (
    configuration_id BLOB NOT NULL,
    id BLOB NOT NULL,
    user_name_key TEXT NOT NULL,
    external_id TEXT,
    display_name_key TEXT,
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    document TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (configuration_id, id),
    UNIQUE (configuration_id, user_name_key)
) STRICT;

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
    configuration_id BLOB NOT NULL,
    value_key TEXT NOT NULL,
    user_id BLOB NOT NULL,
    PRIMARY KEY (configuration_id, value_key, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX scim_user_emails_of_user
    ON scim_user_emails (configuration_id, user_id, value_key);

-- member_count is exact: how many rows scim_group_members has of the group.
CREATE TABLE scim_groups (
    configuration_id BLOB NOT NULL,
    id BLOB NOT NULL,
    display_name_key TEXT NOT NULL,
    external_id TEXT,
    document TEXT NOT NULL,
    member_count INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (configuration_id, id),
    UNIQUE (configuration_id, display_name_key)
) STRICT;

CREATE INDEX scim_groups_by_creation
    ON scim_groups (configuration_id, created_at, id);
CREATE INDEX scim_groups_by_change
    ON scim_groups (configuration_id, updated_at, created_at, id);
CREATE INDEX scim_groups_by_external_id
    ON scim_groups (configuration_id, external_id, created_at, id);

-- member_kind: 0 a user, 1 a group.
CREATE TABLE scim_group_members (
    configuration_id BLOB NOT NULL,
    group_id BLOB NOT NULL,
    member_id BLOB NOT NULL,
    member_kind INTEGER NOT NULL CHECK (member_kind IN (0, 1)),
    PRIMARY KEY (configuration_id, group_id, member_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX scim_group_members_of_member
    ON scim_group_members (configuration_id, member_id, group_id);

-- Exact totals, changed by the transaction that makes or removes a resource.
CREATE TABLE scim_directory_counts (
    configuration_id BLOB NOT NULL PRIMARY KEY,
    user_count INTEGER NOT NULL,
    group_count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Deleted configurations that rows are left of.
CREATE TABLE scim_purges (
    configuration_id BLOB NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
