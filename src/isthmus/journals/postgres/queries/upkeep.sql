-- name: pruner_alone
SELECT pg_advisory_xact_lock(1769173096, 2);

-- name: prune_spared
-- What the pruner has left behind earlier: is it finished now?
SELECT m.seq, m.received_at < $2 AND isthmus.finished(m.seq) AS finished
FROM spared s
CROSS JOIN LATERAL (SELECT * FROM message WHERE message.seq = s.message LIMIT 1) AS m
WHERE s.interface = $1
ORDER BY m.seq;

-- name: prune_next
SELECT m.seq, m.received_at < $2 AS aged, m.received_at < $2 AND isthmus.finished(m.seq) AS finished
FROM message m
WHERE m.interface = $1 AND m.seq > $4
ORDER BY m.interface, m.seq
LIMIT $3;

-- name: prune_cursor
SELECT cursor FROM pruned WHERE interface = $1;

-- name: move_pruned
INSERT INTO pruned (interface, cursor) VALUES ($1, $2) ON CONFLICT (interface) DO UPDATE SET cursor = EXCLUDED.cursor;

-- name: not_spared
DELETE FROM spared WHERE interface = $1 AND message = ANY ($2::bigint[]);

-- name: spare
INSERT INTO spared (interface, message) SELECT $1, * FROM unnest($2::bigint[]);

-- name: prune_places
-- Where the bodies lie that belong to these messages.
SELECT 'message' AS noun, m.shelf, m.seq FROM message m WHERE m.seq = ANY ($1::bigint[])
UNION ALL
SELECT 'piece', p.shelf, p.seq FROM piece p WHERE p.message = ANY ($1::bigint[])
UNION ALL
SELECT 'event', e.shelf, e.seq FROM event e WHERE e.message = ANY ($1::bigint[])
UNION ALL
SELECT 'delivery', d.shelf, d.seq FROM delivery d WHERE d.message = ANY ($1::bigint[])
UNION ALL
SELECT 'answer', a.shelf, a.seq FROM event e JOIN answer a ON a.event = e.seq WHERE e.message = ANY ($1::bigint[]);

-- name: prune_bodies
WITH gone AS (
    DELETE FROM body WHERE shelf = $1 AND seq = ANY ($2::bigint[]) RETURNING octet_length(sealed) AS bytes
)
SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM gone;

-- name: prune_events
UPDATE event SET fed = false WHERE message = ANY ($1::bigint[]) AND fed;

-- name: prune_pieces
DELETE FROM piece WHERE message = ANY ($1::bigint[]);

-- name: prune_answers
DELETE FROM answer USING event e WHERE e.message = ANY ($1::bigint[]) AND answer.event = e.seq;

-- name: shelves_untidy
UPDATE shelf SET untidy = true WHERE number = ANY ($1::integer[]) AND NOT untidy;

-- name: shelf_tidy
UPDATE shelf SET untidy = false WHERE number = $1;

-- name: shelves
SELECT number, untidy FROM shelf ORDER BY number;

-- name: shelf_size
SELECT pg_total_relation_size(format('isthmus.body_%s', $1::integer)::regclass);

-- name: shelf_content
-- What lies on a shelf, body by body.
SELECT coalesce(sum(octet_length(sealed)), 0)::bigint FROM body WHERE shelf = $1;

-- name: alone_at_shelves
SELECT pg_try_advisory_lock(1769173095, 1);

-- name: not_alone_at_shelves
SELECT pg_advisory_unlock(1769173095, 1);

-- name: patience
-- We wait for nobody for long, and so nobody for us; but longer than autovacuum, which yields after a second.
SET lock_timeout = '1500ms';

-- name: no_patience
RESET lock_timeout;

-- name: vacuum_shelf
VACUUM isthmus.body_{shelf};

-- name: rewrite_shelf
VACUUM FULL isthmus.body_{shelf};

-- name: drop_shelf
-- Looks first, and then holds up the others for a moment only. Who waits longer than this for the whole of body lets nobody past.
DO $$ BEGIN
    LOCK TABLE isthmus.body_{shelf} IN SHARE MODE;
    IF NOT EXISTS (SELECT FROM isthmus.body_{shelf}) THEN
        SET LOCAL lock_timeout = '100ms';
        LOCK TABLE ONLY isthmus.body IN ACCESS EXCLUSIVE MODE;
        DROP TABLE isthmus.body_{shelf};
        DELETE FROM isthmus.shelf WHERE number = {shelf};
    END IF;
END $$;

-- name: add_shelf
-- ATTACH lets others read and write meanwhile, which PARTITION OF would not.
CREATE TABLE isthmus.body_{shelf} (LIKE isthmus.body INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING INDEXES);
ALTER TABLE isthmus.body ATTACH PARTITION isthmus.body_{shelf} FOR VALUES IN ({shelf});
INSERT INTO isthmus.shelf (number) VALUES ({shelf});

-- name: size
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'isthmus' AND c.relkind = 'r';
