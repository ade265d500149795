-- The inbox: which cases wait, together where they are alike, so that a page of it and its counts cost the same however
-- many there are. All of this repeats what the cases say; the triggers below keep it so, whoever moves a case.

-- Cases that wait and are alike: one agent asks for the same tool for the same reasons, and the policy asks the same of
-- whoever approves. `place` is 0 for critical to 3 for low, so that every column of the order ascends.
CREATE TABLE alike (
  id                INTEGER PRIMARY KEY,
  queue             TEXT NOT NULL,
  place             INTEGER NOT NULL,
  agent_id          TEXT NOT NULL,
  tool              TEXT NOT NULL,
  server            TEXT NOT NULL,
  triggers          TEXT NOT NULL,
  require           TEXT NOT NULL,
  hand              TEXT NOT NULL,
  waiting           INTEGER NOT NULL,
  -- The one of them with the least time left.
  first_deadline_at TEXT NOT NULL,
  first_id          TEXT NOT NULL,
  -- Another number whenever something happens to any of them, so that a page that follows the inbox need not read them.
  -- It begins where its first case stands, because the id of a line that is gone is used again.
  moves             INTEGER NOT NULL DEFAULT 0,
  UNIQUE (queue, place, agent_id, tool, server, triggers, require, hand)
) STRICT;
CREATE INDEX alike_by_time ON alike (place, first_deadline_at, id);
CREATE INDEX alike_in_queue_by_time ON alike (queue, place, first_deadline_at, id);

