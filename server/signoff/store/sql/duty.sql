-- name: addresses()
-- Everybody's addresses.
SELECT * FROM person_address ORDER BY person_id, position;

-- name: addresses_of(person_id)
-- Where a person's alerts go.
SELECT * FROM person_address WHERE person_id = :person_id ORDER BY position;

-- name: add_address(id, person_id, position, label, url, no_links_until)!
-- Give a person one more address.
INSERT INTO person_address (id, person_id, position, label, url, no_links_until)
VALUES (:id, :person_id, :position, :label, :url, :no_links_until);

-- name: remove_addresses(person_id)!
-- Take all of a person's addresses away; those that stay are added again.
DELETE FROM person_address WHERE person_id = :person_id;

-- name: set_hours(id, hours, zone, holidays)!
-- When a person works.
UPDATE person SET hours = :hours, zone = :zone, holidays = :holidays WHERE id = :id;

-- name: set_preferences(id, preferences)!
-- Which of a person's addresses are alerted for which urgency.
UPDATE person SET preferences = :preferences WHERE id = :id;

-- name: rotations()
-- Every rotation.
SELECT * FROM rotation ORDER BY name;

-- name: set_rotation(name, people, first_on, at, zone, hours, holidays)!
-- Add a rotation, or change it.
INSERT INTO rotation (name, people, first_on, at, zone, hours, holidays)
VALUES (:name, :people, :first_on, :at, :zone, :hours, :holidays)
ON CONFLICT (name) DO UPDATE SET people = excluded.people, first_on = excluded.first_on, at = excluded.at,
  zone = excluded.zone, hours = excluded.hours, holidays = excluded.holidays;

-- name: remove_rotation(name)^
-- Nobody is on duty by this rotation any more; no row means that there was none.
DELETE FROM rotation WHERE name = :name RETURNING name;

-- name: overrides(since)
-- Who stands in for whom, now or later.
SELECT * FROM duty_override WHERE ends_at > :since ORDER BY starts_at, id;

-- name: add_override(id, rotation, instead_of, person_id, starts_at, ends_at, made_at)!
-- Let one person stand in for another.
INSERT INTO duty_override (id, rotation, instead_of, person_id, starts_at, ends_at, made_at)
VALUES (:id, :rotation, :instead_of, :person_id, :starts_at, :ends_at, :made_at);

-- name: end_override(id, ends_at)^
-- End a stand-in early; no row means that it had ended.
UPDATE duty_override SET ends_at = :ends_at WHERE id = :id AND ends_at > :ends_at RETURNING id;

-- name: absences(since)
-- Who cannot be reached, now or later.
SELECT * FROM absence WHERE ends_at > :since ORDER BY starts_at, id;

-- name: add_absence(id, person_id, starts_at, ends_at)!
-- A person cannot be reached for a while.
INSERT INTO absence (id, person_id, starts_at, ends_at) VALUES (:id, :person_id, :starts_at, :ends_at);

-- name: end_absence(id, ends_at)^
-- End an absence early; no row means that it had ended.
UPDATE absence SET ends_at = :ends_at WHERE id = :id AND ends_at > :ends_at RETURNING id;
