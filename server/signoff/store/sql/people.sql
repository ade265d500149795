-- name: add_agent(id, name, key_hash, owner, created_at)^
-- Add an agent; no row means the name is taken.
INSERT INTO agent (id, name, key_hash, owner, created_at) VALUES (:id, :name, :key_hash, :owner, :created_at)
ON CONFLICT (name) DO NOTHING RETURNING id;

-- name: agent_by_key(key_hash)^
-- The agent that holds a key.
SELECT * FROM agent WHERE key_hash = :key_hash;

-- name: agent_by_name(name)^
-- An agent by its name.
SELECT * FROM agent WHERE name = :name;

-- name: agent(id)^
-- An agent by its id.
SELECT * FROM agent WHERE id = :id;

-- name: agents()
-- Every agent.
SELECT * FROM agent ORDER BY name;

-- name: set_agent_key(id, key_hash)!
-- Give an agent another key, or none; the old one opens nothing from then on.
UPDATE agent SET key_hash = :key_hash WHERE id = :id;

-- name: add_person(id, name, roles, queues, addresses, created_at)^
-- Add a person; no row means the name is taken.
INSERT INTO person (id, name, roles, queues, addresses, created_at)
VALUES (:id, :name, :roles, :queues, :addresses, :created_at)
ON CONFLICT (name) DO NOTHING RETURNING id;

-- name: person(id)^
-- A person by id.
SELECT * FROM person WHERE id = :id;

-- name: person_by_name(name)^
-- A person by name.
SELECT * FROM person WHERE name = :name;

-- name: people()
-- Everybody.
SELECT * FROM person ORDER BY name;

-- name: set_addresses(id, addresses)!
-- Where a person's alerts go from now on.
UPDATE person SET addresses = :addresses WHERE id = :id;

-- name: disable_person(id, disabled_at)!
-- From now on this person signs in nowhere.
UPDATE person SET disabled_at = :disabled_at WHERE id = :id;

-- name: add_link(id, purpose, secret_hash, person_id, escalation_id, address, issued_at, expires_at)!
-- Issue a magic link.
INSERT INTO link (id, purpose, secret_hash, person_id, escalation_id, address, issued_at, expires_at)
VALUES (:id, :purpose, :secret_hash, :person_id, :escalation_id, :address, :issued_at, :expires_at);

-- name: link(id)^
-- A magic link by the id in its path.
SELECT * FROM link WHERE id = :id;

-- name: spend_link(id, spent_at)^
-- Use a link; no row means that it was used or revoked first.
UPDATE link SET spent_at = :spent_at WHERE id = :id AND spent_at IS NULL AND revoked_at IS NULL RETURNING id;

-- name: revoke_links_of(escalation_id, person_id, address, revoked_at)!
-- A fresh link to the same person and address replaces the older ones.
UPDATE link SET revoked_at = :revoked_at
WHERE escalation_id = :escalation_id AND person_id = :person_id AND address = :address
  AND spent_at IS NULL AND revoked_at IS NULL;

-- name: revoke_links_of_case(escalation_id, revoked_at)!
-- A case that has ended needs no links.
UPDATE link SET revoked_at = :revoked_at
WHERE escalation_id = :escalation_id AND spent_at IS NULL AND revoked_at IS NULL;

-- name: revoke_links_of_person(person_id, revoked_at)!
-- A disabled person's links open nothing.
UPDATE link SET revoked_at = :revoked_at WHERE person_id = :person_id AND spent_at IS NULL AND revoked_at IS NULL;

-- name: add_sign_in(token_hash, person_id, assurance, only_case, opened_at, expires_at)!
-- Open a sign-in session.
INSERT INTO sign_in (token_hash, person_id, assurance, only_case, opened_at, expires_at)
VALUES (:token_hash, :person_id, :assurance, :only_case, :opened_at, :expires_at);

-- name: sign_in(token_hash)^
-- A sign-in session by its cookie's hash.
SELECT * FROM sign_in WHERE token_hash = :token_hash;

-- name: end_sign_in(token_hash, ended_at)!
-- Sign out.
UPDATE sign_in SET ended_at = :ended_at WHERE token_hash = :token_hash AND ended_at IS NULL;

-- name: end_sign_ins_of(person_id, ended_at)!
-- Sign a person out everywhere.
UPDATE sign_in SET ended_at = :ended_at WHERE person_id = :person_id AND ended_at IS NULL;
