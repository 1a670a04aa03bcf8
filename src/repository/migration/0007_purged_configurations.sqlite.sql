-- A deleted configuration as it was: the feed tells of its end when all that was
-- provisioned through it is gone, and a snapshot has it until then. NULL where a
-- program deleted it that did not know these columns.
ALTER TABLE scim_purges ADD COLUMN created_at INTEGER;
ALTER TABLE scim_purges ADD COLUMN state TEXT;
