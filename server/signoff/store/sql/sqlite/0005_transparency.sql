-- What witnesses added to signed tree heads: one signature line each.
CREATE TABLE cosignature (
  size    INTEGER NOT NULL,
  witness TEXT NOT NULL,
  line    TEXT NOT NULL,
  at      TEXT NOT NULL,
  PRIMARY KEY (size, witness)
) STRICT, WITHOUT ROWID;

-- A checkpoint that contradicts the log is recorded once, however often it is shown; mostly this index is empty.
CREATE INDEX audit_event_of_forks ON audit_event (seq) WHERE type = 'audit.fork_suspected';
