-- name: add_sign_in(token_hash, id, person_id, assurance, only_case, way, browser, opened_at, expires_at)!
-- Open a sign-in session.
INSERT INTO sign_in (token_hash, id, person_id, assurance, only_case, way, browser, opened_at, expires_at)
VALUES (:token_hash, :id, :person_id, :assurance, :only_case, :way, :browser, :opened_at, :expires_at);

-- name: sign_in(token_hash)^
-- A sign-in session by its cookie's hash.
SELECT * FROM sign_in WHERE token_hash = :token_hash;

-- name: sign_in_by_id(id)^
-- A sign-in session by its id.
SELECT * FROM sign_in WHERE id = :id;

-- name: open_sign_ins(now)
-- The sign-in sessions of everybody that are still good, newest first.
SELECT * FROM sign_in WHERE ended_at IS NULL AND expires_at > :now ORDER BY opened_at DESC, id DESC;

-- name: open_sign_ins_of(person_id, now)
-- The sign-in sessions of a person that are still good, newest first.
SELECT * FROM sign_in WHERE person_id = :person_id AND ended_at IS NULL AND expires_at > :now
ORDER BY opened_at DESC, id DESC;

-- name: any_sign_in()^
-- Whether anybody has ever signed in.
SELECT EXISTS (SELECT 1 FROM sign_in) AS found;

-- name: end_sign_in(id, ended_at)^
-- End a sign-in session; no row means that it had ended.
UPDATE sign_in SET ended_at = :ended_at WHERE id = :id AND ended_at IS NULL RETURNING id;

-- name: end_sign_ins_of(person_id, ended_at)!
-- Sign a person out everywhere.
UPDATE sign_in SET ended_at = :ended_at WHERE person_id = :person_id AND ended_at IS NULL;

-- name: revoke_set_up_links(revoked_at)!
-- One link sets a home up: a new one replaces those before.
UPDATE link SET revoked_at = :revoked_at WHERE purpose = 'set_up' AND spent_at IS NULL AND revoked_at IS NULL;

-- name: revoke_link(id, revoked_at)!
-- A link that is sent again is replaced.
UPDATE link SET revoked_at = :revoked_at WHERE id = :id AND spent_at IS NULL AND revoked_at IS NULL;

-- name: add_sign_in_request(id, person_id, place, back_to, asked_at, state)!
-- Somebody asks for a sign-in link.
INSERT INTO sign_in_request (id, person_id, place, back_to, asked_at, due_at, state, attempts)
VALUES (:id, :person_id, :place, :back_to, :asked_at, :asked_at, :state, 0);

-- name: forget_sign_in_requests(before)!
-- Nobody needs an old request.
DELETE FROM sign_in_request WHERE asked_at < :before;

-- name: count_sign_in_requests(person_id, since)^
-- How often a link was asked for in a person's name.
SELECT COUNT(DISTINCT asked_at) AS n FROM sign_in_request WHERE person_id = :person_id AND asked_at > :since;

-- name: next_sign_in_request_due()^
-- When a sign-in link next has to be sent.
SELECT MIN(due_at) AS due_at FROM sign_in_request WHERE state = 'waiting';

-- name: lease_sign_in_requests(now, until, owner, most)
-- Take sign-in links that are due and that nobody else is sending; a lease that ran out is free again.
UPDATE sign_in_request SET leased_by = :owner, leased_until = :until, attempts = attempts + 1
WHERE id IN (
  SELECT id FROM sign_in_request
  WHERE state = 'waiting' AND due_at <= :now AND (leased_until IS NULL OR leased_until <= :now)
  ORDER BY due_at, id LIMIT :most)
RETURNING *;

-- name: link_sign_in_request(id, link_id)!
-- Which link is on its way.
UPDATE sign_in_request SET link_id = :link_id WHERE id = :id;

-- name: finish_sign_in_request(id, owner, state)^
-- Record how sending ended, if the lease is still held.
UPDATE sign_in_request SET state = :state, leased_by = NULL, leased_until = NULL
WHERE id = :id AND state = 'waiting' AND leased_by = :owner RETURNING id;

-- name: delay_sign_in_request(id, owner, due_at)!
-- Try again later, if the lease is still held.
UPDATE sign_in_request SET due_at = :due_at, leased_by = NULL, leased_until = NULL
WHERE id = :id AND state = 'waiting' AND leased_by = :owner;

-- name: sign_in_request_of_link(link_id)^
-- The request that a link answers.
SELECT * FROM sign_in_request WHERE link_id = :link_id;

-- name: revoke_asked_links(person_id, revoked_at)!
-- Whoever is in needs no other link that was asked for; requests that wait are dropped by `drop_sign_in_requests`.
UPDATE link SET revoked_at = :revoked_at
WHERE spent_at IS NULL AND revoked_at IS NULL
  AND id IN (SELECT link_id FROM sign_in_request WHERE person_id = :person_id AND link_id IS NOT NULL);

-- name: drop_sign_in_requests(person_id)!
-- Whoever is in waits for no link.
UPDATE sign_in_request SET state = 'dropped' WHERE person_id = :person_id AND state = 'waiting';

-- name: spend_challenge(challenge, spent_at)^
-- Use a challenge; no row means that it was used before.
INSERT INTO spent_challenge (challenge, spent_at) VALUES (:challenge, :spent_at)
ON CONFLICT (challenge) DO NOTHING RETURNING challenge;

-- name: forget_challenges(before)!
-- A challenge that is too old to be taken need not be remembered.
DELETE FROM spent_challenge WHERE spent_at < :before;

-- name: rename_person(id, name)!
-- Call a person something else.
UPDATE person SET name = :name WHERE id = :id;
