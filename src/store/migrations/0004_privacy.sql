-- Until when a name is kept, and when a channel's state was last saved: both go when their time is over. What was there
-- before gets the longest time, 100 days from when it was stored.
ALTER TABLE identities ADD COLUMN until BIGINT NOT NULL DEFAULT 0;
UPDATE identities SET until = stored + 8640000000;
CREATE INDEX identities_until ON identities (until);
ALTER TABLE channel_state ADD COLUMN saved BIGINT NOT NULL DEFAULT 0;
