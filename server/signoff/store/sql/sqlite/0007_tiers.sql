-- Who has a case in hand. `handled` counts those moves; `version` counts the others, on which decisions rest.
ALTER TABLE escalation ADD COLUMN handled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE escalation ADD COLUMN counts_from TEXT;
ALTER TABLE escalation ADD COLUMN alerted_at TEXT;
ALTER TABLE escalation ADD COLUMN acknowledged_by TEXT;
ALTER TABLE escalation ADD COLUMN acknowledged_at TEXT;
ALTER TABLE escalation ADD COLUMN assigned_to TEXT;
ALTER TABLE escalation ADD COLUMN overridden_by TEXT;
ALTER TABLE escalation ADD COLUMN on_deadline TEXT NOT NULL DEFAULT 'expire';

-- When the tier clock looks at a case next, and the policy by which that was found. Not facts but an agenda: each move
-- of a case forgets it, and the clock makes it anew from the case and the policy.
ALTER TABLE escalation ADD COLUMN look_at TEXT;
ALTER TABLE escalation ADD COLUMN planned_under TEXT NOT NULL DEFAULT '';
CREATE INDEX escalation_look ON escalation (look_at) WHERE status = 'pending';
CREATE INDEX escalation_planned ON escalation (planned_under) WHERE status = 'pending';

-- Alerts of later tiers were written when a case was opened; from here on the tier clock writes them at their time.
UPDATE alert SET state = 'dropped', done_at = due_at
WHERE state = 'waiting' AND kind = 'opened' AND attempts = 0
  AND due_at > (SELECT opened_at FROM escalation WHERE escalation.id = alert.escalation_id);
