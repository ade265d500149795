-- name: hashes_of_leaves(first, last)
-- Leaf hashes in order, both ends included; at most a tile of them is asked for.
SELECT leaf AS hash FROM audit_event WHERE seq BETWEEN :first AND :last ORDER BY seq;

-- name: hashes_of_nodes(level, first, last)
-- Hashes of perfect subtrees of one level in order, both ends included.
SELECT hash FROM audit_node WHERE level = :level AND idx BETWEEN :first AND :last ORDER BY idx;

-- name: bodies(first, last)
-- Events in order, both ends included.
SELECT body FROM audit_event WHERE seq BETWEEN :first AND :last ORDER BY seq;

-- name: add_cosignature(size, witness, line, at)!
-- Keep what a witness said of a tree head; its latest word counts.
INSERT INTO cosignature (size, witness, line, at) VALUES (:size, :witness, :line, :at)
ON CONFLICT (size, witness) DO UPDATE SET line = excluded.line, at = excluded.at;

-- name: has_cosignatures()^
-- Whether this database is new enough to keep cosignatures.
SELECT 1 AS yes FROM sqlite_master WHERE type = 'table' AND name = 'cosignature';

-- name: newest_cosignatures(most)
-- The cosignatures of the largest tree heads that have any, with those.
SELECT c.size, c.note, c.at, s.line
FROM cosignature s
JOIN checkpoint c ON c.size = s.size
ORDER BY s.size DESC, s.witness LIMIT :most;

-- name: newest_checkpoint_row()^
-- The largest signed tree head, with its time.
SELECT size, note, at FROM checkpoint ORDER BY size DESC LIMIT 1;

-- name: forks_suspected(most)
-- Events of checkpoints that contradict the log.
SELECT body FROM audit_event WHERE type = 'audit.fork_suspected' ORDER BY seq DESC LIMIT :most;
