-- name: add_alert(id, kind, escalation_id, person_id, address, urgency, urgency_rank, due_at, about)^
-- Put an alert into the outbox; no row means that the same one waits there already.
INSERT INTO alert (id, kind, escalation_id, person_id, address, urgency, urgency_rank, first_due_at, due_at, state,
  attempts, about)
SELECT :id, :kind, :escalation_id, :person_id, :address, :urgency, :urgency_rank, :due_at, :due_at, 'waiting', 0, :about
WHERE NOT EXISTS (
  SELECT 1 FROM alert WHERE escalation_id IS :escalation_id AND person_id = :person_id AND kind = :kind
    AND address = :address AND about IS :about AND state IN ('waiting', 'digested'))
RETURNING id;

-- name: lease_alerts(now, until, owner, most, per_address, of_cases)
-- Take alerts that are due and that nobody else is sending, those of cases or those of none; a lease that ran out is
-- free again. Only some are on their
-- way to one address at a time, so that one that hangs does not take all the places; the terminal never hangs.
WITH busy AS (
  SELECT person_id, address, COUNT(*) AS n FROM alert WHERE state = 'waiting' AND leased_until > :now
  GROUP BY person_id, address),
ready AS (
  SELECT a.id, a.urgency_rank, a.due_at, a.address,
    COALESCE(busy.n, 0) + ROW_NUMBER() OVER (
      PARTITION BY a.person_id, a.address ORDER BY a.urgency_rank DESC, a.due_at, a.id) AS place
  FROM alert a LEFT JOIN busy ON busy.person_id = a.person_id AND busy.address = a.address
  WHERE a.state = 'waiting' AND a.due_at <= :now AND (a.leased_until IS NULL OR a.leased_until <= :now)
    AND (a.held_until IS NULL OR a.held_until <= :now) AND (a.escalation_id IS NOT NULL) = :of_cases)
