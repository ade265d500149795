-- Questions to the agent: how many a case has had, and who put the one that is open. Their words are payloads of the events
-- `escalation.asked` and `escalation.answered`.
ALTER TABLE escalation ADD COLUMN questions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE escalation ADD COLUMN questioned_by TEXT;
ALTER TABLE escalation ADD COLUMN questioned_at TEXT;
