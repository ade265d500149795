-- name: last_asked_at()^
-- When the policy was last asked, and the number of the newest ask.
SELECT (SELECT MAX(at) FROM asked) AS at, (SELECT MAX(seq) FROM asked) AS seq;

-- name: add_asked(seq, at, checked_at, moved_at, agent_id, session, tool, server, subject, action_digest, verdict, fired, shadow, history, policy_digest, escalation_id, standing, outcome)*!
-- Record asks.
INSERT INTO asked (seq, at, checked_at, moved_at, agent_id, session, tool, server, subject, action_digest, verdict,
  fired, shadow, history, policy_digest, escalation_id, standing, outcome)
VALUES (:seq, :at, :checked_at, :moved_at, :agent_id, :session, :tool, :server, :subject, :action_digest, :verdict,
  :fired, :shadow, :history, :policy_digest, :escalation_id, :standing, :outcome);

-- name: ask_again(seq, at, checked_at, moved_at, session, subject, verdict, fired, shadow, history, policy_digest, escalation_id, standing)!
-- A request follows its own check: one ask, as it was requested.
UPDATE asked SET at = :at, checked_at = :checked_at, moved_at = :moved_at, session = :session, subject = :subject,
  verdict = :verdict, fired = :fired, shadow = :shadow, history = :history, policy_digest = :policy_digest,
  escalation_id = :escalation_id, standing = :standing
WHERE seq = :seq;

-- name: move_asked(seq, moved_at, standing, outcome)!
-- The case of an ask moved.
UPDATE asked SET moved_at = :moved_at, standing = :standing, outcome = :outcome WHERE seq = :seq;

-- name: asked_of_case(escalation_id)^
-- The ask that a case came of.
SELECT seq, at, standing, outcome FROM asked WHERE escalation_id = :escalation_id;

-- name: check_before(agent_id, session, action_digest, since)^
-- The newest check that a request may follow: one that did not let the action run.
SELECT seq, at, COALESCE(checked_at, at) AS checked_at FROM asked
WHERE agent_id = :agent_id AND action_digest = :action_digest AND at >= :since AND session = :session
  AND escalation_id IS NULL AND standing <> 'allowed'
ORDER BY at DESC, seq DESC LIMIT 1;

-- name: put_asked_document(seq, at, body)*!
-- Keep what was asked; a request replaces what its check said.
INSERT INTO asked_document (seq, at, body) VALUES (:seq, :at, :body)
ON CONFLICT (seq) DO UPDATE SET at = excluded.at, body = excluded.body;

-- name: drop_asked_documents(before, most)
-- Forget what was asked before an instant, a batch at a time.
DELETE FROM asked_document
WHERE seq IN (SELECT seq FROM asked_document WHERE at <= :before ORDER BY at LIMIT :most)
RETURNING seq;

-- name: asked_from(at, seq, most)
-- Asks in the order of time, a page at a time; strictly after (at, seq).
SELECT a.*, d.body AS document FROM asked a LEFT JOIN asked_document d ON d.seq = a.seq
WHERE a.at >= :at AND (a.at > :at OR a.seq > :seq)
ORDER BY a.at, a.seq LIMIT :most;

-- name: asked_back_from(seq, end, moved_after, most)
-- Asks that a new series must hold, newest first, a batch at a time.
SELECT a.*, d.body AS document FROM asked a LEFT JOIN asked_document d ON d.seq = a.seq
WHERE a.seq <= :seq AND a.seq >= :end AND a.moved_at > :moved_after
ORDER BY a.seq DESC LIMIT :most;

-- name: first_asked_after(moved_after)^
-- The first ask that changed after an instant.
SELECT MIN(seq) AS seq FROM asked WHERE moved_at > :moved_after;

-- name: count_asked()^
-- How many asks are recorded.
SELECT COUNT(*) AS n FROM asked;

-- name: every_series()
-- Everything that is counted, or was.
SELECT * FROM history_series ORDER BY id;

-- name: put_series(digest, definition, fill_from, fill_next, fill_end)!
-- Count something from now on, and from `fill_from` on once what was asked before is entered.
INSERT INTO history_series (digest, definition, active, fill_from, fill_next, fill_end, lost_at)
VALUES (:digest, :definition, 1, :fill_from, :fill_next, :fill_end, '')
ON CONFLICT (digest) DO UPDATE SET active = 1, fill_from = excluded.fill_from, fill_next = excluded.fill_next,
  fill_end = excluded.fill_end, lost_at = excluded.lost_at;

-- name: filled_series(id, fill_next, lost_at)!
-- Another batch of earlier asks is entered.
UPDATE history_series SET fill_next = :fill_next, lost_at = :lost_at WHERE id = :id;

-- name: retire_series(id)!
-- Count it no more; what is counted stays until it is old.
UPDATE history_series SET active = 0 WHERE id = :id;

