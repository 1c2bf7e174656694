-- Two habits of these queries. Rows that a statement has just added are picked by (seq IN (SELECT …)) IS TRUE and not by a join: the
-- planner cannot know how many they are, and a loop in a loop would cost the square of the batch. And what is looked up row by row
-- in a table that grows is looked up in LATERAL (… LIMIT 1), which can only be the index.

-- name: receive
-- Keeps the new ones of a batch (ids unique within it) and notes the others as duplicates: one statement, one commit.
-- Ids are added in one order, so that two nodes that get the same messages never wait for each other in a circle.
-- A message that another node is just committing is neither new nor visible yet: it does not come back, to be asked again.
WITH given AS MATERIALIZED (
    SELECT nextval('place') AS seq, (SELECT max(number) FROM shelf) AS shelf, g.*
    FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::integer[], $7::text[], $8::text[],
        $9::bytea[], $10::bytea[], $11::bytea[], $12::uuid[]
    ) WITH ORDINALITY AS g (id, interface, source, correlation_id, received_at, size, arrival, reason, kind, head, sealed, token, n)
),
seen AS MATERIALIZED (
    SELECT given.id, given.received_at, first.seq
    FROM given
    CROSS JOIN LATERAL (SELECT known.seq FROM known WHERE known.id = given.token LIMIT 1) AS first
),
marked AS (
    INSERT INTO known (run, id, seq)
    SELECT (SELECT number FROM run WHERE family = 'known' AND open), token, seq
    FROM given WHERE (id IN (SELECT id FROM seen)) IS NOT TRUE ORDER BY token
    ON CONFLICT (id, run) DO NOTHING
    RETURNING seq
),
fresh AS (
    INSERT INTO message (seq, id, interface, source, correlation_id, received_at, size, arrival, reason, kind, head, shelf)
    SELECT seq, id, interface, source, correlation_id, received_at, size, arrival, reason, kind, head, shelf
    FROM given WHERE (seq IN (SELECT seq FROM marked)) IS TRUE ORDER BY seq
    RETURNING seq, id, interface, size, arrival, reason
),
bodies AS (
    INSERT INTO body (shelf, seq, sealed)
    SELECT shelf, seq, sealed FROM given WHERE (seq IN (SELECT seq FROM fresh)) IS TRUE AND sealed IS NOT NULL ORDER BY seq
),
waiting AS (
    INSERT INTO untranslated (seq, interface, size) SELECT seq, interface, size FROM fresh WHERE arrival = 'received' ORDER BY seq
),
troubles AS (
    INSERT INTO trouble (seq, state, reason) SELECT seq, arrival, reason FROM fresh WHERE arrival <> 'received'
),
identifiers AS (
    INSERT INTO locator (run, rest, token, seq)
    SELECT (SELECT number FROM run WHERE family = 'locator' AND open), i.rest, i.token, i.message
    FROM (
        SELECT token, rest, (SELECT array_agg(seq ORDER BY n) FROM given)[n] AS message
        FROM unnest($13::integer[], $14::bigint[], $15::integer[]) AS u (n, token, rest)
    ) AS i
    WHERE (i.message IN (SELECT seq FROM fresh)) IS TRUE
    ORDER BY i.token
),
violations AS (
    INSERT INTO violation (message, place, rule, cure, severity)
    SELECT v.message, v.place, v.rule, v.cure, v.severity
    FROM (
        SELECT (SELECT array_agg(seq ORDER BY n) FROM given)[n] AS message, place, rule, cure, severity
        FROM unnest($16::integer[], $17::text[], $18::text[], $19::text[], $20::text[]) AS u (n, place, rule, cure, severity)
    ) AS v
    WHERE (v.message IN (SELECT seq FROM fresh)) IS TRUE
),
duplicate AS (
    SELECT seen.id, seen.received_at, first.seq, first.interface, first.head
    FROM seen
    CROSS JOIN LATERAL (SELECT m.seq, m.interface, m.head FROM message m WHERE m.seq = seen.seq LIMIT 1) AS first
),
duplicates AS (
    INSERT INTO step (message, subject, at, stage, code, by) SELECT seq, seq, received_at, 'duplicate', '', '' FROM duplicate
),
counted AS (
    INSERT INTO tally (noun, name, state, shard, count)
    SELECT 'message', interface, state, pg_backend_pid() % 16, count(*)
    FROM (SELECT interface, arrival AS state FROM fresh UNION ALL SELECT interface, 'duplicate' FROM duplicate) AS one
    GROUP BY interface, state ORDER BY interface, state
    ON CONFLICT (noun, name, state, shard) DO UPDATE SET count = tally.count + EXCLUDED.count
)
SELECT id, seq, NULL AS head FROM fresh
UNION ALL
SELECT id, seq, head FROM duplicate;

-- name: keep_piece
INSERT INTO body (shelf, seq, sealed) SELECT max(number), nextval('place'), $1 FROM shelf RETURNING shelf, seq;

-- name: keep_pieces
INSERT INTO piece (message, number, shelf, seq)
SELECT $1, n - 1, shelf, seq FROM unnest($2::integer[], $3::bigint[]) WITH ORDINALITY AS g (shelf, seq, n);

-- name: backlog
SELECT name, sum(count)::bigint AS count FROM tally WHERE noun = 'message' AND state = 'received' GROUP BY name HAVING sum(count) <> 0;
