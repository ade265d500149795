-- What agents asked of the policy, one row an ask: a check, or a request that did not follow its own check.
-- Ids and digests in the clear, so that windows and people can look; the action itself lies in asked_document.
CREATE TABLE asked (
  seq           INTEGER PRIMARY KEY,
  -- Never before the row that was written last; a request that follows its check moves it to the request.
  at            TEXT NOT NULL,
  checked_at    TEXT,
  -- The last time that anything of the row changed: what a backfill must look at is what changed since.
  moved_at      TEXT NOT NULL,
  agent_id      TEXT NOT NULL,
  session       TEXT NOT NULL,
  tool          TEXT NOT NULL,
  server        TEXT,
  subject       TEXT,
  action_digest TEXT NOT NULL,
  verdict       TEXT NOT NULL,
  fired         TEXT NOT NULL,
  shadow        TEXT NOT NULL,
  history       TEXT NOT NULL,
  policy_digest TEXT NOT NULL,
  escalation_id TEXT REFERENCES escalation (id),
  standing      TEXT NOT NULL,
  outcome       TEXT
) STRICT;
CREATE INDEX asked_at ON asked (at);
CREATE INDEX asked_moved ON asked (moved_at, seq);
CREATE UNIQUE INDEX asked_of_case ON asked (escalation_id) WHERE escalation_id IS NOT NULL;
CREATE INDEX asked_of_subject ON asked (subject, at) WHERE subject IS NOT NULL;
CREATE INDEX asked_again ON asked (agent_id, action_digest, at);

-- The action and bundle of an ask, masked, as zlib-compressed JSON; deleted after `checks.keep_documents_for`.
CREATE TABLE asked_document (
  seq  INTEGER PRIMARY KEY REFERENCES asked (seq),
  at   TEXT NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX asked_document_at ON asked_document (at);

-- What is counted: one row a definition (what, of which tools, by whom), whatever window a policy asks of it.
-- Active ones are entered by every process that records, whichever policy it has loaded. `fill_*` is how far the asks
-- from before its declaration have been entered: those from `fill_next` down to `fill_end` wait; where none waits, the
-- definition is complete from `fill_from`, or from `lost_at` if asks up to there could not be read any more.
CREATE TABLE history_series (
  id         INTEGER PRIMARY KEY,
  digest     TEXT NOT NULL UNIQUE,
  definition TEXT NOT NULL,
  active     INTEGER NOT NULL,
  fill_from  TEXT NOT NULL,
  fill_next  INTEGER NOT NULL,
  fill_end   INTEGER NOT NULL,
  lost_at    TEXT NOT NULL
) STRICT;

-- One ask in one series (a definition for one customer, session, agent …). `at_us` is microseconds since 1970, because
-- buckets are cut from it. `stands` says whether the ask counts as it is now; `counted` whether it is in the buckets:
-- the same, but that of one `mark` (the hash of a distinct value) only the newest that stands is.
CREATE TABLE history_entry (
  asked    INTEGER NOT NULL REFERENCES asked (seq),
  series   BLOB NOT NULL,
  at_us    INTEGER NOT NULL,
  counting TEXT NOT NULL,
  value    TEXT NOT NULL,
  mark     BLOB,
  stands   INTEGER NOT NULL,
  counted  INTEGER NOT NULL,
  PRIMARY KEY (asked, series)
) STRICT, WITHOUT ROWID;
CREATE INDEX history_entry_window ON history_entry (series, at_us) WHERE counted = 1;
CREATE INDEX history_entry_mark ON history_entry (series, mark, at_us) WHERE mark IS NOT NULL AND stands = 1;

-- Sums over stretches of time, so that a window costs the same however much happened in it. A bucket of level k is
-- 2^(16 + 4k) microseconds long (65.5 ms to 12.7 days); `total` is an exact decimal, added outside the database.
CREATE TABLE history_bucket (
  series BLOB NOT NULL,
  level  INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  total  TEXT NOT NULL,
  n      INTEGER NOT NULL,
  PRIMARY KEY (series, level, bucket)
) STRICT, WITHOUT ROWID;