UPDATE alert SET leased_by = :owner, leased_until = :until, held_until = NULL, attempts = attempts + 1
WHERE id IN (
  SELECT id FROM ready WHERE place <= :per_address OR address = 'terminal:'
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

-- name: retry_alert(id, due_at)^
-- Try an alert again that was given up; no row means that it was not.
UPDATE alert SET state = 'waiting', first_due_at = :due_at, due_at = :due_at, done_at = NULL, digest_id = NULL
WHERE id = :id AND state = 'failed' RETURNING id;

-- name: drop_alerts_of_case(escalation_id, done_at)!
-- A case that has ended needs no more alerts, and one that is open again was not decided.
UPDATE alert SET state = 'dropped', done_at = :done_at, leased_by = NULL, leased_until = NULL, held_until = NULL
WHERE escalation_id = :escalation_id AND state IN ('waiting', 'digested');

-- name: alerts_of_case(escalation_id)
-- Who was or will be told of a case.
SELECT * FROM alert WHERE escalation_id = :escalation_id ORDER BY id;

-- name: alerts_lately(state, most)
-- The newest alerts, of one state or of all.
SELECT * FROM alert WHERE :state IS NULL OR state = :state ORDER BY id DESC LIMIT :most;

-- name: alert(id)^
-- An alert by its id.
SELECT * FROM alert WHERE id = :id;

-- name: next_alert_due()^
-- When the outbox next has work: not before a lease or a hold ends.
SELECT MIN(MAX(due_at, COALESCE(leased_until, ''), COALESCE(held_until, ''))) AS due_at FROM alert
WHERE state = 'waiting';

-- name: count_failed_alerts(queues)^
-- Alerts that were given up while their case is still open, in some queues or, for null, in all.
SELECT COUNT(*) AS n FROM alert a JOIN escalation e ON e.id = a.escalation_id
WHERE a.state = 'failed' AND e.status = 'pending'
  AND (:queues IS NULL OR e.queue IN (SELECT value FROM json_each(:queues)));

-- name: begin_attempts(alert_id, number, owner, began_at)*!
-- Note that alerts are being sent.
INSERT INTO alert_attempt (alert_id, number, owner, began_at) VALUES (:alert_id, :number, :owner, :began_at);

-- name: end_attempt(alert_id, number, owner, ended_at, error)!
-- Note how a try went, also where the lease was lost meanwhile.
UPDATE alert_attempt SET ended_at = :ended_at, error = :error
WHERE alert_id = :alert_id AND number = :number AND owner = :owner AND ended_at IS NULL;

-- name: attempts_of_alert(alert_id)
-- Every try to send an alert, in order; those of its digest where it went out with one.
SELECT t.* FROM alert_attempt t JOIN alert a ON t.alert_id IN (a.id, a.digest_id) WHERE a.id = :alert_id
ORDER BY t.began_at, t.number;

-- name: tries_of_alert(alert_id)^
-- How often an alert was tried, and since when; tries before it was taken up again by hand do not count.
SELECT COUNT(*) AS n, MIN(t.began_at) AS began_at FROM alert_attempt t JOIN alert a ON a.id = t.alert_id
WHERE t.alert_id = :alert_id AND t.began_at >= a.first_due_at;

-- name: told_of_case(escalation_id, anybody)
-- Who was asked to decide a case, and where; without those who do not want to hear how it ended. With `anybody`, also
-- those whom no channel reached.
SELECT a.person_id, a.address, MAX(a.state = 'sent' OR a.attempts > 0) AS tried
FROM alert a JOIN person p ON p.id = a.person_id
WHERE a.escalation_id = :escalation_id AND (a.state = 'sent' OR :anybody)
  AND a.kind IN ('opened', 'fresh_link', 'escalated', 'repeated', 'handed_over', 'answered')
  AND p.disabled_at IS NULL AND (p.follow_up = 1 OR :anybody)
GROUP BY a.person_id, a.address ORDER BY MIN(a.id);

-- name: reached(escalation_id, person_id)^
-- Whether a channel has taken some alert of a case to a person.
SELECT 1 AS yes FROM alert WHERE escalation_id = :escalation_id AND person_id = :person_id AND state = 'sent'
  AND kind IN ('opened', 'fresh_link', 'escalated', 'repeated', 'handed_over', 'answered') LIMIT 1;

-- name: crowded(now, since, most)
-- Addresses to which more alerts of low or normal urgency wait, or went lately, than may go one by one.
SELECT a.person_id, a.address, COUNT(*) AS waiting, MIN(a.held_until) AS held_until, MIN(e.deadline_at) AS deadline_at,
  (SELECT COUNT(*) FROM alert s WHERE s.person_id = a.person_id AND s.address = a.address AND s.state = 'sent'
     AND s.done_at > :since AND s.urgency_rank <= 1 AND s.kind <> 'digest' AND s.escalation_id IS NOT NULL)
  + (SELECT COUNT(*) FROM alert s WHERE s.person_id = a.person_id AND s.address = a.address AND s.state = 'waiting'
     AND s.leased_until > :now AND s.urgency_rank <= 1 AND s.escalation_id IS NOT NULL) AS lately
FROM alert a JOIN escalation e ON e.id = a.escalation_id
WHERE a.state = 'waiting' AND a.due_at <= :now AND a.leased_until IS NULL AND a.attempts = 0 AND a.urgency_rank <= 1
  AND a.kind <> 'fresh_link'
GROUP BY a.person_id, a.address HAVING waiting + lately > :most;

-- name: hold_alerts(person_id, address, now, held_until, free)!
-- Let alerts to an address wait for one another, but those that may still go one by one.
UPDATE alert SET held_until = :held_until WHERE id IN (
  SELECT id FROM alert
  WHERE person_id = :person_id AND address = :address AND state = 'waiting' AND due_at <= :now AND leased_until IS NULL
    AND attempts = 0 AND urgency_rank <= 1 AND escalation_id IS NOT NULL AND kind <> 'fresh_link'
  ORDER BY urgency_rank DESC, due_at, id LIMIT -1 OFFSET :free);

-- name: release_alerts(person_id, address)!
-- Let alerts to an address go one by one.
UPDATE alert SET held_until = NULL
WHERE person_id = :person_id AND address = :address AND state = 'waiting' AND held_until IS NOT NULL;

-- name: digest_to(person_id, address)^
-- A digest to an address that waits, and whether it is on its way.
SELECT id, leased_until FROM alert
WHERE person_id = :person_id AND address = :address AND kind = 'digest' AND state = 'waiting';

-- name: put_into_digest(digest_id, person_id, address, now, most)!
-- Make the alerts that wait for an address parts of a digest.
UPDATE alert SET state = 'digested', digest_id = :digest_id, held_until = NULL WHERE id IN (
  SELECT id FROM alert
  WHERE person_id = :person_id AND address = :address AND state = 'waiting' AND due_at <= :now AND leased_until IS NULL
    AND attempts = 0 AND urgency_rank <= 1 AND escalation_id IS NOT NULL AND kind <> 'fresh_link'
  ORDER BY urgency_rank DESC, due_at, id LIMIT :most);

-- name: in_digest(digest_id)
-- The alerts that a digest speaks for, with what it says of their cases.
SELECT a.id, a.escalation_id, e.agent_id, e.tool, e.urgency, e.deadline_at, e.status FROM alert a JOIN escalation e ON e.id = a.escalation_id
WHERE a.digest_id = :digest_id AND a.state = 'digested' ORDER BY a.id;

-- name: finish_digested(digest_id, state, last_error, done_at)!
-- What came of a digest came of every alert in it.
UPDATE alert SET state = :state, last_error = :last_error, done_at = :done_at
WHERE digest_id = :digest_id AND state = 'digested';

-- name: dead_letter_told(person_id, address, alert_id, since)^
-- Whether an administrator heard lately, at an address, that alerts to the same address as this one were given up.
SELECT 1 AS yes FROM alert d JOIN alert f ON f.id = d.about JOIN alert one ON one.id = :alert_id
WHERE d.kind = 'dead_letter' AND d.person_id = :person_id AND d.address = :address AND d.state <> 'failed'
  AND d.first_due_at > :since AND f.person_id = one.person_id AND f.address = one.address LIMIT 1;

-- name: also_failed(alert_id, since)^
-- How many other alerts to the same address were given up lately.
SELECT COUNT(*) AS n FROM alert f JOIN alert one ON one.id = :alert_id
WHERE f.person_id = one.person_id AND f.address = one.address AND f.state = 'failed' AND f.done_at > :since
  AND f.id <> one.id;

-- name: alert_like(kind, person_id, address, since)^
-- Whether a person was lately told something of a kind at an address.
SELECT 1 AS yes FROM alert WHERE kind = :kind AND person_id = :person_id AND address = :address
  AND escalation_id IS NULL AND first_due_at > :since LIMIT 1;

-- name: beat(owner, beat_at)!
-- A worker was seen sending alerts.
INSERT INTO alert_worker (owner, beat_at) VALUES (:owner, :beat_at)
ON CONFLICT (owner) DO UPDATE SET beat_at = excluded.beat_at;

-- name: forget_workers(before)!
-- Workers that were not seen for long will not come back.
DELETE FROM alert_worker WHERE beat_at < :before;

-- name: last_beat()^
-- When a worker was last seen.
SELECT MAX(beat_at) AS beat_at FROM alert_worker;

-- name: overdue(now)^
-- Alerts that are due and that nobody is sending.
SELECT COUNT(*) AS n, MIN(MAX(due_at, COALESCE(leased_until, ''), COALESCE(held_until, ''))) AS since FROM alert
WHERE state = 'waiting' AND due_at <= :now AND (leased_until IS NULL OR leased_until <= :now)
  AND (held_until IS NULL OR held_until <= :now);
