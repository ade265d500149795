-- How sending to each address went of late. An address is known here by an id only.
CREATE TABLE address_health (
  person_id      TEXT NOT NULL REFERENCES person (id),
  address_id     TEXT NOT NULL,
  last_sent_at   TEXT,
  last_failed_at TEXT,
  last_error     TEXT NOT NULL,
  failures       INTEGER NOT NULL,
  PRIMARY KEY (person_id, address_id)
) STRICT, WITHOUT ROWID;
