-- name: find_all
SELECT
    m.seq, m.id, s.interface, m.source, m.received_at, m.size,
    CASE WHEN u.seq IS NOT NULL THEN 'received' ELSE coalesce(v.state, 'translated') END AS standing,
    coalesce(v.reason, CASE WHEN u.seq IS NOT NULL THEN m.reason ELSE '' END), m.head
FROM message m
JOIN shelf s ON s.number = m.shelf
LEFT JOIN untranslated u ON u.shelf = m.shelf AND u.seq = m.seq
LEFT JOIN verdict v ON v.seq = m.seq
WHERE m.seq < :before
    AND (:state IS NULL OR standing = :state)
    AND (:since IS NULL OR m.received_at >= :since) AND (:until IS NULL OR m.received_at < :until)
ORDER BY m.seq DESC
LIMIT :limit

-- name: find_by_interface
SELECT
    m.seq, m.id, s.interface, m.source, m.received_at, m.size,
    CASE WHEN u.seq IS NOT NULL THEN 'received' ELSE coalesce(v.state, 'translated') END AS standing,
    coalesce(v.reason, CASE WHEN u.seq IS NOT NULL THEN m.reason ELSE '' END), m.head
FROM shelf s
CROSS JOIN message m ON m.shelf = s.number
LEFT JOIN untranslated u ON u.shelf = m.shelf AND u.seq = m.seq
LEFT JOIN verdict v ON v.seq = m.seq
WHERE s.interface = :interface AND m.seq < :before
    AND (:state IS NULL OR standing = :state)
    AND (:since IS NULL OR m.received_at >= :since) AND (:until IS NULL OR m.received_at < :until)
ORDER BY m.seq DESC
LIMIT :limit

-- name: find_by_kind
SELECT
    m.seq, m.id, s.interface, m.source, m.received_at, m.size,
    CASE WHEN u.seq IS NOT NULL THEN 'received' ELSE coalesce(v.state, 'translated') END AS standing,
    coalesce(v.reason, CASE WHEN u.seq IS NOT NULL THEN m.reason ELSE '' END), m.head
FROM message m
JOIN shelf s ON s.number = m.shelf
LEFT JOIN untranslated u ON u.shelf = m.shelf AND u.seq = m.seq
LEFT JOIN verdict v ON v.seq = m.seq
WHERE m.kind = :kind AND m.seq < :before
    AND (:interface IS NULL OR s.interface = :interface) AND (:state IS NULL OR standing = :state)
    AND (:since IS NULL OR m.received_at >= :since) AND (:until IS NULL OR m.received_at < :until)
ORDER BY m.seq DESC
LIMIT :limit

-- name: find_these
-- Among candidates.
SELECT
    m.seq, m.id, s.interface, m.source, m.received_at, m.size,
    CASE WHEN u.seq IS NOT NULL THEN 'received' ELSE coalesce(v.state, 'translated') END AS standing,
    coalesce(v.reason, CASE WHEN u.seq IS NOT NULL THEN m.reason ELSE '' END), m.head
FROM json_each(:seqs) i
CROSS JOIN message m ON m.seq = i.value
JOIN shelf s ON s.number = m.shelf
LEFT JOIN untranslated u ON u.shelf = m.shelf AND u.seq = m.seq
LEFT JOIN verdict v ON v.seq = m.seq
WHERE (:interface IS NULL OR s.interface = :interface) AND (:kind IS NULL OR m.kind = :kind) AND (:state IS NULL OR standing = :state)
    AND (:since IS NULL OR m.received_at >= :since) AND (:until IS NULL OR m.received_at < :until)
ORDER BY m.seq DESC
LIMIT :limit

-- name: find_by_verdict
-- Invalid, refused and failed ones, however few they are among many.
SELECT
    m.seq, m.id, s.interface, m.source, m.received_at, m.size, v.state, v.reason, m.head
FROM verdict v
CROSS JOIN message m ON m.seq = v.seq
JOIN shelf s ON s.number = m.shelf
WHERE v.state = :state AND v.seq < :before
    AND (:interface IS NULL OR s.interface = :interface) AND (:kind IS NULL OR m.kind = :kind)
    AND (:since IS NULL OR m.received_at >= :since) AND (:until IS NULL OR m.received_at < :until)
