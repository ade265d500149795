-- name: add_agent(id, name, key_hash, owner, created_at)^
-- Add an agent; no row means the name is taken.
INSERT INTO agent (id, name, key_hash, owner, created_at) VALUES (:id, :name, :key_hash, :owner, :created_at)
ON CONFLICT (name) DO NOTHING RETURNING id;

-- name: agent_by_key(key_hash)^
-- The agent that holds a key.
SELECT * FROM agent WHERE key_hash = :key_hash;

-- name: agent_by_name(name)^
-- An agent by its name; one that only stands for another has none of its own.
SELECT * FROM agent WHERE name = :name AND stands_for IS NULL;

-- name: agent(id)^
-- An agent by its id.
SELECT * FROM agent WHERE id = :id;

-- name: agents()
-- Every agent.
SELECT * FROM agent ORDER BY name;

-- name: set_agent_key(id, key_hash)!
-- Give an agent another key, or none; the old one opens nothing from then on.
UPDATE agent SET key_hash = :key_hash WHERE id = :id;

-- name: add_person(id, name, roles, queues, created_at)^
-- Add a person; no row means the name is taken.
INSERT INTO person (id, name, roles, queues, created_at)
VALUES (:id, :name, :roles, :queues, :created_at)
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

-- name: add_passkey(credential, person_id, public_key, rp_id, label, sign_count, offered_at)^
-- Keep a passkey that waits for a second person; no row means that it is known.
INSERT INTO person_passkey (credential, person_id, public_key, rp_id, label, sign_count, offered_at)
VALUES (:credential, :person_id, :public_key, :rp_id, :label, :sign_count, :offered_at)
ON CONFLICT (credential) DO NOTHING RETURNING credential;

-- name: passkey(credential)^
-- A passkey by its id.
SELECT * FROM person_passkey WHERE credential = :credential;

-- name: passkeys_of(person_id)
-- The passkeys of a person, those that wait or were revoked too.
SELECT * FROM person_passkey WHERE person_id = :person_id ORDER BY offered_at, credential;

-- name: passkeys()
-- Everybody's passkeys.
SELECT * FROM person_passkey ORDER BY person_id, offered_at, credential;

-- name: enrol_passkey(credential, enrolled_at, enrolled_by)^
-- A second person confirms a passkey; no row means that it does not wait any more.
UPDATE person_passkey SET enrolled_at = :enrolled_at, enrolled_by = :enrolled_by
WHERE credential = :credential AND enrolled_at IS NULL AND revoked_at IS NULL RETURNING credential;

-- name: revoke_passkey(credential, revoked_at)^
-- From now on a passkey signs nothing; no row means that it was revoked before.
UPDATE person_passkey SET revoked_at = :revoked_at
WHERE credential = :credential AND revoked_at IS NULL RETURNING credential;

-- name: count_signature(credential, sign_count)!
-- Remember an authenticator's signature counter.
UPDATE person_passkey SET sign_count = :sign_count WHERE credential = :credential;

-- name: pause_agent(id, paused_at)^
-- Pause an agent; no row means that it is paused.
UPDATE agent SET paused_at = :paused_at WHERE id = :id AND paused_at IS NULL RETURNING id;

-- name: resume_agent(id)^
-- Let a paused agent ask again; no row means that it is not paused.
UPDATE agent SET paused_at = NULL WHERE id = :id AND paused_at IS NOT NULL RETURNING id;

-- name: change_person(id, roles, queues)!
-- Give a person other roles and queues.
UPDATE person SET roles = :roles, queues = :queues WHERE id = :id;

-- name: set_follow_up(id, follow_up)!
-- Say whether a person hears how cases ended that they were alerted to.
UPDATE person SET follow_up = :follow_up WHERE id = :id;

-- name: set_agent_limits(id, max_open, requests_per_minute)!
-- Give an agent limits of its own; null: those of the settings.
UPDATE agent SET max_open = :max_open, requests_per_minute = :requests_per_minute WHERE id = :id;
