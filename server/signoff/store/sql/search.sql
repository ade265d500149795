-- name: add_case_words(seq, words)!
-- Enter the words by which a case is found.
INSERT INTO case_words (rowid, words) VALUES (:seq, :words);

-- name: move_case_words(escalation_id, before, after)!
-- Let a case be found in another queue.
UPDATE case_words SET words = replace(words, :before, :after)
WHERE rowid = (SELECT opened_seq FROM escalation WHERE id = :escalation_id);

-- name: erase_case_words(escalation_id)!
-- What the index holds of a case; older parts of the index let go of it when the database is scrubbed.
DELETE FROM case_words WHERE rowid = (SELECT opened_seq FROM escalation WHERE id = :escalation_id);

-- name: cases_found(words, before, most)
-- Cases in which some words stand, newest first, from before the number of one's first event.
SELECT e.* FROM case_words w JOIN escalation e ON e.opened_seq = w.rowid
WHERE w.case_words MATCH :words AND w.rowid < :before ORDER BY w.rowid DESC LIMIT :most;

-- name: search_filled()^
-- Below which number the cases are not entered yet; 0 where all are.
SELECT below FROM search_fill WHERE id = 1;

-- name: cases_to_fill(below, most)
-- Cases with their documents that are to be entered, newest first; erased ones have none.
SELECT e.id, e.queue, e.opened_seq, p.body FROM escalation e
LEFT JOIN payload p ON p.seq = e.opened_seq AND p.field = 'bundle'
WHERE e.opened_seq < :below ORDER BY e.opened_seq DESC LIMIT :most;

-- name: note_filled(below)!
-- Remember how far cases are entered.
UPDATE search_fill SET below = :below WHERE id = 1;
