-- name: act_on
-- A delivery with its state, for what people do with it.
SELECT
    d.id, d.seq, d.message, d.shelf, d.endpoint, d.subscription, d.lane, coalesce(u.state, e.state, 'delivered'), d.rank, u.line,
    coalesce(u.reason, e.reason, ''), b.sealed, d.successor, coalesce(u.replaced, 0),
    (SELECT count(*) FROM step s WHERE s.message = d.message AND s.subject = d.seq AND s.stage IN ('attempt', 'unknown'))
FROM delivery d
LEFT JOIN due u ON u.seq = d.seq
LEFT JOIN ended e ON e.seq = d.seq
LEFT JOIN body b ON b.place = (d.shelf << 44 | d.seq)
WHERE d.seq = ? AND d.id = ?

-- name: message_state
SELECT
    m.seq, m.shelf, s.interface,
    CASE WHEN u.seq IS NOT NULL THEN 'received' ELSE coalesce(v.state, 'translated') END
FROM message m
JOIN shelf s ON s.number = m.shelf
LEFT JOIN untranslated u ON u.shelf = m.shelf AND u.seq = m.seq
LEFT JOIN verdict v ON v.seq = m.seq
WHERE m.seq = ? AND m.id = ?

-- name: deliveries_of
SELECT id FROM delivery WHERE message = ? ORDER BY seq

-- name: events_of
SELECT e.seq, e.id, e.type, e.version, coalesce(b.sealed, e.head)
FROM event e
LEFT JOIN body b ON b.place = (e.shelf << 44 | e.seq)
WHERE e.message = ? AND e.superseded = 0
ORDER BY e.seq

-- name: supersede_event
UPDATE event SET superseded = 1, fed = 0 WHERE seq = ?

-- name: link_successor
UPDATE delivery SET successor = ? WHERE seq = ? AND successor = ''

-- name: replace_later
UPDATE due SET replaced = 1 WHERE seq = ?

-- name: inherit_rank
UPDATE delivery SET rank = ? WHERE seq = ?

-- name: inherit_turn
UPDATE due SET rank = ? WHERE seq = ?

-- name: spare_again
-- A message that the pruner has passed gets its attention once more.
INSERT OR IGNORE INTO spared (shelf, message) SELECT number, :message FROM shelf WHERE number = :shelf AND pruned >= :message
