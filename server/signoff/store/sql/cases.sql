-- name: case(id)^
-- One case as it stands.
SELECT * FROM escalation WHERE id = :id;

-- name: add_case(id, agent_id, version, status, tool, server, summary, action_digest, masked, policy_digest, triggers, queue, urgency, urgency_rank, tier, require, opened_at, deadline_at, approval_valid_s, approvals, decided_at, decided_by, assurance, final_digest, release_at, valid_until, claimed_at, outcome, opened_seq, handled, counts_from, alerted_at, acknowledged_by, acknowledged_at, assigned_to, overridden_by, on_deadline, questions, questioned_by, questioned_at)!
-- Open a case.
INSERT INTO escalation (id, agent_id, version, status, tool, server, summary, action_digest, masked, policy_digest,
  triggers, queue, urgency, urgency_rank, tier, require, opened_at, deadline_at, approval_valid_s, approvals,
  decided_at, decided_by, assurance, final_digest, release_at, valid_until, claimed_at, outcome, opened_seq,
  handled, counts_from, alerted_at, acknowledged_by, acknowledged_at, assigned_to, overridden_by, on_deadline,
  questions, questioned_by, questioned_at)
VALUES (:id, :agent_id, :version, :status, :tool, :server, :summary, :action_digest, :masked, :policy_digest,
  :triggers, :queue, :urgency, :urgency_rank, :tier, :require, :opened_at, :deadline_at, :approval_valid_s, :approvals,
  :decided_at, :decided_by, :assurance, :final_digest, :release_at, :valid_until, :claimed_at, :outcome, :opened_seq,
  :handled, :counts_from, :alerted_at, :acknowledged_by, :acknowledged_at, :assigned_to, :overridden_by, :on_deadline,
  :questions, :questioned_by, :questioned_at);

-- name: move_case(id, before, handled_before, version, status, queue, urgency, urgency_rank, tier, deadline_at, approvals, decided_at, decided_by, assurance, final_digest, release_at, valid_until, claimed_at, outcome, handled, counts_from, alerted_at, acknowledged_by, acknowledged_at, assigned_to, overridden_by, questions, questioned_by, questioned_at)^
-- Move a case if it still stands where the mover saw it; no row means another was first.
UPDATE escalation SET version = :version, status = :status, queue = :queue, urgency = :urgency,
  urgency_rank = :urgency_rank, tier = :tier, deadline_at = :deadline_at, approvals = :approvals,
  decided_at = :decided_at, decided_by = :decided_by, assurance = :assurance, final_digest = :final_digest,
  release_at = :release_at, valid_until = :valid_until, claimed_at = :claimed_at, outcome = :outcome,
  handled = :handled, counts_from = :counts_from, alerted_at = :alerted_at, acknowledged_by = :acknowledged_by,
  acknowledged_at = :acknowledged_at, assigned_to = :assigned_to, overridden_by = :overridden_by, questions = :questions,
  questioned_by = :questioned_by, questioned_at = :questioned_at, planned_under = ''
WHERE id = :id AND version = :before AND handled = :handled_before
RETURNING id;

-- name: add_decision(id, escalation_id, seq, choice, person_id, roles, assurance, decided_at)!
-- Keep who decided what.
INSERT INTO decision (id, escalation_id, seq, choice, person_id, roles, assurance, decided_at)
VALUES (:id, :escalation_id, :seq, :choice, :person_id, :roles, :assurance, :decided_at);

-- name: undo_decisions(escalation_id, undone_at)!
-- Take back every decision that stands on a case: with the last, the approvals before it fall too.
UPDATE decision SET undone_at = :undone_at WHERE escalation_id = :escalation_id AND undone_at IS NULL;

-- name: decisions_of_case(escalation_id)
-- The decisions on a case that stand, in order, with their content.
SELECT d.*, p.body AS content, r.token AS receipt
FROM decision d
LEFT JOIN payload p ON p.seq = d.seq AND p.field = 'decision'
LEFT JOIN receipt r ON r.seq = d.seq
WHERE d.escalation_id = :escalation_id AND d.undone_at IS NULL
ORDER BY d.seq;

