-- name: opened_since(since)^
-- The number of the first case opened since an instant.
SELECT opened_seq FROM escalation WHERE opened_at >= :since ORDER BY opened_at, opened_seq LIMIT 1;

-- name: counted_cases(opened_seq, most)
-- What statistics count of cases, in the order of opening, a page at a time; canaries are none.
SELECT e.opened_seq, e.status, e.queue, e.triggers, e.opened_at, e.decided_at, e.decided_by
FROM escalation e JOIN agent a ON a.id = e.agent_id
WHERE e.opened_seq >= :opened_seq AND a.stands_for IS NULL
ORDER BY e.opened_seq LIMIT :most;

-- name: answers_since(since)
-- What people decided since an instant, and when each first looked at the case before: the first look at each version
-- of a case is an event.
SELECT d.person_id, d.choice, d.decided_at, e.queue, e.triggers,
  (SELECT MIN(v.at) FROM audit_event v
   WHERE v.escalation_id = d.escalation_id AND v.type = 'bundle.viewed' AND v.seq < d.seq
     AND json_extract(CAST(v.body AS TEXT), '$.actor.id') = d.person_id) AS looked_at
FROM decision d JOIN escalation e ON e.id = d.escalation_id
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
