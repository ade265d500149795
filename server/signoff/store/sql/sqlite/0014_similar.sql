-- The case page lists cases of the same tool that ended, newest first.
CREATE INDEX escalation_ended_of_tool ON escalation (tool, decided_at DESC, id) WHERE status <> 'pending';
