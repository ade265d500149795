-- The outbox anew: alerts that are about no case, digests, and when an alert was first due. SQLite cannot drop NOT NULL
-- in place, and nothing refers to this table.
CREATE TABLE alert_anew (
  id            TEXT PRIMARY KEY,
  kind          TEXT NOT NULL,
  escalation_id TEXT REFERENCES escalation (id),
  person_id     TEXT NOT NULL REFERENCES person (id),
  address       TEXT NOT NULL,
  urgency       TEXT NOT NULL,
  urgency_rank  INTEGER NOT NULL,
  -- When it was meant to be sent; `due_at` moves with every try.
  first_due_at  TEXT NOT NULL,
  due_at        TEXT NOT NULL,
  state         TEXT NOT NULL,
  attempts      INTEGER NOT NULL,
  leased_by     TEXT,
  leased_until  TEXT,
  -- Until then it waits for others to the same address, to be one message with them.
  held_until    TEXT,
  digest_id     TEXT,
  about         TEXT,
  last_error    TEXT,
  done_at       TEXT
) STRICT;
INSERT INTO alert_anew (id, kind, escalation_id, person_id, address, urgency, urgency_rank, first_due_at, due_at, state,
  attempts, leased_by, leased_until, last_error, done_at)
SELECT id, kind, escalation_id, person_id, address, urgency, urgency_rank, due_at, due_at, state,
  attempts, leased_by, leased_until, last_error, done_at FROM alert;
DROP TABLE alert;
ALTER TABLE alert_anew RENAME TO alert;
CREATE INDEX alert_waiting ON alert (due_at) WHERE state = 'waiting';
CREATE INDEX alert_leased ON alert (leased_until) WHERE state = 'waiting' AND leased_until IS NOT NULL;
CREATE INDEX alert_of_case ON alert (escalation_id, person_id, kind);
CREATE INDEX alert_of_digest ON alert (digest_id) WHERE digest_id IS NOT NULL;
CREATE INDEX alert_to_address ON alert (person_id, address, done_at);
CREATE INDEX alert_failed ON alert (done_at) WHERE state = 'failed';
CREATE INDEX alert_about ON alert (about) WHERE about IS NOT NULL;

-- Every try to send an alert; one without an end was cut off, and may have been sent.
CREATE TABLE alert_attempt (
  alert_id TEXT NOT NULL REFERENCES alert (id),
  number   INTEGER NOT NULL,
  owner    TEXT NOT NULL,
  began_at TEXT NOT NULL,
  ended_at TEXT,
  error    TEXT,
  PRIMARY KEY (alert_id, number)
) STRICT, WITHOUT ROWID;

-- Who sends alerts, and when they were last seen at it. Written several times a minute, so it is no event.
CREATE TABLE alert_worker (
  owner   TEXT PRIMARY KEY,
  beat_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Whether a person hears how a case ended that they were alerted to.
ALTER TABLE person ADD COLUMN follow_up INTEGER NOT NULL DEFAULT 1;

-- An agent's own limits; null: those of the settings.
ALTER TABLE agent ADD COLUMN max_open INTEGER;
ALTER TABLE agent ADD COLUMN requests_per_minute INTEGER;
CREATE INDEX escalation_open_of_agent ON escalation (agent_id) WHERE status = 'pending';
