-- Where a person's alerts go, in order. `url` is sealed under the key of the addresses (`store/sealing.py`), except
-- for `terminal:`, which names nobody.
CREATE TABLE person_address (
  id        TEXT PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES person (id),
  position  INTEGER NOT NULL,
  label     TEXT NOT NULL,
  url       TEXT NOT NULL
) STRICT;
CREATE INDEX person_address_of ON person_address (person_id, position);

-- Until now they lay open in the person's row. They get their label, and are sealed, when the database is opened.
INSERT INTO person_address (id, person_id, position, label, url)
SELECT 'adr_' || hex(randomblob(13)), person.id, entry.key, '', entry.value
FROM person, json_each(person.addresses) AS entry;
ALTER TABLE person DROP COLUMN addresses;

-- Whether every sealed column is under the key of this name, and what lay open before is out of every file; one row.
CREATE TABLE address_sealing (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  key_id TEXT NOT NULL,
  erased INTEGER NOT NULL
) STRICT;

ALTER TABLE person ADD COLUMN hours TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN zone TEXT NOT NULL DEFAULT 'UTC';
ALTER TABLE person ADD COLUMN holidays TEXT NOT NULL DEFAULT '[]';
ALTER TABLE person ADD COLUMN preferences TEXT NOT NULL DEFAULT '{}';

-- People who take the duty in turn, each for a week.
CREATE TABLE rotation (
  name     TEXT PRIMARY KEY,
  people   TEXT NOT NULL,
  first_on TEXT NOT NULL,
  at       TEXT NOT NULL,
  zone     TEXT NOT NULL,
  hours    TEXT NOT NULL,
  holidays TEXT NOT NULL
) STRICT;

-- For a while, one person stands in for another, or for whoever has the turn in a rotation.
CREATE TABLE duty_override (
  id         TEXT PRIMARY KEY,
  rotation   TEXT,
  instead_of TEXT REFERENCES person (id),
  person_id  TEXT NOT NULL REFERENCES person (id),
  starts_at  TEXT NOT NULL,
  ends_at    TEXT NOT NULL,
  made_at    TEXT NOT NULL
) STRICT;
CREATE INDEX duty_override_ends ON duty_override (ends_at);

-- While a person cannot be reached at all.
CREATE TABLE absence (
  id        TEXT PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES person (id),
  starts_at TEXT NOT NULL,
  ends_at   TEXT NOT NULL
) STRICT;
CREATE INDEX absence_ends ON absence (ends_at);