ORDER BY v.seq DESC
LIMIT :limit

-- name: find_received
-- Of one interface.
SELECT
    m.seq, m.id, s.interface, m.source, m.received_at, m.size, 'received', m.reason, m.head
FROM untranslated u
CROSS JOIN message m ON m.seq = u.seq
JOIN shelf s ON s.number = m.shelf
WHERE u.shelf = :shelf AND u.seq < :before
    AND (:kind IS NULL OR m.kind = :kind)
    AND (:since IS NULL OR m.received_at >= :since) AND (:until IS NULL OR m.received_at < :until)
ORDER BY u.seq DESC
LIMIT :limit

-- name: owner_of_id
-- Messages to which these candidates belong, as far as their id is the one told, or begins with it.
SELECT m.seq FROM json_each(:seqs) j JOIN message m ON m.seq = j.value WHERE substr(m.id, 1, :length) = :id
UNION
SELECT e.message FROM json_each(:seqs) j JOIN event e ON e.seq = j.value WHERE substr(e.id, 1, :length) = :id
UNION
SELECT d.message FROM json_each(:seqs) j JOIN delivery d ON d.seq = j.value WHERE substr(d.id, 1, :length) = :id
LIMIT 2

-- name: message
SELECT
    m.seq, m.id, s.interface, m.source, m.received_at, m.size,
    CASE WHEN u.seq IS NOT NULL THEN 'received' ELSE coalesce(v.state, 'translated') END AS standing,
    coalesce(v.reason, CASE WHEN u.seq IS NOT NULL THEN m.reason ELSE '' END), m.head, m.arrival, m.reason
FROM message m
JOIN shelf s ON s.number = m.shelf
LEFT JOIN untranslated u ON u.shelf = m.shelf AND u.seq = m.seq
LEFT JOIN verdict v ON v.seq = m.seq
WHERE m.seq = ?

-- name: message_with_body
SELECT m.seq, m.id, s.interface, m.source, m.received_at, m.size, m.head, m.shelf << 44 | m.seq, b.sealed
FROM message m
JOIN shelf s ON s.number = m.shelf
LEFT JOIN body b ON b.place = (m.shelf << 44 | m.seq)
WHERE m.seq = ? AND m.id = ?

-- name: place_of_message
SELECT b.place, m.size FROM message m JOIN body b ON b.place = (m.shelf << 44 | m.seq) WHERE m.seq = ? AND m.id = ?

-- name: body
SELECT sealed FROM body WHERE place = ?

-- name: chunks
SELECT sealed FROM chunk WHERE place = ? AND number >= ? AND number < ? ORDER BY number

-- name: first_event
SELECT seq, created_at FROM event WHERE message = ? ORDER BY seq LIMIT 1

-- name: steps
SELECT seq, subject, at, stage, sealed FROM step WHERE message = ? ORDER BY seq

-- name: delivery
SELECT d.id, d.endpoint, d.subscription, coalesce(b.sealed, d.head)
FROM delivery d
LEFT JOIN body b ON b.place = (d.shelf << 44 | d.seq)
WHERE d.seq = ? AND d.id = ?

-- name: answers
-- The newest wins: read to the end.
SELECT b.place, b.sealed
FROM json_each(?) j JOIN answer a ON a.event = j.value JOIN body b ON b.place = a.place
WHERE a.subscription = ?
ORDER BY a.place

-- name: deliveries_of_message
SELECT
    d.seq, d.id, d.endpoint, d.subscription, d.created_at, coalesce(u.state, e.state, 'delivered'), u.attempts, u.not_before,
    coalesce(u.reason, e.reason, ''), coalesce(b.sealed, d.head), d.message, u.line, u.turn
FROM delivery d
LEFT JOIN due u ON u.seq = d.seq
LEFT JOIN ended e ON e.seq = d.seq
LEFT JOIN body b ON b.place = (d.shelf << 44 | d.seq)
WHERE d.message = ?
ORDER BY d.seq

