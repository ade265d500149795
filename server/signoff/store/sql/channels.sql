-- name: address_sent(person_id, address_id, at)!
-- An address took an alert; what failed before counts no more.
INSERT INTO address_health (person_id, address_id, last_sent_at, last_error, failures)
VALUES (:person_id, :address_id, :at, '', 0)
ON CONFLICT (person_id, address_id) DO UPDATE SET last_sent_at = :at, failures = 0;

-- name: address_failed(person_id, address_id, at, error)!
-- An address did not take an alert.
INSERT INTO address_health (person_id, address_id, last_failed_at, last_error, failures)
VALUES (:person_id, :address_id, :at, :error, 1)
ON CONFLICT (person_id, address_id)
DO UPDATE SET last_failed_at = :at, last_error = :error, failures = address_health.failures + 1;

-- name: address_healths()
-- How sending went, of every address that was ever sent to.
SELECT * FROM address_health ORDER BY person_id, address_id;
