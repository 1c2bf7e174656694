-- name: lock_endpoints
-- Held until the commit by whatever changes who leads a line at these endpoints; always taken first, and in one order.
SELECT pg_advisory_xact_lock(1769173097, one) FROM unnest($1::integer[]) AS one;

-- name: give_back
-- Claims whose commit's answer was lost, and whose deliveries nobody was handed: they were certainly not sent.
WITH back AS (
    DELETE FROM sending WHERE claim = ANY ($1::uuid[]) RETURNING seq
)
SELECT d.subscription, d.state, count(*)::bigint AS count FROM back JOIN due d USING (seq) GROUP BY d.subscription, d.state;

-- name: claim
-- Rows of due are locked, not changed; one that another courier has taken since this statement began is left to him (DO NOTHING)
-- and comes back without an attempt: then there may be more to take. Lanes are looked into one after the other, as far as needed.
WITH ready AS MATERIALIZED (
    SELECT one.*
    FROM unnest($6::smallint[]) WITH ORDINALITY AS of (lane, turn)
    CROSS JOIN LATERAL (
        SELECT d.seq, d.subscription, d.state, d.attempts, d.lane, d.ready_at, d.size
        FROM due d
        WHERE d.endpoint = $1 AND d.lane = of.lane AND d.lead AND d.state <> 'dead' AND d.ready_at <= $2
          AND (SELECT true FROM sending s WHERE s.seq = d.seq) IS NULL
        ORDER BY d.endpoint, d.lane, d.ready_at, d.seq
        LIMIT $3
        FOR UPDATE OF d SKIP LOCKED
    ) AS one
    LIMIT $3
),
picked AS MATERIALIZED (
    SELECT *
    FROM (
        SELECT *, sum(size) OVER turn <= $7 OR (row_number() OVER turn = 1 AND $8) AS fits FROM ready
        WINDOW turn AS (ORDER BY lane, ready_at, seq)
    ) AS one
    WHERE fits
),
taken AS (
    INSERT INTO sending (seq, owner, attempt, claim) SELECT seq, $4, attempts + 1, $5 FROM picked
    ON CONFLICT (seq) DO NOTHING
    RETURNING seq
),
counted AS (
    INSERT INTO tally (noun, name, state, shard, count)
    SELECT 'delivery', subscription, state, pg_backend_pid() % 16, sum(count)
    FROM (
        SELECT subscription, state, -1 AS count FROM picked WHERE (seq IN (SELECT seq FROM taken)) IS TRUE
        UNION ALL SELECT subscription, 'sending', 1 FROM picked WHERE (seq IN (SELECT seq FROM taken)) IS TRUE
    ) AS one
    GROUP BY subscription, state ORDER BY subscription, state
    ON CONFLICT (noun, name, state, shard) DO UPDATE SET count = tally.count + EXCLUDED.count
)
SELECT
    d.seq, d.id, d.endpoint, d.subscription, d.operation, d.content_type, d.correlation_id, d.causation_id, d.supersedes, d.created_at,
    d.head, CASE WHEN d.seq IS NOT NULL THEN picked.attempts + 1 END AS attempt, picked.state = 'unknown' AS unknown,
    picked.lane, picked.size, (SELECT b.sealed FROM body b WHERE b.shelf = d.shelf AND b.seq = d.seq) AS sealed
FROM (SELECT *, (seq IN (SELECT seq FROM taken)) IS TRUE AS mine FROM picked) AS picked
LEFT JOIN LATERAL (SELECT * FROM delivery WHERE picked.mine AND delivery.seq = picked.seq LIMIT 1) AS d ON true
ORDER BY picked.lane, picked.ready_at, picked.seq;

-- name: next_due
SELECT min(first.ready_at)
FROM unnest('{0, 1, 2}'::smallint[]) AS of (lane)
CROSS JOIN LATERAL (
    SELECT d.ready_at
    FROM due d
    WHERE d.endpoint = $1 AND d.lane = of.lane AND d.lead AND d.state <> 'dead' AND (SELECT true FROM sending s WHERE s.seq = d.seq) IS NULL
    ORDER BY d.endpoint, d.lane, d.ready_at, d.seq
    LIMIT 1
) AS first;

-- name: owners
SELECT DISTINCT owner FROM sending ORDER BY owner;

