-- The log. `body` holds the bytes as they were hashed; they are never serialised again.
CREATE TABLE audit_event (
  seq           INTEGER PRIMARY KEY,
  escalation_id TEXT,
  type          TEXT NOT NULL,
  at            TEXT NOT NULL,
  leaf          BLOB NOT NULL,
  body          BLOB NOT NULL
) STRICT;
CREATE INDEX audit_event_by_case ON audit_event (escalation_id, seq) WHERE escalation_id IS NOT NULL;

-- Against accidents only: the chain is the proof. Without the insert guard, INSERT OR REPLACE walks past the others.
CREATE TRIGGER audit_event_appends BEFORE INSERT ON audit_event
WHEN NEW.seq <> (SELECT COALESCE(MAX(seq), -1) + 1 FROM audit_event)
BEGIN SELECT RAISE(ABORT, 'audit events are appended only'); END;
CREATE TRIGGER audit_event_stays BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;
CREATE TRIGGER audit_event_remains BEFORE DELETE ON audit_event
BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;

-- Perfect subtrees of level 1 and up (RFC 6962), so that a proof costs O(log n) reads; level 0 is audit_event.leaf.
CREATE TABLE audit_node (
  level INTEGER NOT NULL,
  idx   INTEGER NOT NULL,
  hash  BLOB NOT NULL,
  PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

-- Where the log ends; one row.
CREATE TABLE audit_head (
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  log  TEXT NOT NULL,
  size INTEGER NOT NULL,
  prev BLOB NOT NULL,
  edge BLOB NOT NULL,
  at   TEXT NOT NULL
) STRICT;

-- Signed tree heads, kept for ever.
CREATE TABLE checkpoint (
  size INTEGER PRIMARY KEY,
  note TEXT NOT NULL,
  at   TEXT NOT NULL
) STRICT;

-- What events commit to; erased by deleting the row.
CREATE TABLE payload (
  seq   INTEGER NOT NULL REFERENCES audit_event (seq),
  field TEXT NOT NULL,
  salt  BLOB NOT NULL,
  body  BLOB NOT NULL,
  PRIMARY KEY (seq, field)
) STRICT;

CREATE TABLE escalation (
  id               TEXT PRIMARY KEY,
  agent_id         TEXT NOT NULL,
  version          INTEGER NOT NULL,
  status           TEXT NOT NULL,
  tool             TEXT NOT NULL,
  server           TEXT,
  summary          TEXT NOT NULL,
  action_digest    TEXT NOT NULL,
  masked           TEXT NOT NULL,
  policy_digest    TEXT NOT NULL,
  triggers         TEXT NOT NULL,
  queue            TEXT NOT NULL,
  urgency          TEXT NOT NULL,
  urgency_rank     INTEGER NOT NULL,
  tier             INTEGER NOT NULL,
  require          TEXT NOT NULL,
  opened_at        TEXT NOT NULL,
  deadline_at      TEXT NOT NULL,
  approval_valid_s INTEGER NOT NULL,
  approvals        TEXT NOT NULL,
  decided_at       TEXT,
  decided_by       TEXT NOT NULL,
  assurance        TEXT,
  final_digest     TEXT,
  release_at       TEXT,
  valid_until      TEXT,
  claimed_at       TEXT,
  outcome          TEXT,
  opened_seq       INTEGER NOT NULL UNIQUE REFERENCES audit_event (seq)
) STRICT;
CREATE INDEX escalation_pending ON escalation (urgency_rank DESC, deadline_at, id) WHERE status = 'pending';
CREATE INDEX escalation_due ON escalation (deadline_at) WHERE status = 'pending';
CREATE INDEX escalation_ended ON escalation (decided_at DESC, id) WHERE status <> 'pending';
CREATE INDEX escalation_of_agent ON escalation (agent_id, opened_seq);

-- Decisions, also those that were one of several approvals or were taken back. Their content is a payload.
CREATE TABLE decision (
  id            TEXT PRIMARY KEY,
  escalation_id TEXT NOT NULL REFERENCES escalation (id),
  seq           INTEGER NOT NULL UNIQUE REFERENCES audit_event (seq),
  choice        TEXT NOT NULL,
  person_id     TEXT NOT NULL,
  roles         TEXT NOT NULL,
  assurance     TEXT NOT NULL,
  decided_at    TEXT NOT NULL,
  undone_at     TEXT
) STRICT;
CREATE INDEX decision_of_case ON decision (escalation_id, seq);

-- The signed receipt of how a case ended, by the number of the event that ended it.
CREATE TABLE receipt (
  seq           INTEGER PRIMARY KEY REFERENCES audit_event (seq),
  escalation_id TEXT NOT NULL REFERENCES escalation (id),
  token         TEXT NOT NULL
) STRICT;
CREATE INDEX receipt_of_case ON receipt (escalation_id, seq);

-- First answers to calls that carried an idempotency key, scoped to the caller.
CREATE TABLE idempotency (
  caller        TEXT NOT NULL,
  key           TEXT NOT NULL,
  verb          TEXT NOT NULL,
  input_digest  TEXT NOT NULL,
  escalation_id TEXT NOT NULL REFERENCES escalation (id),
  PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE agent (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  key_hash   BLOB UNIQUE,
  owner      TEXT,
  created_at TEXT NOT NULL,
  paused_at  TEXT
) STRICT;

CREATE TABLE person (
  id          TEXT PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE,
  roles       TEXT NOT NULL,
  queues      TEXT NOT NULL,
  addresses   TEXT NOT NULL,
  created_at  TEXT NOT NULL,
  disabled_at TEXT
) STRICT;

-- Magic links; only the SHA-256 of the secret is known here.
CREATE TABLE link (
  id            TEXT PRIMARY KEY,
  purpose       TEXT NOT NULL,
  secret_hash   BLOB NOT NULL,
  person_id     TEXT NOT NULL REFERENCES person (id),
  escalation_id TEXT REFERENCES escalation (id),
  address       TEXT NOT NULL,
  issued_at     TEXT NOT NULL,
  expires_at    TEXT NOT NULL,
  spent_at      TEXT,
  revoked_at    TEXT
) STRICT;
CREATE INDEX link_of_case ON link (escalation_id, person_id);

-- Sign-in sessions of people; only the SHA-256 of the cookie is known here.
CREATE TABLE sign_in (
  token_hash BLOB PRIMARY KEY,
  person_id  TEXT NOT NULL REFERENCES person (id),
  assurance  TEXT NOT NULL,
  only_case  TEXT,
  opened_at  TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  ended_at   TEXT
) STRICT, WITHOUT ROWID;

-- The outbox: what people are to be told. Written in the transaction that causes it.
CREATE TABLE alert (
  id            TEXT PRIMARY KEY,
  kind          TEXT NOT NULL,
  escalation_id TEXT NOT NULL REFERENCES escalation (id),
  person_id     TEXT NOT NULL REFERENCES person (id),
  address       TEXT NOT NULL,
  urgency       TEXT NOT NULL,
  urgency_rank  INTEGER NOT NULL,
  due_at        TEXT NOT NULL,
  state         TEXT NOT NULL,
  attempts      INTEGER NOT NULL,
  leased_by     TEXT,
  leased_until  TEXT,
  last_error    TEXT,
  done_at       TEXT
) STRICT;
CREATE INDEX alert_waiting ON alert (due_at) WHERE state = 'waiting';
CREATE INDEX alert_of_case ON alert (escalation_id);

-- Every policy that ever gave a verdict, as its text.
CREATE TABLE policy_version (
  digest    TEXT PRIMARY KEY,
  text      TEXT NOT NULL,
  loaded_at TEXT NOT NULL
) STRICT;
