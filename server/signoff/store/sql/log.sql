-- name: head()^
-- Where the log ends.
SELECT log, size, prev, edge, at FROM audit_head WHERE id = 1;

-- name: start_log(log, prev)^
-- Name the log, once.
INSERT INTO audit_head (id, log, size, prev, edge, at) VALUES (1, :log, 0, :prev, :prev, '')
ON CONFLICT (id) DO NOTHING RETURNING id;

-- name: move_head(size, prev, edge, at)!
-- The log has grown.
UPDATE audit_head SET size = :size, prev = :prev, edge = :edge, at = :at WHERE id = 1;

-- name: add_event(seq, escalation_id, type, at, leaf, body)!
-- Append one event.
INSERT INTO audit_event (seq, escalation_id, type, at, leaf, body)
VALUES (:seq, :escalation_id, :type, :at, :leaf, :body);

-- name: add_node(level, idx, hash)!
-- Keep a perfect subtree.
INSERT INTO audit_node (level, idx, hash) VALUES (:level, :idx, :hash);

-- name: node(level, idx)^
-- One perfect subtree of level 1 or above.
SELECT hash FROM audit_node WHERE level = :level AND idx = :idx;

-- name: nodes_from(level, idx, most)
-- The perfect subtrees of one level in order, a page at a time.
SELECT idx, hash FROM audit_node WHERE level = :level AND idx >= :idx ORDER BY idx LIMIT :most;

-- name: count_nodes()^
-- How many perfect subtrees are kept.
SELECT COUNT(*) AS n FROM audit_node;

-- name: leaf(seq)^
-- The leaf hash of an event.
SELECT leaf AS hash FROM audit_event WHERE seq = :seq;

-- name: event(seq)^
-- One event.
SELECT body FROM audit_event WHERE seq = :seq;

-- name: events_from(seq, most)
-- Events in order, a page at a time.
SELECT seq, body FROM audit_event WHERE seq >= :seq ORDER BY seq LIMIT :most;

-- name: first_event_since(at)^
-- The number of the first event at or after an instant.
SELECT MIN(seq) AS seq FROM audit_event WHERE at >= :at;

-- name: events_of_type_after(type, seq)
-- Events of one type after a number, in order.
SELECT seq, body FROM audit_event WHERE seq > :seq AND type = :type ORDER BY seq;

-- name: payload(seq, field)^
-- One payload with its salt.
SELECT salt, body FROM payload WHERE seq = :seq AND field = :field;

-- name: filed_events_from(seq, most)
-- Events with what they are filed under, in order, a page at a time.
SELECT seq, body, type, at, escalation_id, leaf FROM audit_event WHERE seq >= :seq ORDER BY seq LIMIT :most;

-- name: events_of_case(escalation_id)
-- Everything that happened to one case.
SELECT seq, type, body FROM audit_event WHERE escalation_id = :escalation_id ORDER BY seq;

-- name: count_events_of_case(escalation_id, type, since)^
-- How often something happened to a case lately.
SELECT COUNT(*) AS n FROM audit_event
WHERE escalation_id = :escalation_id AND type = :type AND at >= :since;

-- name: cases_changed_since(seq)
-- Which cases moved at or after an event number.
SELECT DISTINCT escalation_id FROM audit_event WHERE seq >= :seq AND escalation_id IS NOT NULL;

-- name: add_payload(seq, field, salt, body)!
-- Keep what an event commits to.
INSERT INTO payload (seq, field, salt, body) VALUES (:seq, :field, :salt, :body);

-- name: payloads_from(seq, field, most)
-- Payloads in order, a page at a time; strictly after (seq, field).
SELECT seq, field, salt, body FROM payload
WHERE seq > :seq OR (seq = :seq AND field > :field)
ORDER BY seq, field LIMIT :most;

-- name: payloads_since(seq)
-- The payloads from one event's on in order, to be taken one at a time.
SELECT seq, field, salt, body FROM payload WHERE seq >= :seq ORDER BY seq, field;

-- name: payload_sizes_from(seq, field, most)
-- How large the payloads strictly after (seq, field) are, so that a page of them stays small.
SELECT LENGTH(body) AS size FROM payload
WHERE seq > :seq OR (seq = :seq AND field > :field)
ORDER BY seq, field LIMIT :most;

-- name: add_checkpoint(size, note, at)!
-- Keep a signed tree head; the same one again changes nothing.
INSERT INTO checkpoint (size, note, at) VALUES (:size, :note, :at) ON CONFLICT (size) DO NOTHING;

-- name: newest_checkpoint()^
-- The largest signed tree head.
SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1;

-- name: checkpoints_from(size, most)
-- Signed tree heads by size, a page at a time.
SELECT size, note, at FROM checkpoint WHERE size > :size ORDER BY size LIMIT :most;

-- name: add_policy_version(digest, text, loaded_at)^
-- Keep a policy; the row comes back only when it is new.
INSERT INTO policy_version (digest, text, loaded_at) VALUES (:digest, :text, :loaded_at)
ON CONFLICT (digest) DO NOTHING RETURNING digest;

-- name: policy_version(digest)^
-- A policy as it was when it gave a verdict.
SELECT digest, text, loaded_at FROM policy_version WHERE digest = :digest;

-- name: policies_from(digest, most)
-- Every policy, a page at a time; strictly after a digest.
SELECT digest, text, loaded_at FROM policy_version WHERE digest > :digest ORDER BY digest LIMIT :most;

-- name: newest_policy_event()^
-- The event that said which policy is in force.
SELECT body FROM audit_event WHERE type = 'policy.loaded' ORDER BY seq DESC LIMIT 1;

-- name: key_rotations()
-- Every event of a key rotation, in order.
SELECT body FROM audit_event WHERE type = 'key.rotated' ORDER BY seq;

-- name: key_revocations()
-- Every event that revoked a key, in order.
SELECT body FROM audit_event WHERE type = 'key.revoked' ORDER BY seq;
