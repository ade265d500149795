-- name: alike_anywhere(place, at, id, most)
-- Cases that wait, alike ones together, after a place in the order: most urgent first, then least time left.
SELECT a.id AS alike, a.waiting, a.place, a.first_deadline_at, e.* FROM alike a JOIN escalation e ON e.id = a.first_id
WHERE (a.place, a.first_deadline_at, a.id) > (:place, :at, :id)
ORDER BY a.place, a.first_deadline_at, a.id LIMIT :most;

-- name: alike_in_queue(queue, place, at, id, most)
-- The same of one queue.
SELECT a.id AS alike, a.waiting, a.place, a.first_deadline_at, e.* FROM alike a JOIN escalation e ON e.id = a.first_id
WHERE a.queue = :queue AND (a.place, a.first_deadline_at, a.id) > (:place, :at, :id)
ORDER BY a.place, a.first_deadline_at, a.id LIMIT :most;

-- name: signs_anywhere(most)
-- What changes with the first lines of the inbox, without the cases behind them.
SELECT id, waiting, moves, first_id FROM alike ORDER BY place, first_deadline_at, id LIMIT :most;

-- name: signs_in_queue(queue, most)
-- The same of one queue.
SELECT id, waiting, moves, first_id FROM alike WHERE queue = :queue ORDER BY place, first_deadline_at, id LIMIT :most;

-- name: cases_alike(alike_id, at, id, most)
-- The cases that stand behind one line of the inbox, least time left first.
SELECT * FROM escalation WHERE alike_id = :alike_id AND status = 'pending' AND (deadline_at, id) > (:at, :id)
ORDER BY deadline_at, id LIMIT :most;

-- name: alike_of_case(escalation_id)^
-- With which others a case waits, and how many they are.
SELECT a.id, a.waiting FROM escalation e JOIN alike a ON a.id = e.alike_id
WHERE e.id = :escalation_id AND e.status = 'pending';

-- name: cases_in_hand(person_id, most)
-- Cases that wait and that were given to a person, or that they said they look at. Two reads, because an index serves
-- no "or".
SELECT * FROM (
  SELECT * FROM escalation WHERE status = 'pending' AND assigned_to = :person_id
  UNION SELECT * FROM escalation WHERE status = 'pending' AND acknowledged_by = :person_id
) AS mine ORDER BY urgency_rank DESC, deadline_at, id LIMIT :most;

-- name: waiting_by_queue()
-- How many cases wait in each queue.
SELECT queue, waiting FROM waiting_in WHERE waiting > 0 ORDER BY queue;

-- name: agents_of_queue(queue, most)
-- Agents of the cases that wait in a queue, and of the newest ones that ended there. Those that wait are found by going
-- from one agent to the next in the index, however many cases each of them has.
WITH RECURSIVE agent(place, id) AS (
  SELECT place, (SELECT MIN(agent_id) FROM alike WHERE queue = :queue AND alike.place = one.place)
  FROM (SELECT 0 AS place UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS one
  UNION ALL
  SELECT place, (SELECT MIN(agent_id) FROM alike WHERE queue = :queue AND alike.place = agent.place AND agent_id > agent.id)
  FROM agent WHERE id IS NOT NULL
)
SELECT id AS agent_id FROM agent WHERE id IS NOT NULL
UNION
SELECT agent_id FROM (
  SELECT agent_id FROM escalation WHERE queue = :queue AND status <> 'pending' ORDER BY decided_at DESC, id DESC LIMIT :most
) AS newest;

-- name: seen_waiting(person_id)
-- How many cases that wait a person has looked at as they are now, by queue and by line of the inbox.
SELECT e.queue, e.alike_id, COUNT(*) AS n FROM case_seen s JOIN escalation e ON e.id = s.escalation_id
WHERE s.person_id = :person_id AND e.status = 'pending' AND e.version = s.version
GROUP BY e.queue, e.alike_id;

-- name: seen_among(person_id, ids)
-- Which of some cases a person has looked at as they are now.
SELECT e.id FROM case_seen s JOIN escalation e ON e.id = s.escalation_id
WHERE s.person_id = :person_id AND s.escalation_id IN (SELECT value FROM json_each(:ids)) AND e.version = s.version;

-- name: see_case(person_id, escalation_id, version)!
-- Note which version of a case that waits a person has looked at.
INSERT INTO case_seen (person_id, escalation_id, version)
SELECT :person_id, id, :version FROM escalation WHERE id = :escalation_id AND status = 'pending'
ON CONFLICT (person_id, escalation_id) DO UPDATE SET version = :version;

-- name: ended_anywhere(at, id, most)
-- Cases that have ended before a place in the order, newest first.
SELECT * FROM escalation WHERE status <> 'pending' AND (decided_at, id) < (:at, :id)
ORDER BY decided_at DESC, id DESC LIMIT :most;

-- name: ended_in_queue(queue, at, id, most)
-- The same of one queue.
SELECT * FROM escalation WHERE status <> 'pending' AND queue = :queue AND (decided_at, id) < (:at, :id)
ORDER BY decided_at DESC, id DESC LIMIT :most;

-- name: queues_of_cases()
-- Every queue in which a case ever waited; reads one entry of an index for each.
WITH RECURSIVE each (queue) AS (
  SELECT MIN(queue) FROM escalation WHERE status <> 'pending'
  UNION ALL
  SELECT (SELECT MIN(e.queue) FROM escalation e WHERE e.status <> 'pending' AND e.queue > each.queue)
  FROM each WHERE each.queue IS NOT NULL
)
SELECT queue FROM each WHERE queue IS NOT NULL;

-- name: be_present(escalation_id, person_id, now)!
-- Note that a person has a case open.
INSERT INTO presence (escalation_id, person_id, since, last_at) VALUES (:escalation_id, :person_id, :now, :now)
ON CONFLICT (escalation_id, person_id) DO UPDATE SET last_at = :now;

-- name: leave_case(escalation_id, person_id)!
-- Note that a person has closed a case.
DELETE FROM presence WHERE escalation_id = :escalation_id AND person_id = :person_id;

-- name: forget_presence(before)!
-- Forget who has not been seen for some time.
DELETE FROM presence WHERE last_at < :before;

-- name: present_at(escalation_id, since)
-- Who has a case open, whoever came first first.
SELECT p.person_id, n.name, e.queue FROM presence p JOIN person n ON n.id = p.person_id
JOIN escalation e ON e.id = p.escalation_id
WHERE p.escalation_id = :escalation_id AND p.last_at >= :since ORDER BY p.since, p.person_id;

-- name: present_anywhere(since)
-- Who has which case open.
SELECT p.escalation_id, p.person_id, n.name, e.queue FROM presence p JOIN person n ON n.id = p.person_id
JOIN escalation e ON e.id = p.escalation_id
WHERE p.last_at >= :since ORDER BY p.since, p.person_id;

-- name: saved_views(person_id)
-- The filters that a person keeps, oldest first.
SELECT id, name, filters FROM saved_view WHERE person_id = :person_id ORDER BY made_at, id;

-- name: save_view(id, person_id, name, filters, made_at)^
-- Keep filters under a name; the same name again keeps others.
INSERT INTO saved_view (id, person_id, name, filters, made_at) VALUES (:id, :person_id, :name, :filters, :made_at)
ON CONFLICT (person_id, name) DO UPDATE SET filters = :filters RETURNING id;

-- name: remove_view(id, person_id)^
-- Forget filters; no row means that this person has none of that id.
DELETE FROM saved_view WHERE id = :id AND person_id = :person_id RETURNING id;
