-- name: cases_of_subject(subject)
-- Cases about somebody, by the subject's id in the bundle. Reads every bundle: an index would be one more place.
SELECT e.id FROM escalation e JOIN payload p ON p.seq = e.opened_seq AND p.field = 'bundle'
WHERE CASE WHEN json_valid(CAST(p.body AS TEXT))
  THEN json_extract(CAST(p.body AS TEXT), '$.bundle.subject.id') = :subject END
ORDER BY e.opened_seq;

-- name: cases_ended_before(before, fields, alerts, most)
-- Cases that ended before an instant and have something left: a payload of one of some fields, alerts or links.
SELECT e.id FROM escalation e
WHERE e.status <> 'pending' AND e.decided_at < :before AND (
  EXISTS (SELECT 1 FROM audit_event a JOIN payload p ON p.seq = a.seq
          WHERE a.escalation_id = e.id AND a.type NOT IN ('hold.placed', 'hold.lifted')
            AND p.field IN (SELECT value FROM json_each(:fields)))
  OR (:alerts AND (EXISTS (SELECT 1 FROM alert WHERE escalation_id = e.id)
                   OR EXISTS (SELECT 1 FROM link WHERE escalation_id = e.id))))
ORDER BY e.decided_at, e.id LIMIT :most;

-- name: parts_of_case(escalation_id)
-- What lies beside the events of a case; the events of holds keep theirs until they are lifted.
SELECT p.seq, p.field, a.body AS event FROM audit_event a JOIN payload p ON p.seq = a.seq
WHERE a.escalation_id = :escalation_id AND a.type NOT IN ('hold.placed', 'hold.lifted') ORDER BY p.seq, p.field;

-- name: erase_payload(seq, field)!
-- Payload and salt together; the commitment in the event then reveals nothing.
DELETE FROM payload WHERE seq = :seq AND field = :field;

-- name: erase_texts(escalation_id, tool)
-- The columns that repeat the bundle.
UPDATE escalation SET tool = :tool, server = NULL, summary = '', masked = '[]'
WHERE id = :escalation_id RETURNING id;

-- name: erase_keys(escalation_id)
-- Idempotency keys are the agent's words, and the digest of the input lets a guess be confirmed.
DELETE FROM idempotency WHERE escalation_id = :escalation_id RETURNING key;

-- name: erase_alerts(escalation_id)
-- Who was told, at which address.
DELETE FROM alert WHERE escalation_id = :escalation_id RETURNING state;

-- name: erase_links(escalation_id)
-- Which addresses magic links went to.
DELETE FROM link WHERE escalation_id = :escalation_id RETURNING id;

-- name: strip_ask(escalation_id, tool)
-- The words of the ask that a case came of. What it counted as in windows stays until no window reaches it.
UPDATE asked SET tool = :tool, server = NULL, subject = NULL, session = :tool, history = '{}'
WHERE escalation_id = :escalation_id RETURNING seq;

-- name: strip_ask_document(escalation_id)
-- Action and bundle of the ask that a case came of.
DELETE FROM asked_document WHERE seq = (SELECT seq FROM asked WHERE escalation_id = :escalation_id) RETURNING seq;

-- name: asks_of_case(escalation_id, tool)
-- The ask that a case came of, and its agent's checks of the same action, whose words are the same.
SELECT a.seq, COALESCE(a.checked_at, a.at) AS asked_at, a.subject, a.escalation_id IS NULL AS is_check,
  a.tool <> :tool AS worded
FROM escalation e JOIN asked a ON a.escalation_id = e.id
  OR (a.escalation_id IS NULL AND a.agent_id = e.agent_id AND a.action_digest IN (e.action_digest, e.final_digest))
WHERE e.id = :escalation_id
  AND (a.tool <> :tool OR EXISTS (SELECT 1 FROM history_entry h WHERE h.asked = a.seq))
ORDER BY a.seq;

-- name: checks_of_subject(subject)
-- Checks about somebody that no case came of.
SELECT seq, COALESCE(checked_at, at) AS asked_at, subject, 1 AS is_check, 1 AS worded FROM asked
WHERE subject = :subject AND escalation_id IS NULL ORDER BY seq;

-- name: checks_before(before, at, seq, most)
-- Checks from before an instant that no case came of, a page at a time; strictly after (at, seq).
SELECT seq, at AS asked_at, subject, 1 AS is_check, 1 AS worded FROM asked
WHERE at < :before AND escalation_id IS NULL AND at >= :at AND (at > :at OR seq > :seq)
ORDER BY at, seq LIMIT :most;

