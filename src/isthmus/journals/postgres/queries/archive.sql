-- name: find
-- The newest of all, or of one interface.
SELECT m.* FROM message_now m
WHERE ($1 = 0 OR m.seq < $1) AND ($2 = '' OR m.interface = $2) AND ($3::bytea IS NULL OR m.kind = $3) AND ($4 = '' OR m.state = $4)
  AND ($5::timestamptz IS NULL OR m.received_at >= $5) AND ($6::timestamptz IS NULL OR m.received_at < $6)
ORDER BY m.seq DESC
LIMIT $7;

-- name: find_interface
SELECT m.* FROM message_now m
WHERE m.interface = $2 AND ($1 = 0 OR m.seq < $1) AND ($3::bytea IS NULL OR m.kind = $3) AND ($4 = '' OR m.state = $4)
  AND ($5::timestamptz IS NULL OR m.received_at >= $5) AND ($6::timestamptz IS NULL OR m.received_at < $6)
ORDER BY m.interface DESC, m.seq DESC
LIMIT $7;

-- name: find_identifier
SELECT m.*
FROM (
    SELECT DISTINCT l.seq FROM locator l WHERE l.token = $8 AND l.rest = $9 AND l.seq < CASE WHEN $1 = 0 THEN 9223372036854775807 ELSE $1 END
    ORDER BY l.seq DESC
) AS i
CROSS JOIN LATERAL (SELECT * FROM message_now WHERE message_now.seq = i.seq LIMIT 1) AS m
WHERE ($2 = '' OR m.interface = $2) AND ($3::bytea IS NULL OR m.kind = $3) AND ($4 = '' OR m.state = $4)
  AND ($5::timestamptz IS NULL OR m.received_at >= $5) AND ($6::timestamptz IS NULL OR m.received_at < $6)
ORDER BY i.seq DESC
LIMIT $7;

-- name: find_waiting
SELECT m.*
FROM untranslated u
CROSS JOIN LATERAL (SELECT * FROM message_now WHERE message_now.seq = u.seq LIMIT 1) AS m
WHERE ($1 = 0 OR u.seq < $1) AND ($2 = '' OR u.interface = $2) AND ($3::bytea IS NULL OR m.kind = $3) AND $4 = 'received'
  AND ($5::timestamptz IS NULL OR m.received_at >= $5) AND ($6::timestamptz IS NULL OR m.received_at < $6)
ORDER BY u.seq DESC
LIMIT $7;

-- name: find_trouble
SELECT m.*
FROM trouble t
CROSS JOIN LATERAL (SELECT * FROM message_now WHERE message_now.seq = t.seq LIMIT 1) AS m
WHERE t.state = $4 AND ($1 = 0 OR t.seq < $1) AND ($2 = '' OR m.interface = $2) AND ($3::bytea IS NULL OR m.kind = $3)
  AND ($5::timestamptz IS NULL OR m.received_at >= $5) AND ($6::timestamptz IS NULL OR m.received_at < $6)
ORDER BY t.state DESC, t.seq DESC
LIMIT $7;

-- name: message_of
-- The messages (at most two are of interest) to which an id in this range belongs. What lies under these tokens may be something else.
SELECT DISTINCT seq FROM (
    SELECT m.seq
    FROM (SELECT seq FROM known WHERE id BETWEEN $3 AND $4) AS k
    CROSS JOIN LATERAL (SELECT * FROM message WHERE message.seq = k.seq LIMIT 1) AS m
    WHERE m.id >= $1 AND m.id < $2
    UNION ALL
    SELECT coalesce(
        (SELECT e.message FROM event e WHERE e.seq = l.seq AND e.id >= $1 AND e.id < $2),
        (SELECT d.message FROM delivery d WHERE d.seq = l.seq AND d.id >= $1 AND d.id < $2)
    )
    FROM (SELECT seq FROM locator WHERE token BETWEEN $5 AND $6) AS l
) AS found (seq)
WHERE seq IS NOT NULL
LIMIT 2;

-- name: story_message
SELECT n.*, m.arrival, m.reason AS arrival_reason FROM message_now n JOIN message m USING (seq) WHERE n.seq = $1;

-- name: story_violations
SELECT place, rule, cure, severity FROM violation WHERE message = $1 ORDER BY seq;

