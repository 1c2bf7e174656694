-- name: claim
-- Of one lane.
SELECT seq, attempts, state, uncertain FROM due WHERE endpoint = ? AND lane = ? AND turn <= ? ORDER BY turn, seq LIMIT ?

-- name: due_delivery
SELECT d.id, d.endpoint, d.subscription, d.created_at, coalesce(b.sealed, d.head)
FROM delivery d
LEFT JOIN body b ON b.place = (d.shelf << 44 | d.seq)
WHERE d.seq = ?

-- name: take
UPDATE due SET state = 'sending', turn = NULL, not_before = NULL, reason = '', owner = ?, attempts = attempts + 1 WHERE seq = ?

-- name: settling
SELECT d.id, d.seq, d.message, d.endpoint, d.subscription, u.state, u.owner, u.line, u.replaced, d.successor
FROM json_each(?) j
JOIN delivery d ON d.seq = j.value
LEFT JOIN due u ON u.seq = d.seq

-- name: drop_due
DELETE FROM due WHERE seq = ?

-- name: put_back
UPDATE due
SET state = ?, owner = NULL, uncertain = ?, turn = ?, ready_at = ?, not_before = ?, reason = ?
WHERE seq = ?

-- name: put_dead
UPDATE due SET state = 'dead', owner = NULL, uncertain = 0, turn = NULL, not_before = NULL, reason = ? WHERE seq = ?

-- name: promote
-- The oldest of a line whose head has just gone: its turn has come.
UPDATE due SET turn = ready_at
WHERE seq = (SELECT seq FROM due WHERE endpoint = ? AND line = ? AND turn IS NULL AND state = 'due' ORDER BY rank, seq LIMIT 1)

-- name: demote
UPDATE due SET turn = NULL WHERE endpoint = ? AND line = ? AND (turn IS NOT NULL OR state <> 'due') AND state = 'due'

-- name: held
SELECT 1 FROM due WHERE endpoint = ? AND line = ? AND (turn IS NOT NULL OR state <> 'due') AND state <> 'due' LIMIT 1

-- name: keep_ended
INSERT INTO ended (seq, state, reason) VALUES (?, ?, ?)

-- name: drop_ended
DELETE FROM ended WHERE seq = ?

-- name: owned
SELECT d.id, d.seq, d.message, d.endpoint, d.subscription FROM due u JOIN delivery d ON d.seq = u.seq WHERE u.owner = ? ORDER BY u.seq

-- name: owners
-- A loose walk over the index: as many steps as there are owners.
WITH RECURSIVE each (owner) AS (
    SELECT min(owner) FROM due WHERE owner IS NOT NULL
    UNION ALL
    SELECT (SELECT min(owner) FROM due WHERE owner > each.owner) FROM each WHERE each.owner IS NOT NULL
)
SELECT owner FROM each WHERE owner IS NOT NULL

-- name: next_due
SELECT min(turn) FROM due WHERE endpoint = ? AND lane = ? AND turn IS NOT NULL

-- name: delivery_at
SELECT seq, message, subscription FROM delivery WHERE seq = ? AND endpoint = ?
