-- The change feed of each organization.
--
-- One counter a feed, moved by the transaction that makes the change, so that
-- the order of numbers is the order of commits and no number is left out.
CREATE TABLE scim_feeds (
    organization_id BLOB NOT NULL PRIMARY KEY,
    newest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- state says what there is after the event: the document of a user or group, the
-- members that came and went, or the fields of a configuration. origin is who
-- made the change. What is in columns of its own need not be parsed to be sent.
CREATE TABLE scim_events (
    organization_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    ends_transaction INTEGER NOT NULL CHECK (ends_transaction IN (0, 1)),
    kind INTEGER NOT NULL,
    origin BLOB NOT NULL,
    configuration_id BLOB NOT NULL,
    subject_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (organization_id, number)
) STRICT;

-- A deletion goes on after its request: what it removes is told in the feed of
-- the organization, with whoever began it.
DROP TABLE scim_purges;
CREATE TABLE scim_purges (
    configuration_id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL,
    origin BLOB NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
