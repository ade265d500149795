-- Legal holds: what may not be erased. Reason and subject are payloads of the event that placed the hold.
CREATE TABLE hold (
  id            TEXT PRIMARY KEY,
  escalation_id TEXT REFERENCES escalation (id),
  placed_seq    INTEGER NOT NULL UNIQUE REFERENCES audit_event (seq),
  placed_at     TEXT NOT NULL,
  placed_by     TEXT,
  lifted_seq    INTEGER REFERENCES audit_event (seq),
  lifted_at     TEXT,
  lifted_by     TEXT
) STRICT;

-- Where exports went and which cases they hold, so that an erasure can say what it cannot reach. `cases` holds the
-- numbers of the cases' first events, 8 bytes each, ascending, compressed.
CREATE TABLE exported (
  seq       INTEGER PRIMARY KEY REFERENCES audit_event (seq),
  made_at   TEXT NOT NULL,
  directory TEXT NOT NULL,
  cases     BLOB NOT NULL
) STRICT;

-- One row. `file_bytes`: how much of the file of erasures outside the database is done here; a restored database
-- has less. `erased` counts erasures, `scrubbed` is what it was when no byte of them was left in any file.
CREATE TABLE erasure_state (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  file_bytes INTEGER NOT NULL,
  erased     INTEGER NOT NULL,
  scrubbed   INTEGER NOT NULL
) STRICT;
INSERT INTO erasure_state (id, file_bytes, erased, scrubbed) VALUES (1, 0, 0, 0);
