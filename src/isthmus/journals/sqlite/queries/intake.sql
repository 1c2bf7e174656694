-- name: known_messages
-- Which of these are messages, with what answers a duplicate.
SELECT m.id, m.seq, s.interface, m.head
FROM json_each(?) j
JOIN message m ON m.seq = j.value
JOIN shelf s ON s.number = m.shelf

-- name: keep_message
INSERT INTO message (seq, id, shelf, source, received_at, size, arrival, reason, kind, head) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: keep_body
INSERT INTO body (place, sealed) VALUES (?, ?)

-- name: keep_chunk
INSERT INTO chunk (place, number, sealed) VALUES (?, ?, ?)

-- name: keep_untranslated
INSERT INTO untranslated (shelf, seq) VALUES (?, ?)

-- name: keep_verdict
INSERT INTO verdict (seq, state, reason) VALUES (?, ?, ?)
ON CONFLICT (seq) DO UPDATE SET state = excluded.state, reason = excluded.reason

-- name: drop_verdict
DELETE FROM verdict WHERE seq = ?

-- name: violations
SELECT sealed FROM violation WHERE message = ?

-- name: keep_violations
INSERT INTO violation (message, sealed) VALUES (?, ?) ON CONFLICT (message) DO UPDATE SET sealed = excluded.sealed

-- name: drop_violations
DELETE FROM violation WHERE message = ?

-- name: keep_step
INSERT INTO step (message, seq, subject, at, stage, sealed) VALUES (?, ?, ?, ?, ?, ?)

-- name: count
INSERT INTO tally (noun, name, state, count) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count

-- name: tallies
SELECT noun, name, state, count FROM tally WHERE count <> 0 ORDER BY noun, name, state

-- name: backlog
SELECT name, count FROM tally WHERE noun = 'message' AND state = 'received' AND count <> 0

-- name: shelves
SELECT interface, number FROM shelf

-- name: keep_shelf
INSERT INTO shelf (number, interface) VALUES (?, ?)

-- name: last_seq
SELECT last FROM sequence

-- name: keep_last_seq
UPDATE sequence SET last = ?
