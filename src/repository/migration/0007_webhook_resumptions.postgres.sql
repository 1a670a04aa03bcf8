-- How often somebody said behind which number to go on: whoever has the lease then
-- keeps to that, also where the number is the one that was there before.
ALTER TABLE scim_webhook_endpoints ADD COLUMN resumptions bigint NOT NULL DEFAULT 0;
