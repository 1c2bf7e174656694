-- name: ring
SELECT id FROM ring

-- name: keep_ring
INSERT INTO ring (id) VALUES (?)

-- name: shelf_of
SELECT number, pruned FROM shelf WHERE interface = ?

-- name: old_spared
SELECT p.message, m.received_at < :before FROM spared p JOIN message m ON m.seq = p.message
WHERE p.shelf = :shelf AND p.message > :after
ORDER BY p.message
LIMIT :limit

-- name: old_messages
SELECT m.seq, m.received_at < :before FROM message m WHERE m.shelf = :shelf AND m.seq > :after ORDER BY m.seq LIMIT :limit

-- name: live_messages
-- Which of these still wait for anything: a translator, a mend, a subscription, a courier, a person.
SELECT j.value FROM json_each(?) j
WHERE EXISTS (SELECT 1 FROM message m JOIN untranslated u ON u.shelf = m.shelf AND u.seq = m.seq WHERE m.seq = j.value)
    OR EXISTS (SELECT 1 FROM verdict v WHERE v.seq = j.value AND v.state = 'failed')
    OR EXISTS (SELECT 1 FROM delivery d JOIN due u ON u.seq = d.seq WHERE d.message = j.value)
    OR EXISTS (
        SELECT 1 FROM event e, subscription s, json_each(s.types) t
        WHERE e.message = j.value AND e.fed = 1 AND e.seq > s.cursor AND t.value = e.type
    )

-- name: spare
INSERT OR IGNORE INTO spared (shelf, message) VALUES (?, ?)

-- name: spare_no_more
DELETE FROM spared WHERE shelf = ? AND message = ?

-- name: move_pruned
UPDATE shelf SET pruned = ? WHERE number = ?

-- name: prune_messages
SELECT b.place, length(b.sealed) + coalesce((SELECT sum(length(c.sealed)) FROM chunk c WHERE c.place = b.place), 0)
FROM json_each(?) j JOIN message m ON m.seq = j.value JOIN body b ON b.place = (m.shelf << 44 | m.seq)

-- name: prune_events
SELECT e.seq, e.id, b.place, b.sealed
FROM json_each(?) j JOIN event e ON e.message = j.value JOIN body b ON b.place = (e.shelf << 44 | e.seq)

-- name: prune_deliveries
SELECT d.seq, d.id, b.place, b.sealed
FROM json_each(?) j JOIN delivery d ON d.message = j.value JOIN body b ON b.place = (d.shelf << 44 | d.seq)

-- name: prune_answers
SELECT a.event, a.subscription, a.place, length(b.sealed)
FROM json_each(?) j JOIN event e ON e.message = j.value JOIN answer a ON a.event = e.seq JOIN body b ON b.place = a.place

-- name: behead_event
UPDATE event SET head = ?, fed = 0 WHERE seq = ?

-- name: behead_delivery
UPDATE delivery SET head = ? WHERE seq = ?

-- name: drop_answer
DELETE FROM answer WHERE event = ? AND subscription = ?