-- name: every_decision_of_cases(after, last)
-- The decisions stored for cases opened after one event and up to another, or under one of their events, those taken
-- back too, each with its content. One statement for many cases: one for each was half the time of verifying a log.
SELECT e.id AS of_case, d.seq AS seq, d.id, d.escalation_id, d.choice, d.person_id, d.roles, d.assurance, d.decided_at,
  d.undone_at, p.body AS content
FROM escalation e
JOIN decision d ON d.escalation_id = e.id
LEFT JOIN payload p ON p.seq = d.seq AND p.field = 'decision'
WHERE e.opened_seq > :after AND e.opened_seq <= :last
UNION ALL
SELECT e.id AS of_case, d.seq AS seq, d.id, d.escalation_id, d.choice, d.person_id, d.roles, d.assurance, d.decided_at,
  d.undone_at, p.body AS content
FROM escalation e
JOIN audit_event a ON a.escalation_id = e.id
JOIN decision d ON d.seq = a.seq AND d.escalation_id <> e.id
LEFT JOIN payload p ON p.seq = d.seq AND p.field = 'decision'
WHERE e.opened_seq > :after AND e.opened_seq <= :last
ORDER BY seq;

-- name: every_receipt_of_cases(after, last)
-- The receipts stored for such cases or under one of their events, those of decisions taken back too.
SELECT e.id AS of_case, r.seq, r.escalation_id, r.token
FROM escalation e
JOIN receipt r ON r.escalation_id = e.id
WHERE e.opened_seq > :after AND e.opened_seq <= :last
UNION ALL
SELECT e.id AS of_case, r.seq, r.escalation_id, r.token
FROM escalation e
JOIN audit_event a ON a.escalation_id = e.id
JOIN receipt r ON r.seq = a.seq AND r.escalation_id <> e.id
WHERE e.opened_seq > :after AND e.opened_seq <= :last
ORDER BY seq;

-- name: add_receipt(seq, escalation_id, token)!
-- Keep a signed receipt.
INSERT INTO receipt (seq, escalation_id, token) VALUES (:seq, :escalation_id, :token);

-- name: receipt_of_event(seq)^
-- The receipt that goes with an event.
SELECT token FROM receipt WHERE seq = :seq;

-- name: document(escalation_id)^
-- What the page may show of a case, with the salt of its commitment.
SELECT p.body FROM escalation e JOIN payload p ON p.seq = e.opened_seq AND p.field = 'bundle'
WHERE e.id = :escalation_id;

-- name: report(escalation_id)^
-- The last outcome report of a case.
SELECT p.body FROM audit_event a JOIN payload p ON p.seq = a.seq AND p.field = 'report'
WHERE a.escalation_id = :escalation_id AND a.type = 'escalation.outcome' ORDER BY a.seq DESC LIMIT 1;

-- name: questions_of_case(escalation_id)
-- Questions to the agent and its answers, in order, with their words where they are not erased.
SELECT a.type, a.body AS event, p.body AS content FROM audit_event a
LEFT JOIN payload p ON p.seq = a.seq AND p.field IN ('question', 'answer')
WHERE a.escalation_id = :escalation_id AND a.type IN ('escalation.asked', 'escalation.answered') ORDER BY a.seq;

-- name: cases_of_agent(agent_id, most)
-- An agent's own cases, newest first.
SELECT * FROM escalation WHERE agent_id = :agent_id ORDER BY opened_seq DESC LIMIT :most;

-- name: due_cases(now, most)
-- Cases whose deadline has passed.
SELECT id FROM escalation WHERE status = 'pending' AND deadline_at <= :now ORDER BY deadline_at LIMIT :most;

-- name: plan_case(id, look_at, planned_under)!
-- Say when the tier clock looks at a case next; null for never, until it moves or the policy changes.
UPDATE escalation SET look_at = :look_at, planned_under = :planned_under WHERE id = :id;

