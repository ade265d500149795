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