-- name: add_entry(asked, series, at_us, counting, value, mark, stands)^
-- Enter an ask in a series; no row means that it is in already.
INSERT INTO history_entry (asked, series, at_us, counting, value, mark, stands, counted)
VALUES (:asked, :series, :at_us, :counting, :value, :mark, :stands, 0)
ON CONFLICT (asked, series) DO NOTHING RETURNING asked;

-- name: entries_of(asked)
-- The series that an ask is in.
SELECT * FROM history_entry WHERE asked = :asked;

-- name: set_entry(asked, series, at_us, stands, counted)!
-- How an entry counts now.
UPDATE history_entry SET at_us = :at_us, stands = :stands, counted = :counted
WHERE asked = :asked AND series = :series;

-- name: drop_entry(asked, series)!
-- Take an entry out; its buckets were brought down before.
DELETE FROM history_entry WHERE asked = :asked AND series = :series;

-- name: entries_before(asked, at_us, most)
-- Entries older than every window, a batch at a time.
SELECT * FROM history_entry WHERE asked <= :asked AND at_us <= :at_us ORDER BY asked, series LIMIT :most;

-- name: last_asked_before(before)^
-- The last ask up to an instant.
SELECT seq FROM asked WHERE at <= :before ORDER BY at DESC, seq DESC LIMIT 1;

-- name: newest_of_mark(series, mark, but)^
-- The newest entry of a value that stands, one ask left out.
SELECT * FROM history_entry
WHERE series = :series AND mark = :mark AND stands = 1 AND mark IS NOT NULL AND asked <> :but
ORDER BY at_us DESC, asked DESC LIMIT 1;

-- name: newest_entry(series)^
-- The newest entry of a series.
SELECT MAX(at_us) AS at_us FROM history_entry WHERE series = :series AND counted = 1;

-- name: window(series, after, end0, from0, end1, from1, end2, from2, end3, from3, end4, from4, end5, from5, end6, from6)
-- The parts of a series after an instant: at most 15 buckets of each level, and what stands in the first of them.
SELECT value AS total, 1 AS n FROM history_entry
WHERE series = :series AND counted = 1 AND at_us > :after AND at_us < :end0
UNION ALL SELECT total, n FROM history_bucket WHERE series = :series AND level = 0 AND bucket >= :from0 AND bucket < :end1
UNION ALL SELECT total, n FROM history_bucket WHERE series = :series AND level = 1 AND bucket >= :from1 AND bucket < :end2
UNION ALL SELECT total, n FROM history_bucket WHERE series = :series AND level = 2 AND bucket >= :from2 AND bucket < :end3
UNION ALL SELECT total, n FROM history_bucket WHERE series = :series AND level = 3 AND bucket >= :from3 AND bucket < :end4
UNION ALL SELECT total, n FROM history_bucket WHERE series = :series AND level = 4 AND bucket >= :from4 AND bucket < :end5
UNION ALL SELECT total, n FROM history_bucket WHERE series = :series AND level = 5 AND bucket >= :from5 AND bucket < :end6
UNION ALL SELECT total, n FROM history_bucket WHERE series = :series AND level = 6 AND bucket >= :from6;

-- name: buckets_at(series, b0, b1, b2, b3, b4, b5, b6)
-- The buckets that hold an instant, one a level; those that are empty have no row.
SELECT level, bucket, total, n FROM history_bucket WHERE series = :series AND level = 0 AND bucket = :b0
UNION ALL SELECT level, bucket, total, n FROM history_bucket WHERE series = :series AND level = 1 AND bucket = :b1
UNION ALL SELECT level, bucket, total, n FROM history_bucket WHERE series = :series AND level = 2 AND bucket = :b2
UNION ALL SELECT level, bucket, total, n FROM history_bucket WHERE series = :series AND level = 3 AND bucket = :b3
UNION ALL SELECT level, bucket, total, n FROM history_bucket WHERE series = :series AND level = 4 AND bucket = :b4
UNION ALL SELECT level, bucket, total, n FROM history_bucket WHERE series = :series AND level = 5 AND bucket = :b5
UNION ALL SELECT level, bucket, total, n FROM history_bucket WHERE series = :series AND level = 6 AND bucket = :b6;

-- name: put_buckets(series, level, bucket, total, n)*!
-- Write sums.
INSERT INTO history_bucket (series, level, bucket, total, n) VALUES (:series, :level, :bucket, :total, :n)
ON CONFLICT (series, level, bucket) DO UPDATE SET total = excluded.total, n = excluded.n;

-- name: drop_empty_buckets(series, level, bucket)*!
-- A bucket that holds nothing needs no row.
DELETE FROM history_bucket WHERE series = :series AND level = :level AND bucket = :bucket AND n = 0;
