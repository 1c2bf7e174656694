-- name: with_pruner
-- Shared by acts that make finished work unfinished; the pruner takes it alone.
SELECT pg_advisory_xact_lock_shared(1769173096, 2);

-- name: states
SELECT
    d.seq, d.id, d.message, d.endpoint, d.subscription, d.rank, d.attempts, d.state, d.reason, d.head,
    d.lane, coalesce((SELECT due.line FROM due WHERE due.seq = d.seq), ''::bytea) AS line,
    (SELECT octet_length(b.sealed) FROM body b WHERE b.shelf = d.shelf AND b.seq = d.seq) AS size
FROM unnest($1::bigint[]) AS given (seq)
CROSS JOIN LATERAL (SELECT * FROM delivery_now WHERE delivery_now.seq = given.seq LIMIT 1) AS d;

-- name: lock_due
-- What a courier is just claiming is waited for; what is locked here he skips.
SELECT FROM due WHERE seq = ANY ($1::bigint[]) ORDER BY seq FOR UPDATE;

-- name: lock_leads
SELECT
FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::bytea[]) AS one (endpoint, line)) AS given
JOIN due ON due.lead AND due.line <> '' AND due.endpoint = given.endpoint AND due.line = given.line
ORDER BY due.seq
FOR UPDATE OF due;

-- name: due_again
-- Behind others of its line until it is seen who goes first.
INSERT INTO due (seq, message, endpoint, subscription, line, rank, lead, lane, size, state, attempts, ready_at, reason, replaced)
SELECT seq, message, endpoint, subscription, line, rank, line = '', lane, size, 'due', attempts, $10::timestamptz, '', false
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::bigint[], $7::smallint[], $8::integer[], $9::integer[])
    AS g (seq, message, endpoint, subscription, line, rank, lane, size, attempts);

-- name: not_ended
DELETE FROM ended WHERE seq = ANY ($1::bigint[]);

-- name: message_state
SELECT m.seq, m.interface, m.state FROM (SELECT seq FROM known WHERE id = $1 LIMIT 1) AS k
CROSS JOIN LATERAL (SELECT * FROM message_now WHERE message_now.seq = k.seq LIMIT 1) AS m;

-- name: set_translated
WITH waited AS (DELETE FROM untranslated WHERE seq = $1)
DELETE FROM trouble WHERE seq = $1;

-- name: forget_violations
DELETE FROM violation WHERE message = $1;

-- name: events_of
SELECT
    e.seq, e.id, e.type, e.version, e.correlation_id, e.causation_id, e.head,
    (SELECT b.sealed FROM body b WHERE b.shelf = e.shelf AND b.seq = e.seq) AS sealed
FROM event e WHERE e.message = $1 AND e.superseded = 0 ORDER BY e.seq;

-- name: supersede_events
UPDATE event SET superseded = seq, fed = false WHERE seq = ANY ($1::bigint[]);

-- name: pass_superseded
-- What subscriptions still had before them and will not see any more; nobody plans from these subscriptions meanwhile.
UPDATE subscription s SET passed = s.passed + (
    SELECT count(*) FROM event e WHERE e.seq = ANY ($1::bigint[]) AND e.fed AND e.type = ANY (s.types) AND e.seq > s.cursor
)
WHERE EXISTS (SELECT FROM event e WHERE e.seq = ANY ($1::bigint[]) AND e.fed AND e.type = ANY (s.types) AND e.seq > s.cursor);

-- name: deliveries_of
SELECT d.*, (SELECT b.sealed FROM body b WHERE b.shelf = d.shelf AND b.seq = d.seq) AS sealed
FROM delivery_now d WHERE d.message = $1 ORDER BY d.seq;

-- name: replace_in_hand
UPDATE due SET replaced = true WHERE seq = ANY ($1::bigint[]);

-- name: spare_passed
-- A message that the pruner has passed may have work again: it looks at it next time.
INSERT INTO spared (interface, message) SELECT interface, $2 FROM pruned WHERE interface = $1 AND cursor >= $2
ON CONFLICT DO NOTHING;