-- How many cases wait in each queue.
CREATE TABLE waiting_in (
  queue   TEXT PRIMARY KEY,
  waiting INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE escalation ADD COLUMN alike_id INTEGER;
-- Whose hand a case is in, if anybody's. One that somebody approved or overrode is like no other.
ALTER TABLE escalation ADD COLUMN hand TEXT GENERATED ALWAYS AS (
  CASE WHEN approvals <> '[]' OR overridden_by IS NOT NULL THEN id
  ELSE COALESCE('a:' || acknowledged_by, 'g:' || assigned_to, '') END) VIRTUAL;
CREATE INDEX escalation_alike ON escalation (alike_id, deadline_at, id) WHERE status = 'pending';
CREATE INDEX escalation_assigned ON escalation (assigned_to) WHERE status = 'pending' AND assigned_to IS NOT NULL;
CREATE INDEX escalation_in_hand ON escalation (acknowledged_by)
  WHERE status = 'pending' AND acknowledged_by IS NOT NULL;
-- Both columns one way, so that a page goes on where the one before ended.
DROP INDEX escalation_ended;
CREATE INDEX escalation_ended ON escalation (decided_at, id) WHERE status <> 'pending';
CREATE INDEX escalation_ended_in_queue ON escalation (queue, decided_at, id) WHERE status <> 'pending';

-- Which version of a case that waits a person has looked at. What ended needs no unread mark.
CREATE TABLE case_seen (
  person_id     TEXT NOT NULL REFERENCES person (id),
  escalation_id TEXT NOT NULL REFERENCES escalation (id),
  version       INTEGER NOT NULL,
  PRIMARY KEY (person_id, escalation_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX case_seen_of_case ON case_seen (escalation_id);

-- Who has a case open right now. Written again and again while they have, so it is no event.
CREATE TABLE presence (
  escalation_id TEXT NOT NULL REFERENCES escalation (id),
  person_id     TEXT NOT NULL REFERENCES person (id),
  since         TEXT NOT NULL,
  last_at       TEXT NOT NULL,
  PRIMARY KEY (escalation_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX presence_last ON presence (last_at);

-- Filters of the inbox that a person keeps under a name. Never what they searched for: it would outlive an erasure.
CREATE TABLE saved_view (
  id        TEXT PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES person (id),
  name      TEXT NOT NULL,
  filters   TEXT NOT NULL,
  made_at   TEXT NOT NULL,
  UNIQUE (person_id, name)
) STRICT;

-- The words by which cases are found; `rowid` is the number of the case's first event. Each word begins with a mark of
-- where it stands (`domain/finding.py`), so that what a mask hides from somebody is never looked up for them.
CREATE VIRTUAL TABLE case_words USING fts5 (words, tokenize = 'unicode61 remove_diacritics 0', detail = none, columnsize = 0);

-- Cases from before this index are entered from the newest down, behind the scenes; one row.
CREATE TABLE search_fill (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  below      INTEGER NOT NULL
) STRICT;
INSERT INTO search_fill (id, below) SELECT 1, COALESCE(MAX(opened_seq) + 1, 0) FROM escalation;

-- A canary waits with the cases of the agent that it seems to come from (`agent.stands_for`, 0013).
CREATE TRIGGER case_begins_to_wait AFTER INSERT ON escalation WHEN NEW.status = 'pending'
BEGIN
  INSERT INTO alike (queue, place, agent_id, tool, server, triggers, require, hand, waiting, first_deadline_at, first_id,
    moves)
  VALUES (NEW.queue, 3 - NEW.urgency_rank, COALESCE((SELECT stands_for FROM agent WHERE id = NEW.agent_id), NEW.agent_id), NEW.tool,
    COALESCE(NEW.server, ''), NEW.triggers, NEW.require, NEW.hand, 1, NEW.deadline_at, NEW.id, NEW.version + NEW.handled)
  ON CONFLICT (queue, place, agent_id, tool, server, triggers, require, hand) DO UPDATE SET waiting = waiting + 1,
    moves = moves + 1, first_id = CASE WHEN (excluded.first_deadline_at, excluded.first_id) < (first_deadline_at, first_id)
      THEN excluded.first_id ELSE first_id END,
    first_deadline_at = min(first_deadline_at, excluded.first_deadline_at);
  UPDATE escalation SET alike_id = (SELECT id FROM alike WHERE queue = NEW.queue AND place = 3 - NEW.urgency_rank
    AND agent_id = COALESCE((SELECT stands_for FROM agent WHERE id = NEW.agent_id), NEW.agent_id)
    AND tool = NEW.tool AND server = COALESCE(NEW.server, '') AND triggers = NEW.triggers
    AND require = NEW.require AND hand = NEW.hand) WHERE id = NEW.id;
  INSERT INTO waiting_in (queue, waiting) VALUES (NEW.queue, 1) ON CONFLICT (queue) DO UPDATE SET waiting = waiting + 1;
END;

-- One trigger for both halves, because the order of two is not defined: first out of where it waited, then in again.
CREATE TRIGGER case_waits_otherwise AFTER UPDATE OF status, queue, urgency_rank, deadline_at, approvals, overridden_by,
  acknowledged_by, assigned_to ON escalation
WHEN (OLD.status = 'pending' OR NEW.status = 'pending')
  AND (OLD.status, OLD.queue, OLD.urgency_rank, OLD.deadline_at, OLD.hand) IS NOT
      (NEW.status, NEW.queue, NEW.urgency_rank, NEW.deadline_at, NEW.hand)
BEGIN
  UPDATE alike SET waiting = waiting - 1 WHERE id = OLD.alike_id AND OLD.status = 'pending';
  DELETE FROM alike WHERE id = OLD.alike_id AND OLD.status = 'pending' AND waiting = 0;
  UPDATE alike SET (first_deadline_at, first_id) = (SELECT e.deadline_at, e.id FROM escalation e
      WHERE e.alike_id = OLD.alike_id AND e.status = 'pending' AND e.id <> OLD.id ORDER BY e.deadline_at, e.id LIMIT 1)
    WHERE id = OLD.alike_id AND OLD.status = 'pending' AND first_id = OLD.id;
  UPDATE waiting_in SET waiting = waiting - 1 WHERE queue = OLD.queue AND OLD.status = 'pending';

  INSERT INTO alike (queue, place, agent_id, tool, server, triggers, require, hand, waiting, first_deadline_at, first_id,
    moves)
  SELECT NEW.queue, 3 - NEW.urgency_rank, COALESCE((SELECT stands_for FROM agent WHERE id = NEW.agent_id), NEW.agent_id), NEW.tool,
    COALESCE(NEW.server, ''), NEW.triggers, NEW.require, NEW.hand, 1, NEW.deadline_at, NEW.id, NEW.version + NEW.handled
  WHERE NEW.status = 'pending'
  ON CONFLICT (queue, place, agent_id, tool, server, triggers, require, hand) DO UPDATE SET waiting = waiting + 1,
    moves = moves + 1, first_id = CASE WHEN (excluded.first_deadline_at, excluded.first_id) < (first_deadline_at, first_id)
      THEN excluded.first_id ELSE first_id END,
    first_deadline_at = min(first_deadline_at, excluded.first_deadline_at);
  UPDATE escalation SET alike_id = (SELECT id FROM alike WHERE NEW.status = 'pending' AND queue = NEW.queue
    AND place = 3 - NEW.urgency_rank AND agent_id = COALESCE((SELECT stands_for FROM agent WHERE id = NEW.agent_id), NEW.agent_id)
    AND tool = NEW.tool AND server = COALESCE(NEW.server, '')
    AND triggers = NEW.triggers AND require = NEW.require AND hand = NEW.hand) WHERE id = NEW.id;
  INSERT INTO waiting_in (queue, waiting) SELECT NEW.queue, 1 WHERE NEW.status = 'pending'
    ON CONFLICT (queue) DO UPDATE SET waiting = waiting + 1;
  DELETE FROM case_seen WHERE escalation_id = NEW.id AND NEW.status <> 'pending';
END;

CREATE TRIGGER case_that_waits_moves AFTER UPDATE OF version, handled ON escalation
WHEN OLD.status = 'pending' AND NEW.status = 'pending'
BEGIN
  UPDATE alike SET moves = moves + 1 WHERE id = NEW.alike_id;
END;

-- Cases that wait already.
INSERT INTO alike (queue, place, agent_id, tool, server, triggers, require, hand, waiting, first_deadline_at, first_id)
SELECT queue, 3 - urgency_rank, agent_id, tool, COALESCE(server, ''), triggers, require, hand,
  COUNT(*), MIN(deadline_at), ''
FROM escalation WHERE status = 'pending' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
UPDATE escalation SET alike_id = (SELECT a.id FROM alike a WHERE a.queue = escalation.queue
  AND a.place = 3 - escalation.urgency_rank AND a.agent_id = escalation.agent_id AND a.tool = escalation.tool
  AND a.server = COALESCE(escalation.server, '') AND a.triggers = escalation.triggers AND a.require = escalation.require
  AND a.hand = escalation.hand)
WHERE status = 'pending';
UPDATE alike SET first_id = (SELECT e.id FROM escalation e WHERE e.alike_id = alike.id AND e.status = 'pending'
  ORDER BY e.deadline_at, e.id LIMIT 1);
INSERT INTO waiting_in (queue, waiting) SELECT queue, COUNT(*) FROM escalation WHERE status = 'pending' GROUP BY queue;
