-- When to tell next that the token of a configuration ends soon, or has ended. No
-- row: all is told.
CREATE TABLE scim_token_notices (
    configuration_id uuid NOT NULL PRIMARY KEY,
    due_at bigint NOT NULL
);

CREATE INDEX scim_token_notices_due
    ON scim_token_notices (due_at);

-- What is due of those that there are is found when it is looked at first.
INSERT INTO scim_token_notices (configuration_id, due_at)
    SELECT id, token_expires_at - 2592000000000 FROM scim_configurations;
