-- How many gaps of whole feeds a channel's state knows of: those told while it is asleep are shown once it wakes.
ALTER TABLE channel_state ADD COLUMN gaps BIGINT NOT NULL DEFAULT 0;
