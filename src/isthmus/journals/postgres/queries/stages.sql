-- name: untranslated
SELECT
    m.id, m.interface, m.source, m.correlation_id, m.received_at, m.head,
    (SELECT b.sealed FROM body b WHERE b.shelf = m.shelf AND b.seq = m.seq) AS sealed
FROM (
    SELECT seq, sum(size) OVER (ORDER BY seq) <= $2 OR row_number() OVER (ORDER BY seq) = 1 AS fits
    FROM (SELECT seq, size FROM untranslated ORDER BY seq LIMIT $1) AS oldest
) AS first
CROSS JOIN LATERAL (SELECT * FROM message WHERE message.seq = first.seq LIMIT 1) AS m
WHERE first.fits
ORDER BY m.seq;

-- name: untranslated_of
-- The first of each interface, then the first of all: another interface's backlog costs nothing.
SELECT
    m.id, m.interface, m.source, m.correlation_id, m.received_at, m.head,
    (SELECT b.sealed FROM body b WHERE b.shelf = m.shelf AND b.seq = m.seq) AS sealed
FROM (
    SELECT seq, sum(size) OVER (ORDER BY seq) <= $2 OR row_number() OVER (ORDER BY seq) = 1 AS fits
    FROM (
        SELECT waiting.seq, waiting.size FROM unnest($3::text[]) AS of (interface)
        CROSS JOIN LATERAL (
            SELECT u.seq, u.size FROM untranslated u WHERE u.interface = of.interface ORDER BY u.interface, u.seq LIMIT $1
        ) AS waiting
        ORDER BY waiting.seq LIMIT $1
    ) AS oldest
) AS first
CROSS JOIN LATERAL (SELECT * FROM message WHERE message.seq = first.seq LIMIT 1) AS m
WHERE first.fits
ORDER BY m.seq;

-- name: order_events
-- Held until the commit: numbers of events are given in the order in which they become visible, so that no cursor passes one
-- that is not there yet.
SELECT pg_advisory_xact_lock(1769173096, 1);

-- name: take_untranslated
-- Those that are here and still wait; a second worker, or a retry after a lost connection, takes none.
WITH found AS MATERIALIZED (
    SELECT m.id, m.seq, m.interface
    FROM unnest($1::text[]) AS given (id)
    CROSS JOIN LATERAL (SELECT * FROM message WHERE message.id = given.id LIMIT 1) AS m
),
taken AS (
    DELETE FROM untranslated WHERE seq = ANY (ARRAY(SELECT seq FROM found)) RETURNING seq
)
SELECT id, seq, interface, (seq IN (SELECT seq FROM taken)) IS TRUE AS taken FROM found;

-- name: keep_events
WITH given AS MATERIALIZED (
    SELECT nextval('place') AS seq, (SELECT max(number) FROM shelf) AS shelf, g.*
    FROM unnest(
        $1::bigint[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::integer[], $8::bytea[], $9::bytea[]
    ) AS g (message, id, type, version, correlation_id, causation_id, size, head, sealed)
),
fresh AS (
    INSERT INTO event (seq, id, message, type, version, correlation_id, causation_id, created_at, fed, head, size, shelf)
    SELECT seq, id, message, type, version, correlation_id, causation_id, $10, $11, head, size, shelf FROM given ORDER BY seq
    ON CONFLICT (id, superseded) DO NOTHING
    RETURNING seq, type
),
bodies AS (
    INSERT INTO body (shelf, seq, sealed) SELECT shelf, seq, sealed FROM given WHERE (seq IN (SELECT seq FROM fresh)) IS TRUE ORDER BY seq
),
fed AS (
    INSERT INTO feed (type, count) SELECT type, count(*) FROM fresh WHERE $11 GROUP BY type ORDER BY type
    ON CONFLICT (type) DO UPDATE SET count = feed.count + EXCLUDED.count
)
SELECT type, count(*)::bigint AS count FROM fresh GROUP BY type;

-- name: keep_troubles
INSERT INTO trouble (seq, state, reason)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])
ON CONFLICT (seq) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason;

