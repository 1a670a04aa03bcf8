-- Where the feed of an organization is sent.
--
-- delivered is the number of the newest event that the endpoint has taken. due_at
-- says when to look at the endpoint next: null: when its organization has news,
-- or never, where it is paused. lease is whose turn it is to deliver, until
-- due_at. revision counts the changes that somebody made, so that whoever has
-- the lease learns of them. resumptions counts how often somebody said behind
-- which number to go on: whoever has the lease then keeps to that, also where
-- the number is the one that was there before.
CREATE TABLE scim_webhook_endpoints (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    due_at INTEGER,
    lease BLOB,
    failures INTEGER NOT NULL,
    failing_since INTEGER,
    last_success_at INTEGER,
    last_failure_at INTEGER,
    last_failure_number INTEGER,
    last_failure_kind INTEGER,
    last_failure_status INTEGER,
    paused_at INTEGER,
    pause_reason INTEGER,
    resumptions INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX scim_webhook_endpoints_of_organization
    ON scim_webhook_endpoints (organization_id, created_at, id);

-- What fails waits in a queue of its own: it may not keep others waiting.
CREATE INDEX scim_webhook_endpoints_due
    ON scim_webhook_endpoints (due_at) WHERE failures = 0 AND due_at IS NOT NULL AND paused_at IS NULL;
CREATE INDEX scim_webhook_endpoints_due_again
    ON scim_webhook_endpoints (due_at) WHERE failures > 0 AND due_at IS NOT NULL AND paused_at IS NULL;

-- What requests are signed with, encrypted under a key that only the operator's
-- settings have.
CREATE TABLE scim_webhook_secrets (
    endpoint_id BLOB NOT NULL,
    id BLOB NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (endpoint_id, id)
) STRICT, WITHOUT ROWID;