-- name: deliveries_due
SELECT
    d.seq, d.id, d.endpoint, d.subscription, d.created_at, u.state, u.attempts, u.not_before, u.reason, coalesce(b.sealed, d.head),
    d.message, u.line, u.turn
FROM due u
CROSS JOIN delivery d ON d.seq = u.seq
LEFT JOIN body b ON b.place = (d.shelf << 44 | d.seq)
WHERE u.state = 'due' AND u.seq < :before AND (:endpoint = '' OR u.endpoint = :endpoint)
ORDER BY u.seq DESC
LIMIT :limit

-- name: deliveries_sending
SELECT
    d.seq, d.id, d.endpoint, d.subscription, d.created_at, u.state, u.attempts, u.not_before, u.reason, coalesce(b.sealed, d.head),
    d.message, u.line, u.turn
FROM due u INDEXED BY due_owner
CROSS JOIN delivery d ON d.seq = u.seq
LEFT JOIN body b ON b.place = (d.shelf << 44 | d.seq)
WHERE u.owner IS NOT NULL AND u.seq < :before AND (:endpoint = '' OR u.endpoint = :endpoint)
ORDER BY u.seq DESC
LIMIT :limit

-- name: deliveries_unknown
SELECT
    d.seq, d.id, d.endpoint, d.subscription, d.created_at, u.state, u.attempts, u.not_before, u.reason, coalesce(b.sealed, d.head),
    d.message, u.line, u.turn
FROM due u INDEXED BY due_unknown
CROSS JOIN delivery d ON d.seq = u.seq
LEFT JOIN body b ON b.place = (d.shelf << 44 | d.seq)
WHERE u.state = 'unknown' AND u.seq < :before AND (:endpoint = '' OR u.endpoint = :endpoint)
ORDER BY u.seq DESC
LIMIT :limit

-- name: deliveries_dead
SELECT
    d.seq, d.id, d.endpoint, d.subscription, d.created_at, u.state, u.attempts, u.not_before, u.reason, coalesce(b.sealed, d.head),
    d.message, u.line, u.turn
FROM due u INDEXED BY due_dead
CROSS JOIN delivery d ON d.seq = u.seq
LEFT JOIN body b ON b.place = (d.shelf << 44 | d.seq)
WHERE u.state = 'dead' AND u.seq < :before AND (:endpoint = '' OR u.endpoint = :endpoint)
ORDER BY u.seq DESC
LIMIT :limit

-- name: deliveries_ended
SELECT
    d.seq, d.id, d.endpoint, d.subscription, d.created_at, e.state, NULL, NULL, e.reason, coalesce(b.sealed, d.head),
    d.message, NULL, NULL
FROM ended e
CROSS JOIN delivery d ON d.seq = e.seq
LEFT JOIN body b ON b.place = (d.shelf << 44 | d.seq)
WHERE e.state = :state AND e.seq < :before AND (:endpoint = '' OR d.endpoint = :endpoint)
ORDER BY e.seq DESC
LIMIT :limit

-- name: deliveries_delivered
-- What is in no other table: most of them, so going backwards finds them soon.
SELECT
    d.seq, d.id, d.endpoint, d.subscription, d.created_at, 'delivered', NULL, NULL, '', coalesce(b.sealed, d.head),
    d.message, NULL, NULL
FROM delivery d
LEFT JOIN body b ON b.place = (d.shelf << 44 | d.seq)
WHERE d.seq < :before AND (:endpoint = '' OR d.endpoint = :endpoint)
    AND NOT EXISTS (SELECT 1 FROM due u WHERE u.seq = d.seq) AND NOT EXISTS (SELECT 1 FROM ended e WHERE e.seq = d.seq)
ORDER BY d.seq DESC
LIMIT :limit

-- name: attempts
SELECT count(*) FROM step WHERE message = ? AND subject = ? AND stage IN ('attempt', 'unknown')

-- name: lead
-- Who must go before everyone else of a line.
SELECT d.id
FROM due u
JOIN delivery d ON d.seq = u.seq
WHERE u.endpoint = ? AND u.line = ? AND (u.turn IS NOT NULL OR u.state <> 'due')
ORDER BY u.state = 'due', u.rank, u.seq
LIMIT 1
