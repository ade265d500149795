-- Statistics read what was opened, or decided, since an instant.
CREATE INDEX escalation_opened ON escalation (opened_at, opened_seq);
CREATE INDEX decision_at ON decision (decided_at);

-- When the log was verified on a page, newest first.
CREATE INDEX audit_event_verified ON audit_event (seq) WHERE type = 'audit.verified';

-- A canary is a case that must be rejected, made by people to see whether it is. It is asked for by a stand-in: an
-- agent without a key that is shown under the name of another, so that no agent ever holds one.
ALTER TABLE agent ADD COLUMN stands_for TEXT REFERENCES agent (id);
ALTER TABLE agent ADD COLUMN shown_name TEXT;
CREATE UNIQUE INDEX agent_stand_in ON agent (stands_for) WHERE stands_for IS NOT NULL;

-- `drill` names the exercise that a canary belongs to. What a person answered stands here and in no decision: a canary
-- is never approved.
CREATE TABLE canary (
  escalation_id TEXT PRIMARY KEY REFERENCES escalation (id),
  made_by       TEXT NOT NULL,
  made_at       TEXT NOT NULL,
  drill         TEXT,
  answered_by   TEXT REFERENCES person (id),
  answered_at   TEXT,
  choice        TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX canary_made ON canary (made_at);
CREATE INDEX canary_drill ON canary (drill) WHERE drill IS NOT NULL;
