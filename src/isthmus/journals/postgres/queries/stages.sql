-- name: untranslated
SELECT
    m.seq, m.id, m.interface, m.source, m.correlation_id, m.received_at, m.size, m.head,
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
    m.seq, m.id, m.interface, m.source, m.correlation_id, m.received_at, m.size, m.head,
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
-- Those that still wait; a second worker, or a retry after a lost connection, takes none.
DELETE FROM untranslated WHERE seq = ANY ($1::bigint[]) RETURNING seq, interface;

-- name: messages_by_id
SELECT given.n, first.seq
FROM unnest($1::uuid[]) WITH ORDINALITY AS given (id, n)
CROSS JOIN LATERAL (SELECT known.seq FROM known WHERE known.id = given.id LIMIT 1) AS first;

-- name: keep_events
WITH given AS MATERIALIZED (
    SELECT nextval('place') AS seq, (SELECT max(number) FROM shelf) AS shelf, g.*
    FROM unnest(
        $1::bigint[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::integer[], $8::bytea[], $9::bytea[],
        $10::bigint[], $11::integer[]
    ) AS g (message, id, type, version, correlation_id, causation_id, size, head, sealed, token, rest)
),
fresh AS (
    INSERT INTO event (seq, id, message, type, version, correlation_id, causation_id, created_at, fed, head, size, shelf)
    SELECT seq, id, message, type, version, correlation_id, causation_id, $12, $13, head, size, shelf
    FROM given
    WHERE (SELECT true FROM event e WHERE e.message = given.message AND e.id = given.id AND e.superseded = 0 LIMIT 1) IS NULL
    ORDER BY seq
    RETURNING seq, type
),
located AS (
    INSERT INTO locator (run, rest, token, seq)
    SELECT (SELECT number FROM run WHERE family = 'locator' AND open), rest, token, seq
    FROM given WHERE (seq IN (SELECT seq FROM fresh)) IS TRUE ORDER BY token
),
bodies AS (
    INSERT INTO body (shelf, seq, sealed) SELECT shelf, seq, sealed FROM given WHERE (seq IN (SELECT seq FROM fresh)) IS TRUE ORDER BY seq
),
fed AS (
    INSERT INTO feed (type, count) SELECT type, count(*) FROM fresh WHERE $13 GROUP BY type ORDER BY type
    ON CONFLICT (type) DO UPDATE SET count = feed.count + EXCLUDED.count
)
SELECT type, count(*)::bigint AS count FROM fresh GROUP BY type;

-- name: keep_troubles
INSERT INTO trouble (seq, state, reason)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])
ON CONFLICT (seq) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason;

-- name: keep_identifiers
INSERT INTO locator (run, rest, token, seq)
SELECT (SELECT number FROM run WHERE family = 'locator' AND open), rest, token, seq
FROM unnest($1::bigint[], $2::integer[], $3::bigint[]) AS given (token, rest, seq) ORDER BY token;

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

-- name: passing
-- What a subscription passes when its cursor moves.
SELECT e.id, e.seq, e.message
FROM subscription s
CROSS JOIN LATERAL unnest(s.types) AS of (type)
CROSS JOIN LATERAL (
    SELECT event.id, event.seq, event.message FROM event
    WHERE event.fed AND event.type = of.type AND event.seq > s.cursor AND event.seq <= $2 ORDER BY event.type, event.seq
) AS e
WHERE s.name = $1;

-- name: move_cursor
UPDATE subscription SET cursor = greatest(cursor, $2), passed = passed + $3 WHERE name = $1;

-- name: set_stopped
UPDATE subscription SET stopped = $2, detail = $3 WHERE name = $1 RETURNING name;

-- name: events_by_id
-- Of two under one id the later one is the current one: superseded ones come first.
SELECT e.id, e.seq, e.message
FROM unnest($1::text[], $2::bigint[]) AS given (id, token)
CROSS JOIN LATERAL (SELECT seq FROM locator WHERE locator.token = given.token OFFSET 0) AS l
CROSS JOIN LATERAL (SELECT * FROM event WHERE event.seq = l.seq LIMIT 1) AS e
WHERE e.id = given.id
ORDER BY e.seq;

-- name: keep_deliveries
-- Known ids are kept once. A new one leads its line when nothing is there before it.
WITH numbered AS MATERIALIZED (
    SELECT nextval('place') AS seq, (SELECT max(number) FROM shelf) AS shelf, g.*
    FROM unnest(
        $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::bigint[], $11::integer[], $12::bytea[], $13::bytea[], $14::bytea[], $15::bigint[], $16::integer[], $17::bigint[], $18::integer[]
    ) AS g (message, id, endpoint, subscription, operation, content_type, correlation_id, causation_id, supersedes, inherited,
            size, line, head, sealed, token, rest, key_token, key_rest)
    WHERE (SELECT true FROM delivery d WHERE d.message = g.message AND d.id = g.id LIMIT 1) IS NULL
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
        rank, lane, head, shelf
    )
    SELECT
        seq, id, message, endpoint, subscription, operation, content_type, correlation_id, causation_id, supersedes, $19,
        rank, lane, head, shelf
    FROM given ORDER BY seq
),
located AS (
    INSERT INTO locator (run, rest, token, seq)
    SELECT (SELECT number FROM run WHERE family = 'locator' AND open), rest, token, seq
    FROM (SELECT rest, token, seq FROM given UNION ALL SELECT key_rest, key_token, seq FROM given) AS one
    ORDER BY token
),
bodies AS (
    INSERT INTO body (shelf, seq, sealed) SELECT shelf, seq, sealed FROM given ORDER BY seq
),
placed AS (
    SELECT
        seq, message, endpoint, subscription, line, rank, lane, size,
        line = '' OR (
            row_number() OVER (PARTITION BY endpoint, line ORDER BY rank, seq) = 1
            AND (SELECT true FROM due d WHERE d.endpoint = given.endpoint AND d.line = given.line AND d.line <> '' AND d.lead LIMIT 1) IS NULL
        ) AS lead
    FROM given
),
waiting AS (
    INSERT INTO due (seq, message, endpoint, subscription, line, rank, lead, lane, size, state, attempts, ready_at, reason, replaced)
    SELECT seq, message, endpoint, subscription, line, rank, lead, lane, size, 'due', 0, $19, '', false
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
