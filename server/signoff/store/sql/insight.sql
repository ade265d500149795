-- name: counted_cases(since, queues)
-- What statistics count of the cases of some queues, or of all for null, opened since an instant, in one pass over them;
-- canaries are none. `kind` says what `value` is: whether people decided (ended), seconds from opening to decision
-- (by queue, by triggers), or a quarter of an hour in UTC (opened, decided). Cases that the policy decided alone are in
-- `ended` only.
WITH c AS MATERIALIZED (
  SELECT queue, triggers, status, decided_by <> '[]' AS by_people, opened_at, decided_at,
    CASE WHEN decided_by <> '[]'
      THEN CAST((julianday(decided_at) - julianday(opened_at)) * 86400.0 + 0.5 AS INTEGER) END AS seconds
  FROM escalation
  WHERE opened_at >= :since AND agent_id NOT IN (SELECT id FROM agent WHERE stands_for IS NOT NULL)
    AND (:queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)))
)
SELECT 'ended' AS kind, queue, triggers, status, by_people AS value, COUNT(*) AS n
FROM c GROUP BY queue, triggers, status, by_people
UNION ALL
SELECT 'by queue', queue, '[]', '', seconds, COUNT(*) FROM c WHERE seconds IS NOT NULL GROUP BY queue, seconds
UNION ALL
SELECT 'by triggers', '', triggers, '', seconds, COUNT(*) FROM c WHERE seconds IS NOT NULL GROUP BY triggers, seconds
UNION ALL
SELECT 'opened', '', '[]', '', substr(opened_at, 1, 14) || CAST(substr(opened_at, 15, 2) / 15 * 15 AS TEXT), COUNT(*)
FROM c WHERE by_people OR status NOT IN ('approved', 'rejected') GROUP BY 5
UNION ALL
SELECT 'decided', '', '[]', '', substr(decided_at, 1, 14) || CAST(substr(decided_at, 15, 2) / 15 * 15 AS TEXT), COUNT(*)
FROM c WHERE seconds IS NOT NULL GROUP BY 5;

-- name: fast_approvals(since, triggers, within_s)^
-- How many approvals of cases with exactly these triggers came within seconds of their person's first look.
SELECT COUNT(*) AS n
FROM decision d JOIN escalation e ON e.id = d.escalation_id
WHERE d.decided_at >= :since AND d.undone_at IS NULL AND d.choice = 'approve' AND e.triggers = :triggers
  AND (julianday(d.decided_at) - julianday(
    (SELECT MIN(v.at) FROM audit_event v
     WHERE v.escalation_id = d.escalation_id AND v.type = 'bundle.viewed' AND v.seq < d.seq
       AND json_extract(CAST(v.body AS TEXT), '$.actor.id') = d.person_id))) * 86400.0 < :within_s;

-- name: answers_since(since)
-- What people decided since an instant, and when each first looked at the case before: the first look at each version
-- of a case is an event.
SELECT d.person_id, d.choice, d.decided_at,
  (SELECT MIN(v.at) FROM audit_event v
   WHERE v.escalation_id = d.escalation_id AND v.type = 'bundle.viewed' AND v.seq < d.seq
     AND json_extract(CAST(v.body AS TEXT), '$.actor.id') = d.person_id) AS looked_at
FROM decision d
WHERE d.decided_at >= :since AND d.undone_at IS NULL
ORDER BY d.decided_at, d.id;

-- name: canary(escalation_id)^
-- A canary by its case, with how the case stands.
SELECT c.*, e.status, e.queue, e.tool, e.summary
FROM canary c JOIN escalation e ON e.id = c.escalation_id WHERE c.escalation_id = :escalation_id;

-- name: canaries_since(since)
-- The canaries made since an instant, newest first, each with how its case stands.
SELECT c.*, e.status, e.queue, e.tool, e.summary
FROM canary c JOIN escalation e ON e.id = c.escalation_id
WHERE c.made_at >= :since ORDER BY c.made_at DESC, c.escalation_id DESC;

-- name: add_canary(escalation_id, made_by, made_at, drill)!
-- Keep that a case is a canary.
INSERT INTO canary (escalation_id, made_by, made_at, drill) VALUES (:escalation_id, :made_by, :made_at, :drill);

-- name: answer_canary(escalation_id, answered_by, answered_at, choice)!
-- Keep what somebody made of a canary.
UPDATE canary SET answered_by = :answered_by, answered_at = :answered_at, choice = :choice
WHERE escalation_id = :escalation_id;

-- name: stand_in(stands_for)^
-- The agent that asks for canaries under the name of another.
SELECT * FROM agent WHERE stands_for = :stands_for;

-- name: add_stand_in(id, name, owner, created_at, stands_for, shown_name)!
-- Add an agent that asks for canaries; it has no key.
INSERT INTO agent (id, name, owner, created_at, stands_for, shown_name)
VALUES (:id, :name, :owner, :created_at, :stands_for, :shown_name);

-- name: found_decisions(status, queue, person, trigger, text, since, until, before_at, before_id, most)
-- Cases that have ended, newest first, as somebody searches them; an empty text asks for nothing. The index on the
-- ending gives the order; what is asked besides is looked at row by row until the page is full.
SELECT * FROM escalation
WHERE status <> 'pending' AND decided_at >= :since AND decided_at < :until
  AND (decided_at < :before_at OR (decided_at = :before_at AND id > :before_id))
  AND (:status = '' OR status = :status)
  AND (:queue = '' OR queue = :queue)
  AND (:person = '' OR instr(decided_by, :person) > 0)
  AND (:trigger = '' OR instr(triggers, :trigger) > 0)
  AND (:text = '' OR id = :text OR instr(lower(tool), lower(:text)) > 0 OR instr(lower(summary), lower(:text)) > 0)
ORDER BY decided_at DESC, id LIMIT :most;

-- name: verifications(most)
-- The last verifications that somebody asked for on a page, newest first.
SELECT body FROM audit_event WHERE type = 'audit.verified' ORDER BY seq DESC LIMIT :most;
