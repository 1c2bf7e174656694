-- name: pages
SELECT j.key, p.entries FROM json_each(?) j CROSS JOIN page p ON p.place = j.value

-- name: pages_between
SELECT p.entries
FROM run r
CROSS JOIN page p ON p.place BETWEEN (r.number << 32) | (:first >> (32 - r.bits)) AND (r.number << 32) | (:last >> (32 - r.bits))
WHERE r.family = :family AND r.state = 'whole'

-- name: common
SELECT seq FROM common WHERE key = ? AND seq < ? ORDER BY seq DESC

-- name: fresh
SELECT ids, identifiers FROM fresh ORDER BY number

-- name: keep_fresh
INSERT INTO fresh (number, ids, identifiers) VALUES (?, ?, ?)

-- name: drop_fresh
DELETE FROM fresh

-- name: whole_runs
SELECT number, bits FROM run WHERE family = ? AND state = 'whole' ORDER BY bits, number

-- name: free_runs
-- Those that are not being merged.
SELECT family, bits, number FROM run WHERE state = 'whole' AND heir IS NULL ORDER BY family, bits, number

-- name: keep_run
INSERT INTO run (family, bits, state) VALUES (?, ?, ?) RETURNING number

-- name: bequeath
UPDATE run SET heir = ? WHERE number = ?

-- name: growing_runs
SELECT h.number, h.family, h.bits, h.done, r.number FROM run h JOIN run r ON r.heir = h.number WHERE h.state = 'growing' ORDER BY h.number, r.number

-- name: gone_runs
SELECT number, bits FROM run WHERE state = 'gone'

-- name: pages_of
SELECT place, entries FROM page WHERE place BETWEEN ? AND ? ORDER BY place

-- name: keep_page
INSERT INTO page (place, entries) VALUES (?, ?)

-- name: keep_common
INSERT OR IGNORE INTO common (key, seq) VALUES (?, ?)

-- name: grown
UPDATE run SET done = ? WHERE number = ?

-- name: whole
UPDATE run SET state = 'whole' WHERE number = ?

-- name: gone
UPDATE run SET state = 'gone' WHERE heir = ?

-- name: drop_pages
DELETE FROM page WHERE place BETWEEN ? AND ?

-- name: drop_run
DELETE FROM run WHERE number = ?
