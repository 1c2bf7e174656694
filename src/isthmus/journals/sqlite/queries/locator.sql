-- name: locate
SELECT l.seq FROM json_each(?) j JOIN locator l ON l.key = j.value

-- name: locate_between
SELECT seq FROM locator WHERE key BETWEEN ? AND ? LIMIT 1000

-- name: runs
SELECT entries FROM run ORDER BY number

-- name: runs_after
SELECT entries FROM run WHERE number > ? ORDER BY number

-- name: last_run
SELECT coalesce(max(number), 0) FROM run

-- name: keep_run
INSERT INTO run (number, entries) VALUES (?, ?)

-- name: merge
INSERT OR IGNORE INTO locator (key, seq) VALUES (?, ?)

-- name: drop_runs
DELETE FROM run WHERE number <= ?