-- name: cases_to_look_at(now, policy)
-- Cases that the tier clock must look at: it is time, or they moved, or the policy is another. Two comparisons,
-- because an index serves none that says "not equal".
SELECT id FROM escalation WHERE status = 'pending' AND look_at <= :now
UNION SELECT id FROM escalation WHERE status = 'pending' AND planned_under < :policy
UNION SELECT id FROM escalation WHERE status = 'pending' AND planned_under > :policy
ORDER BY id;

-- name: cases_after(opened_seq, most)
-- Every case in the order of opening, a page at a time.
SELECT * FROM escalation WHERE opened_seq > :opened_seq ORDER BY opened_seq LIMIT :most;

-- name: stated_cases_after(opened_seq, most)
-- Every case in the order of opening, a page at a time, with its columns as `rows.case_row` takes them.
SELECT id, version, status, agent_id, action_digest, final_digest, policy_digest, queue, urgency, urgency_rank,
  triggers, require, tier, deadline_at, approvals, decided_by, assurance, release_at, valid_until, outcome, opened_seq,
  opened_at, approval_valid_s, decided_at, claimed_at, tool, server, summary, masked, handled, counts_from, alerted_at,
  acknowledged_by, acknowledged_at, assigned_to, overridden_by, on_deadline, questions, questioned_by, questioned_at
FROM escalation WHERE opened_seq > :opened_seq ORDER BY opened_seq LIMIT :most;

-- name: count_cases()^
-- How many cases there are.
SELECT COUNT(*) AS n FROM escalation;

-- name: count_pending()^
-- How many cases wait.
SELECT COUNT(*) AS n FROM escalation WHERE status = 'pending';

-- name: first_answer(caller, key)^
-- What a caller did with an idempotency key.
SELECT verb, input_digest, escalation_id FROM idempotency WHERE caller = :caller AND key = :key;

-- name: keep_first_answer(caller, key, verb, input_digest, escalation_id)!
-- Remember what a caller did with an idempotency key; of an erased case nothing more is kept.
INSERT INTO idempotency (caller, key, verb, input_digest, escalation_id)
SELECT :caller, :key, :verb, :input_digest, :escalation_id
WHERE NOT EXISTS (
  SELECT 1 FROM escalation e WHERE e.id = :escalation_id
  AND NOT EXISTS (SELECT 1 FROM payload p WHERE p.seq = e.opened_seq AND p.field = 'bundle'));

-- name: receipt_of_opening(escalation_id)^
-- The receipt of a case that the policy decided at once.
SELECT r.token FROM escalation e JOIN receipt r ON r.seq = e.opened_seq WHERE e.id = :escalation_id;

-- name: last_seq_of_case(escalation_id)^
-- The number of a case's last event.
SELECT MAX(seq) AS seq FROM audit_event WHERE escalation_id = :escalation_id;

-- name: count_open_of_agent(agent_id)^
-- How many cases of an agent wait, and when the first of them expires.
SELECT COUNT(*) AS n, MIN(deadline_at) AS deadline_at FROM escalation WHERE status = 'pending' AND agent_id = :agent_id;

-- name: nth_newest_of_agent(agent_id, before)^
-- When an agent opened its newest case but some.
SELECT opened_at FROM escalation WHERE agent_id = :agent_id ORDER BY opened_seq DESC LIMIT 1 OFFSET :before;

-- name: ended_cases_of_tool(tool, most)
-- Cases of a tool that have ended, newest first, each with the size of what was asked; null once erased. Without
-- canaries: what was made of those says nothing of the cases that agents bring.
SELECT e.*, (SELECT length(p.body) FROM payload p WHERE p.seq = e.opened_seq AND p.field = 'bundle') AS size
FROM escalation e
WHERE e.tool = :tool AND e.status <> 'pending'
AND NOT EXISTS (SELECT 1 FROM canary c WHERE c.escalation_id = e.id)
ORDER BY e.decided_at DESC, e.id LIMIT :most;