-- name: deliveries_by_id
SELECT d.id, d.seq, d.endpoint
FROM unnest($1::text[], $2::bigint[]) AS given (id, token)
CROSS JOIN LATERAL (SELECT seq FROM locator WHERE locator.token = given.token OFFSET 0) AS l
CROSS JOIN LATERAL (SELECT * FROM delivery WHERE delivery.seq = l.seq LIMIT 1) AS d
WHERE d.id = given.id;

-- name: deliveries_by_seq
SELECT d.id, d.seq, d.message, d.endpoint, d.subscription
FROM unnest($1::bigint[]) AS given (seq)
CROSS JOIN LATERAL (SELECT * FROM delivery WHERE delivery.seq = given.seq LIMIT 1) AS d;

-- name: endpoints_of
SELECT DISTINCT d.endpoint FROM sending s JOIN due d USING (seq) WHERE s.owner = ANY ($1::text[]);

-- name: take_sending
-- What this owner has in hand, of these; whatever else is settled comes too late.
WITH taken AS (
    DELETE FROM sending WHERE owner = $1 AND seq = ANY ($2::bigint[]) RETURNING seq, owner, attempt
)
SELECT taken.owner, d.seq, d.message, d.endpoint, d.subscription, d.line, d.replaced, taken.attempt, delivery.id
FROM taken
CROSS JOIN LATERAL (SELECT * FROM due WHERE due.seq = taken.seq LIMIT 1) AS d
CROSS JOIN LATERAL (SELECT * FROM delivery WHERE delivery.seq = taken.seq LIMIT 1) AS delivery
ORDER BY d.seq;

-- name: take_all_sending
WITH taken AS (
    DELETE FROM sending WHERE owner = ANY ($1::text[]) RETURNING seq, owner, attempt
)
SELECT taken.owner, d.seq, d.message, d.endpoint, d.subscription, d.line, d.replaced, taken.attempt, delivery.id
FROM taken
CROSS JOIN LATERAL (SELECT * FROM due WHERE due.seq = taken.seq LIMIT 1) AS d
CROSS JOIN LATERAL (SELECT * FROM delivery WHERE delivery.seq = taken.seq LIMIT 1) AS delivery
ORDER BY d.seq;

-- name: finish
DELETE FROM due WHERE seq = ANY ($1::bigint[]);

-- name: put_back
-- Due again, to be checked, or dead: it keeps its place and its line waiting.
UPDATE due SET
    state = g.state, attempts = g.attempt, ready_at = g.ready_at, not_before = g.not_before, reason = g.reason
FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::text[])
    AS g (seq, state, attempt, ready_at, not_before, reason)
WHERE due.seq = g.seq;

-- name: promote
-- The first of each of these lines leads, where none does. Looked up line by line, which can only be the index.
UPDATE due SET lead = true
WHERE seq = ANY (ARRAY(
    SELECT (
        SELECT d.seq FROM due d WHERE NOT d.lead AND d.endpoint = given.endpoint AND d.line = given.line
        ORDER BY d.endpoint, d.line, d.rank, d.seq LIMIT 1
    )
    FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::bytea[]) AS one (endpoint, line)) AS given
    WHERE (SELECT true FROM due l WHERE l.lead AND l.line <> '' AND l.endpoint = given.endpoint AND l.line = given.line LIMIT 1) IS NULL
));

-- name: step_aside
-- Who leads one of these lines, but is not in hand and has an older one behind it, leads no more.
UPDATE due SET lead = false
FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::bytea[]) AS one (endpoint, line)) AS given
WHERE due.lead AND due.line <> '' AND due.endpoint = given.endpoint AND due.line = given.line AND due.state = 'due'
  AND (SELECT true FROM sending s WHERE s.seq = due.seq) IS NULL
  AND EXISTS (
    SELECT FROM due w WHERE NOT w.lead AND w.endpoint = due.endpoint AND w.line = due.line AND (w.rank, w.seq) < (due.rank, due.seq)
  );

-- name: end
INSERT INTO ended (seq, state, reason) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])
ON CONFLICT (seq) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason;

-- name: latest_under_key
SELECT d.seq, d.id, d.message, d.subscription
FROM (SELECT seq FROM locator WHERE token = $1 AND rest = $2 ORDER BY token DESC, seq DESC LIMIT 1) AS l
CROSS JOIN LATERAL (SELECT * FROM delivery WHERE delivery.seq = l.seq LIMIT 1) AS d;

-- name: successors
SELECT d.supersedes, d.id FROM unnest($1::bigint[]) AS given (message)
CROSS JOIN LATERAL (SELECT * FROM delivery WHERE delivery.message = given.message AND delivery.supersedes <> '') AS d;