-- name: keep_identifiers
INSERT INTO identifier (token, message)
SELECT * FROM unnest($1::bytea[], $2::bigint[]) AS given (token, message) ORDER BY token, message
ON CONFLICT DO NOTHING;

-- name: keep_violations
INSERT INTO violation (message, place, rule, cure, severity)
SELECT given.* FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) AS given (message, place, rule, cure, severity)
WHERE NOT EXISTS (
    SELECT FROM violation v
    WHERE (v.message, v.place, v.rule, v.cure, v.severity) = (given.message, given.place, given.rule, given.cure, given.severity)
);

-- name: keep_steps
INSERT INTO step (message, subject, at, stage, code, detail, by, seconds)
SELECT * FROM unnest(
    $1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::double precision[]
);

-- name: count
-- Counters in one order, so that two transactions that meet in a shard never wait for each other in a circle.
INSERT INTO tally (noun, name, state, shard, count)
SELECT noun, name, state, pg_backend_pid() % 16, count
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS given (noun, name, state, count)
ORDER BY noun, name, state
ON CONFLICT (noun, name, state, shard) DO UPDATE SET count = tally.count + EXCLUDED.count;

-- name: enrol
-- No row where it was known with these types.
INSERT INTO subscription (name, types, lane, cursor)
VALUES ($1, $2, $3, CASE WHEN $4 THEN coalesce((SELECT max(seq) FROM event), 0) ELSE 0 END)
ON CONFLICT (name) DO UPDATE SET types = EXCLUDED.types WHERE subscription.types <> EXCLUDED.types
RETURNING name;

-- name: set_lane
UPDATE subscription SET lane = $2 WHERE name = $1 AND lane <> $2;

-- name: recount
-- Counts what waits, in an index of what subscriptions see: once, when the types are new. Nothing comes to the feed meanwhile.
UPDATE subscription s SET passed =
    (SELECT coalesce(sum(f.count), 0)::bigint FROM feed f WHERE f.type = ANY (s.types))
    - (
        SELECT count(*) FROM unnest(s.types) AS of (type)
        CROSS JOIN LATERAL (SELECT FROM event e WHERE e.fed AND e.type = of.type AND e.seq > s.cursor) AS waiting
    )
WHERE s.name = $1;

-- name: positions
-- All of them, or one.
SELECT
    s.name, s.cursor, s.stopped, s.detail,
    (SELECT coalesce(sum(f.count), 0)::bigint FROM feed f WHERE f.type = ANY (s.types)) - s.passed AS waiting
FROM subscription s
WHERE $1::text IS NULL OR s.name = $1
ORDER BY s.name;

-- name: subscription
SELECT types, cursor, stopped FROM subscription WHERE name = $1;

-- name: upcoming
-- The first of each type, then the first of all: what it costs depends on the limit, not on what waits nor on other types.
SELECT
    e.seq, e.id, e.type, e.version, e.correlation_id, e.causation_id, e.head,
    (SELECT b.sealed FROM body b WHERE b.shelf = e.shelf AND b.seq = e.seq) AS sealed
FROM (
    SELECT seq, sum(size) OVER (ORDER BY seq) <= $4 OR row_number() OVER (ORDER BY seq) = 1 AS fits
    FROM (
        SELECT first.seq, first.size FROM unnest($1::text[]) AS of (type)
        CROSS JOIN LATERAL (
            SELECT event.seq, event.size FROM event
            WHERE fed AND event.type = of.type AND event.seq > $2 ORDER BY event.type, event.seq LIMIT $3
        ) AS first
        ORDER BY first.seq LIMIT $3
    ) AS oldest
) AS next
CROSS JOIN LATERAL (SELECT * FROM event WHERE event.seq = next.seq LIMIT 1) AS e
WHERE next.fits
ORDER BY e.seq;

-- name: stand
-- Where a subscription stands, and nobody else moves it until the commit.
SELECT cursor FROM subscription WHERE name = $1 FOR UPDATE;

