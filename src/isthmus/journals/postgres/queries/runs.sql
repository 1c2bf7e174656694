-- name: alone_at_runs
SELECT pg_try_advisory_lock(1769173095, 2);

-- name: not_alone_at_runs
SELECT pg_advisory_unlock(1769173095, 2);

-- name: runs
SELECT number, tier, open FROM run WHERE family = $1 ORDER BY number;

-- name: run_size
SELECT pg_relation_size(format('isthmus.%s_%s', $1::text, $2::integer)::regclass);

-- name: open_run
-- The lock waits for whoever is just adding to the run that is closed here, and lets nobody begin meanwhile: two that receive the same
-- message at the same moment must meet in one run, or the later must see the other's.
CREATE TABLE isthmus.{family}_{run} (LIKE isthmus.{family} INCLUDING INDEXES, CHECK (run = {run}));
ALTER TABLE isthmus.{family} ATTACH PARTITION isthmus.{family}_{run} FOR VALUES IN ({run});
SET LOCAL lock_timeout = '100ms';
LOCK TABLE ONLY isthmus.{family} IN SHARE MODE;
UPDATE isthmus.run SET open = false, since = clock_timestamp() WHERE family = '{family}' AND open;
INSERT INTO isthmus.run (family, number, tier, open) VALUES ('{family}', {run}, 0, true);

-- name: begin_merge
-- Read from beginning to end and sorted: what lies at random is not looked up entry by entry. Autovacuum is sent away from these tables
-- now, for it would not go at once when they are exchanged.
SET LOCAL enable_seqscan = on;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
SET LOCAL work_mem = '64MB';
SET LOCAL maintenance_work_mem = '128MB';
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL max_parallel_maintenance_workers = 0;
SET LOCAL lock_timeout = '1500ms';
LOCK TABLE {tables} IN SHARE UPDATE EXCLUSIVE MODE;
CREATE TABLE isthmus.{family}_{run} (LIKE isthmus.{family}, CHECK (run = {run}));

-- name: merge_known
INSERT INTO isthmus.known_{run} (run, id, seq) SELECT {run}, id, seq FROM known WHERE run IN ({old}) ORDER BY id;
CREATE UNIQUE INDEX ON isthmus.known_{run} (id, run) WITH (fillfactor = 100);

-- name: merge_locator
INSERT INTO isthmus.locator_{run} (run, rest, token, seq)
SELECT {run}, rest, token, seq FROM locator WHERE run IN ({old}) ORDER BY token, seq;
CREATE INDEX ON isthmus.locator_{run} (token, seq) WITH (fillfactor = 100);

-- name: lock_family
-- Taken for the moment of the exchange; who waits for it lets nobody past, so not for long.
SET LOCAL lock_timeout = '100ms';
LOCK TABLE ONLY isthmus.{family} IN ACCESS EXCLUSIVE MODE;

-- name: exchange_runs
ALTER TABLE isthmus.{family} ATTACH PARTITION isthmus.{family}_{run} FOR VALUES IN ({run});
DROP TABLE {tables};
DELETE FROM isthmus.run WHERE family = '{family}' AND number IN ({old});
INSERT INTO isthmus.run (family, number, tier, open) VALUES ('{family}', {run}, {tier}, false);

-- name: hot_rows
SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'isthmus.due'::regclass;

-- name: vacuum_hot
-- Rows of these tables come and go; what is gone lies at the head, where couriers begin to look. Autovacuum comes once a minute.
VACUUM (SKIP_LOCKED, TRUNCATE false, INDEX_CLEANUP on) isthmus.due, isthmus.sending, isthmus.untranslated, isthmus.tally,
    isthmus.subscription, isthmus.feed, isthmus.node;
