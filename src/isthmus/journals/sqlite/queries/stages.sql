-- name: untranslated
-- Of one interface; those of several are merged, so that each is one range of one table however many wait.
SELECT seq FROM untranslated WHERE shelf = ? ORDER BY seq LIMIT ?

-- name: waiting_message
SELECT m.seq, m.id, s.interface, m.source, m.received_at, m.size, m.head, b.place, b.sealed
FROM message m
JOIN shelf s ON s.number = m.shelf
JOIN body b ON b.place = (m.shelf << 44 | m.seq)
WHERE m.seq = ?

-- name: translating
-- These messages, and whether they still wait for their translator.
SELECT m.id, m.seq, m.shelf, s.interface, u.seq IS NOT NULL
FROM json_each(?) j
JOIN message m ON m.seq = j.value
JOIN shelf s ON s.number = m.shelf
LEFT JOIN untranslated u ON u.shelf = m.shelf AND u.seq = m.seq

-- name: drop_untranslated
DELETE FROM untranslated WHERE shelf = ? AND seq = ?

-- name: known_events
-- The newest row of each id wins: read to the end.
SELECT e.id, e.seq, e.message, e.shelf FROM json_each(?) j JOIN event e ON e.seq = j.value ORDER BY e.seq

-- name: keep_event
INSERT INTO event (seq, id, message, shelf, type, version, created_at, fed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: subscription
SELECT name, types, cursor, waiting, stopped, detail FROM subscription WHERE name = ?

-- name: subscriptions
SELECT name, types, cursor, waiting, stopped, detail FROM subscription ORDER BY name

-- name: listeners
-- Who waits for what, and in which lane its deliveries go.
SELECT name, types, lane FROM subscription

-- name: keep_subscription
INSERT INTO subscription (name, types, lane, cursor, waiting) VALUES (?, ?, ?, ?, 0)
ON CONFLICT (name) DO UPDATE SET types = excluded.types, lane = excluded.lane

-- name: last_event
SELECT coalesce(max(seq), 0) FROM event

-- name: count_events
SELECT count(*) FROM event WHERE fed = 1 AND type = ? AND seq > ? AND seq <= ?

-- name: wait
UPDATE subscription SET waiting = waiting + ? WHERE name = ?

-- name: wait_no_more
-- An event is superseded: whoever has not seen it yet will not see it.
UPDATE subscription SET waiting = waiting - 1
WHERE cursor < :event AND (SELECT fed FROM event WHERE seq = :event)
    AND EXISTS (SELECT 1 FROM json_each(types) t JOIN event e ON e.seq = :event AND t.value = e.type)

-- name: upcoming
-- Of one type; the types of a subscription are merged, so that each is one range of one index however many wait.
SELECT seq FROM event WHERE fed = 1 AND type = ? AND seq > ? ORDER BY seq LIMIT ?

-- name: event
SELECT e.seq, e.id, e.type, e.version, coalesce(b.sealed, e.head)
FROM event e
LEFT JOIN body b ON b.place = (e.shelf << 44 | e.seq)
WHERE e.seq = ?

-- name: move_cursor
UPDATE subscription SET cursor = ?, waiting = waiting - ? WHERE name = ?

-- name: stop
UPDATE subscription SET stopped = ?, detail = ? WHERE name = ?

-- name: known_deliveries
SELECT d.id FROM json_each(?) j JOIN delivery d ON d.seq = j.value

-- name: keep_delivery
INSERT INTO delivery (seq, id, message, shelf, endpoint, subscription, lane, created_at, rank) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: keep_due
-- Its turn has come unless another of its line is there before it.
INSERT INTO due (seq, endpoint, line, rank, lane, state, turn, ready_at, attempts)
VALUES (
    ?1, ?2, ?3, ?4, ?5, 'due',
    CASE WHEN ?3 IS NULL OR NOT EXISTS (
        SELECT 1 FROM due WHERE endpoint = ?2 AND line = ?3 AND (turn IS NOT NULL OR state <> 'due')
    ) THEN ?6 END,
    ?6, ?7
)

-- name: replaced_answer
SELECT place FROM answer WHERE event = ? AND subscription = ?

-- name: keep_answer
INSERT INTO answer (event, subscription, place) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET place = excluded.place

-- name: drop_body
DELETE FROM body WHERE place = ?

-- name: drop_chunks
DELETE FROM chunk WHERE place = ?
