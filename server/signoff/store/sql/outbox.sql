-- name: add_alert(id, kind, escalation_id, person_id, address, urgency, urgency_rank, due_at)!
-- Put an alert into the outbox.
INSERT INTO alert (id, kind, escalation_id, person_id, address, urgency, urgency_rank, due_at, state, attempts)
VALUES (:id, :kind, :escalation_id, :person_id, :address, :urgency, :urgency_rank, :due_at, 'waiting', 0);

-- name: lease_alerts(now, until, owner, most)
-- Take alerts that are due and that nobody else is sending; a lease that ran out is free again.
UPDATE alert SET leased_by = :owner, leased_until = :until, attempts = attempts + 1
WHERE id IN (
  SELECT id FROM alert
  WHERE state = 'waiting' AND due_at <= :now AND (leased_until IS NULL OR leased_until <= :now)
  ORDER BY urgency_rank DESC, due_at, id LIMIT :most)
RETURNING *;

-- name: finish_alert(id, owner, state, last_error, done_at)^
-- Record how sending ended, if the lease is still held.
UPDATE alert SET state = :state, last_error = :last_error, done_at = :done_at, leased_by = NULL, leased_until = NULL
WHERE id = :id AND state = 'waiting' AND leased_by = :owner RETURNING id;

-- name: delay_alert(id, owner, due_at, last_error)^
-- Try again later, if the lease is still held.
UPDATE alert SET due_at = :due_at, last_error = :last_error, leased_by = NULL, leased_until = NULL
WHERE id = :id AND state = 'waiting' AND leased_by = :owner RETURNING id;

-- name: drop_alerts_of_case(escalation_id, done_at)!
-- A case that has ended needs no more alerts.
UPDATE alert SET state = 'dropped', done_at = :done_at, leased_by = NULL, leased_until = NULL
WHERE escalation_id = :escalation_id AND state = 'waiting';

-- name: alerts_of_case(escalation_id)
-- Who was or will be told of a case.
SELECT * FROM alert WHERE escalation_id = :escalation_id ORDER BY id;

-- name: next_alert_due()^
-- When the outbox next has work.
SELECT MIN(due_at) AS due_at FROM alert WHERE state = 'waiting';

-- name: count_failed_alerts()^
-- Alerts that were given up while their case is still open.
SELECT COUNT(*) AS n FROM alert a JOIN escalation e ON e.id = a.escalation_id
WHERE a.state = 'failed' AND e.status = 'pending';
