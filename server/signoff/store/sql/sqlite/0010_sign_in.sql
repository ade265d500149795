-- People see their sign-in sessions and end them, so each has an id that is no secret, and says how it began.
ALTER TABLE sign_in ADD COLUMN id TEXT;
ALTER TABLE sign_in ADD COLUMN way TEXT NOT NULL DEFAULT 'link';
ALTER TABLE sign_in ADD COLUMN browser TEXT NOT NULL DEFAULT '';
UPDATE sign_in SET id = 'ses_' || upper(hex(randomblob(13)));
CREATE UNIQUE INDEX sign_in_id ON sign_in (id);
CREATE INDEX sign_in_open ON sign_in (person_id) WHERE ended_at IS NULL;

-- The outbox of sign-in links: who asked for one on the sign-in page. The link is made when it is sent, so that its
-- secret lies nowhere. A name that nobody has leaves a row, too, so that both take as long.
CREATE TABLE sign_in_request (
  id           TEXT PRIMARY KEY,
  person_id    TEXT REFERENCES person (id),
  place        INTEGER NOT NULL,
  back_to      TEXT,
  asked_at     TEXT NOT NULL,
  due_at       TEXT NOT NULL,
  state        TEXT NOT NULL,
  attempts     INTEGER NOT NULL,
  leased_by    TEXT,
  leased_until TEXT,
  link_id      TEXT REFERENCES link (id)
) STRICT;
CREATE INDEX sign_in_request_waiting ON sign_in_request (due_at) WHERE state = 'waiting';
CREATE INDEX sign_in_request_of ON sign_in_request (person_id, asked_at);
CREATE INDEX sign_in_request_asked ON sign_in_request (asked_at);
CREATE INDEX sign_in_request_link ON sign_in_request (link_id);

-- Challenges that a passkey has signed: each counts once.
CREATE TABLE spent_challenge (
  challenge BLOB PRIMARY KEY,
  spent_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
