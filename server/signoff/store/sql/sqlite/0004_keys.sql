-- The passkeys of people; one counts from the moment a second person confirmed it until it is revoked.
CREATE TABLE person_passkey (
  credential  TEXT PRIMARY KEY,
  person_id   TEXT NOT NULL REFERENCES person (id),
  public_key  BLOB NOT NULL,
  rp_id       TEXT NOT NULL,
  label       TEXT NOT NULL,
  sign_count  INTEGER NOT NULL,
  offered_at  TEXT NOT NULL,
  enrolled_at TEXT,
  enrolled_by TEXT REFERENCES person (id),
  revoked_at  TEXT
) STRICT;
CREATE INDEX person_passkey_of ON person_passkey (person_id);

-- Which policy is in force and which keys were rotated is asked often; such events are few among millions.
CREATE INDEX audit_event_policy ON audit_event (seq) WHERE type = 'policy.loaded';
CREATE INDEX audit_event_keys ON audit_event (seq) WHERE type = 'key.rotated';
CREATE INDEX audit_event_revoked_keys ON audit_event (seq) WHERE type = 'key.revoked';
