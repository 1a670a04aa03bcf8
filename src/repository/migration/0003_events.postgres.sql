-- The change feed of each organization.
--
-- One counter a feed, moved by the transaction that makes the change, so that
-- the order of numbers is the order of commits and no number is left out.
-- Every change updates the row: the free half of each page lets it stay there.
CREATE TABLE scim_feeds (
    organization_id uuid NOT NULL PRIMARY KEY,
    newest bigint NOT NULL
) WITH (fillfactor = 50);

-- state says what there is after the event: the document of a user or group, the
-- members that came and went, or the fields of a configuration. origin is who
-- made the change. What is in columns of its own need not be parsed to be sent.
CREATE TABLE scim_events (
    organization_id uuid NOT NULL,
    number bigint NOT NULL,
    occurred_at bigint NOT NULL,
    ends_transaction boolean NOT NULL,
    kind bigint NOT NULL,
    origin bytea NOT NULL,
    configuration_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    changed text NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (organization_id, number)
);

-- A deletion goes on after its request: what it removes is told in the feed of
-- the organization, with whoever began it.
DROP TABLE scim_purges;
CREATE TABLE scim_purges (
    configuration_id uuid NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL,
    origin bytea NOT NULL,
    since bigint NOT NULL
);