-- name: story_steps
SELECT seq, subject, at, stage, code, detail, by, seconds FROM step WHERE message = $1 ORDER BY at, seq;

-- name: pieces
SELECT b.sealed
FROM (SELECT * FROM piece WHERE message = $1 AND number >= $2 AND number < $3) AS p
CROSS JOIN LATERAL (SELECT body.sealed FROM body WHERE body.shelf = p.shelf AND body.seq = p.seq LIMIT 1) AS b
ORDER BY p.number;

-- name: place_of_message
SELECT m.seq, m.size
FROM (SELECT seq FROM known WHERE id = $1 LIMIT 1) AS k
CROSS JOIN LATERAL (SELECT * FROM message WHERE message.seq = k.seq LIMIT 1) AS m;

-- name: body_of_message
SELECT b.sealed FROM message m JOIN body b ON b.shelf = m.shelf AND b.seq = m.seq WHERE m.seq = $1;

-- name: message
SELECT m.*, (SELECT b.sealed FROM body b WHERE b.shelf = m.shelf AND b.seq = m.seq) AS sealed
FROM (SELECT seq FROM known WHERE id = $1 LIMIT 1) AS k
CROSS JOIN LATERAL (SELECT * FROM message WHERE message.seq = k.seq LIMIT 1) AS m;

-- name: delivery
SELECT d.*, (SELECT b.sealed FROM body b WHERE b.shelf = d.shelf AND b.seq = d.seq) AS sealed
FROM (SELECT seq FROM locator WHERE token = $2) AS l
CROSS JOIN LATERAL (SELECT * FROM delivery WHERE delivery.seq = l.seq LIMIT 1) AS d
WHERE d.id = $1;

-- name: answers
SELECT (SELECT b.sealed FROM body b WHERE b.shelf = a.shelf AND b.seq = a.seq) AS sealed
FROM (SELECT seq FROM locator WHERE token = $3) AS l
CROSS JOIN LATERAL (SELECT * FROM event WHERE event.seq = l.seq LIMIT 1) AS e
CROSS JOIN LATERAL (SELECT * FROM answer WHERE answer.event = e.seq AND answer.subscription = $2 LIMIT 1) AS a
WHERE e.id = $1
ORDER BY e.seq DESC
LIMIT 1;

-- name: deliveries_delivered
SELECT d.* FROM delivery_now d
WHERE d.state = $1 AND ($2 = '' OR d.endpoint = $2) AND ($3 = 0 OR d.seq < $3)
ORDER BY d.seq DESC
LIMIT $4;

-- name: deliveries_unfinished
SELECT d.*
FROM due u
CROSS JOIN LATERAL (SELECT * FROM delivery_now WHERE delivery_now.seq = u.seq LIMIT 1) AS d
WHERE d.state = $1 AND ($2 = '' OR u.endpoint = $2) AND ($3 = 0 OR u.seq < $3)
ORDER BY u.seq DESC
LIMIT $4;

-- name: deliveries_troubled
SELECT d.*
FROM due u
CROSS JOIN LATERAL (SELECT * FROM delivery_now WHERE delivery_now.seq = u.seq LIMIT 1) AS d
WHERE u.state = $1 AND u.state <> 'due' AND d.state = $1 AND ($2 = '' OR u.endpoint = $2) AND ($3 = 0 OR u.seq < $3)
ORDER BY u.state DESC, u.seq DESC
LIMIT $4;

-- name: deliveries_sending
SELECT d.*
FROM sending s
CROSS JOIN LATERAL (SELECT * FROM delivery_now WHERE delivery_now.seq = s.seq LIMIT 1) AS d
WHERE $1 = 'sending' AND ($2 = '' OR d.endpoint = $2) AND ($3 = 0 OR s.seq < $3)
ORDER BY s.seq DESC
LIMIT $4;

-- name: deliveries_ended
SELECT d.*
FROM ended e
CROSS JOIN LATERAL (SELECT * FROM delivery_now WHERE delivery_now.seq = e.seq LIMIT 1) AS d
WHERE e.state = $1 AND ($2 = '' OR d.endpoint = $2) AND ($3 = 0 OR e.seq < $3)
ORDER BY e.state DESC, e.seq DESC
LIMIT $4;

-- name: tallies
SELECT noun, name, state, sum(count)::bigint AS count FROM tally GROUP BY noun, name, state HAVING sum(count) <> 0 ORDER BY noun, name, state;
