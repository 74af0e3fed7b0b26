-- Channels that time alone cannot change stay in the store until something comes for them; their setting and language
-- are needed at the door before that.
ALTER TABLE channel_state ADD COLUMN awake BIGINT NOT NULL DEFAULT 1;
ALTER TABLE channel_state ADD COLUMN setting TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE channel_state ADD COLUMN language TEXT;