-- name: move_cursor
-- What it passes is counted.
UPDATE subscription s SET
    cursor = greatest(s.cursor, $2),
    passed = s.passed + (
        SELECT count(*) FROM unnest(s.types) AS of (type)
        CROSS JOIN LATERAL (SELECT FROM event e WHERE e.fed AND e.type = of.type AND e.seq > s.cursor AND e.seq <= $2) AS gone
    )
WHERE s.name = $1;

-- name: set_stopped
UPDATE subscription SET stopped = $2, detail = $3 WHERE name = $1 RETURNING name;

-- name: events_by_id
-- Of two under one id the later one is the current one: superseded ones come first.
SELECT e.id, e.seq, e.message
FROM unnest($1::text[]) AS given (id)
CROSS JOIN LATERAL (SELECT * FROM event WHERE event.id = given.id OFFSET 0) AS e
ORDER BY e.seq;

-- name: keep_deliveries
-- Known ids are kept once. A new one leads its line when nothing is there before it.
WITH numbered AS MATERIALIZED (
    SELECT nextval('place') AS seq, (SELECT max(number) FROM shelf) AS shelf, g.*
    FROM unnest(
        $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::bigint[], $11::integer[], $12::bytea[], $13::bytea[], $14::bytea[], $15::bytea[]
    ) AS g (message, id, endpoint, subscription, operation, content_type, correlation_id, causation_id, supersedes, inherited,
            size, key, line, head, sealed)
),
given AS MATERIALIZED (
    SELECT
        numbered.*, coalesce(inherited, seq) AS rank,
        coalesce((SELECT s.lane FROM subscription s WHERE s.name = numbered.subscription), 1::smallint) AS lane
    FROM numbered
),
fresh AS (
    INSERT INTO delivery (
        seq, id, message, endpoint, subscription, operation, content_type, correlation_id, causation_id, supersedes, created_at,
        rank, lane, key, head, shelf
    )
    SELECT
        seq, id, message, endpoint, subscription, operation, content_type, correlation_id, causation_id, supersedes, $16,
        rank, lane, key, head, shelf
    FROM given ORDER BY seq
    ON CONFLICT (id) DO NOTHING
    RETURNING seq
),
bodies AS (
    INSERT INTO body (shelf, seq, sealed) SELECT shelf, seq, sealed FROM given WHERE (seq IN (SELECT seq FROM fresh)) IS TRUE ORDER BY seq
),
placed AS (
    SELECT
        seq, message, endpoint, subscription, line, rank, lane, size,
        line = '' OR (
            row_number() OVER (PARTITION BY endpoint, line ORDER BY rank, seq) = 1
            AND NOT EXISTS (SELECT FROM due d WHERE d.endpoint = given.endpoint AND d.line = given.line AND d.line <> '' AND d.lead)
        ) AS lead
    FROM given WHERE (seq IN (SELECT seq FROM fresh)) IS TRUE
),
waiting AS (
    INSERT INTO due (seq, message, endpoint, subscription, line, rank, lead, lane, size, state, attempts, ready_at, reason, replaced)
    SELECT seq, message, endpoint, subscription, line, rank, lead, lane, size, 'due', 0, $16, '', false
    FROM placed ORDER BY seq
)
SELECT subscription, count(*)::bigint AS count FROM placed GROUP BY subscription;

-- name: keep_answers
WITH given AS MATERIALIZED (
    SELECT nextval('place') AS seq, (SELECT max(number) FROM shelf) AS shelf, g.*
    FROM unnest($1::bigint[], $2::bytea[]) AS g (event, sealed)
),
bodies AS (
    INSERT INTO body (shelf, seq, sealed) SELECT shelf, seq, sealed FROM given
),
gone AS (
    DELETE FROM body USING answer a
    WHERE a.event = ANY ($1) AND a.subscription = $3 AND body.shelf = a.shelf AND body.seq = a.seq
)
INSERT INTO answer (event, subscription, seq, shelf) SELECT event, $3, seq, shelf FROM given
ON CONFLICT (event, subscription) DO UPDATE SET seq = EXCLUDED.seq, shelf = EXCLUDED.shelf;