-- name: ask_named(seq, asked_at)^
-- An ask by its number and when it was first asked: after a backup was restored, a number may be given twice.
SELECT seq, COALESCE(checked_at, at) AS asked_at, subject, escalation_id IS NULL AS is_check, 1 AS worded FROM asked
WHERE seq = :seq AND COALESCE(checked_at, at) = :asked_at;

-- name: erase_ask_document(seq)!
-- Action and bundle of an ask.
DELETE FROM asked_document WHERE seq = :seq;

-- name: erase_ask(seq)!
-- An ask, which no series holds any more.
DELETE FROM asked WHERE seq = :seq;

-- name: count_rows_of_case(escalation_id)^
-- What else is kept of a case.
SELECT (SELECT COUNT(*) FROM idempotency WHERE escalation_id = :escalation_id) AS keys,
       (SELECT COUNT(*) FROM alert WHERE escalation_id = :escalation_id) AS alerts,
       (SELECT COUNT(*) FROM alert WHERE escalation_id = :escalation_id AND state = 'sent') AS alerts_sent,
       (SELECT COUNT(*) FROM link WHERE escalation_id = :escalation_id) AS links,
       (SELECT opened_seq FROM escalation WHERE id = :escalation_id) AS opened_seq;

-- name: event_body(seq)^
-- The bytes of one event.
SELECT body FROM audit_event WHERE seq = :seq;

-- name: events_typed(type, seq, most)
-- Events of one type in order, a page at a time; reads the whole log.
SELECT seq, body FROM audit_event WHERE type = :type AND seq > :seq ORDER BY seq LIMIT :most;

-- name: events_of_case_typed(escalation_id, type)
-- The events of one type of a case.
SELECT seq, body FROM audit_event WHERE escalation_id = :escalation_id AND type = :type ORDER BY seq;

-- name: count_events(type)^
-- How often something happened at all; reads the whole log.
SELECT COUNT(*) AS n FROM audit_event WHERE type = :type;

-- name: erasure_state()^
-- How far erasing has come.
SELECT file_bytes, erased, scrubbed FROM erasure_state WHERE id = 1;

-- name: note_erasures(file_bytes, count)!
-- So much of the file of erasures is done, and so many erasures have left bytes behind.
UPDATE erasure_state SET file_bytes = :file_bytes, erased = erased + :count WHERE id = 1;

-- name: note_scrubbed(erased)!
-- Of the first so many erasures no byte is left.
UPDATE erasure_state SET scrubbed = max(scrubbed, :erased) WHERE id = 1;

-- name: add_hold(id, escalation_id, placed_seq, placed_at, placed_by)!
-- Keep something from being erased.
INSERT INTO hold (id, escalation_id, placed_seq, placed_at, placed_by)
VALUES (:id, :escalation_id, :placed_seq, :placed_at, :placed_by);

-- name: lift_hold(id, lifted_seq, lifted_at, lifted_by)^
-- End a hold; no row means that it was lifted before.
UPDATE hold SET lifted_seq = :lifted_seq, lifted_at = :lifted_at, lifted_by = :lifted_by
WHERE id = :id AND lifted_seq IS NULL RETURNING id;

-- name: holds()
-- Every hold with its words, oldest first.
SELECT h.*, s.body AS subject, r.body AS reason FROM hold h
LEFT JOIN payload s ON s.seq = h.placed_seq AND s.field = 'subject'
LEFT JOIN payload r ON r.seq = h.placed_seq AND r.field = 'reason'
ORDER BY h.placed_seq;

-- name: parts_of_hold(id)
-- What lies beside the events of a hold.
SELECT p.seq, p.field, a.body AS event
FROM hold h JOIN payload p ON p.seq IN (h.placed_seq, h.lifted_seq) JOIN audit_event a ON a.seq = p.seq
WHERE h.id = :id ORDER BY p.seq, p.field;

-- name: add_exported(seq, made_at, directory, cases)!
-- Remember where an export went.
INSERT INTO exported (seq, made_at, directory, cases) VALUES (:seq, :made_at, :directory, :cases);

-- name: exports()
-- Every export, oldest first.
SELECT seq, made_at, directory, cases FROM exported ORDER BY seq;
