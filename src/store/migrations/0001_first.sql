-- Runs on SQLite and PostgreSQL alike: ids and enums as TEXT, times as BIGINT milliseconds since 1970.
CREATE TABLE alerts (
  id TEXT PRIMARY KEY,
  channel TEXT NOT NULL,
  level TEXT NOT NULL,
  rank BIGINT NOT NULL,
  state TEXT NOT NULL,
  opened BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  ended_clock BIGINT,
  urgent_since BIGINT,
  received BIGINT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX alerts_newest ON alerts (opened, id);
CREATE INDEX alerts_urgent ON alerts (urgent_since);

CREATE TABLE alert_revisions (
  alert TEXT NOT NULL,
  revision BIGINT NOT NULL,
  received BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (alert, revision)
);

CREATE TABLE outbox (
  sink TEXT NOT NULL,
  id TEXT NOT NULL,
  seq BIGINT NOT NULL,
  alert TEXT NOT NULL,
  level TEXT NOT NULL,
  state TEXT NOT NULL,
  body TEXT NOT NULL,
  received BIGINT NOT NULL,
  created BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  next_at BIGINT NOT NULL,
  done_at BIGINT,
  why TEXT,
  PRIMARY KEY (sink, id)
);
CREATE UNIQUE INDEX outbox_seq ON outbox (seq);
CREATE INDEX outbox_due ON outbox (sink, state, seq);

CREATE TABLE reminders (
  sink TEXT NOT NULL,
  alert TEXT NOT NULL,
  count BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  PRIMARY KEY (sink, alert)
);

CREATE TABLE evidence (
  digest TEXT NOT NULL,
  alert TEXT NOT NULL,
  act TEXT NOT NULL,
  channel TEXT NOT NULL,
  kind TEXT NOT NULL,
  at BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  rank BIGINT NOT NULL,
  kept BIGINT NOT NULL,
  gone BIGINT,
  PRIMARY KEY (digest, alert, act)
);
CREATE INDEX evidence_alert ON evidence (alert);
CREATE INDEX evidence_kept ON evidence (gone, alert, kept);

CREATE TABLE channel_state (
  channel TEXT PRIMARY KEY,
  state BYTEA NOT NULL
);

CREATE TABLE feed_marks (
  feed TEXT PRIMARY KEY,
  resume TEXT,
  seen BYTEA NOT NULL
);

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE audit (
  seq BIGINT PRIMARY KEY,
  alert TEXT NOT NULL,
  previous TEXT NOT NULL,
  body TEXT NOT NULL,
  hash TEXT NOT NULL
);
CREATE INDEX audit_alert ON audit (alert);

CREATE TABLE identities (
  user_key TEXT PRIMARY KEY,
  sealed BYTEA NOT NULL,
  stored BIGINT NOT NULL
);

CREATE TABLE samples (
  channel TEXT NOT NULL,
  at BIGINT NOT NULL,
  level TEXT NOT NULL,
  signals TEXT NOT NULL,
  stored BIGINT NOT NULL,
  PRIMARY KEY (channel, at)
);
CREATE INDEX samples_stored ON samples (stored);
