-- name: lock_schema
SELECT pg_advisory_xact_lock(1769173095, 0);

-- name: make_schema
CREATE SCHEMA IF NOT EXISTS isthmus;

-- name: make_migration
CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());

-- name: schema_version
SELECT max(number) FROM migration;

-- name: note_migration
INSERT INTO migration (number) VALUES ($1);

-- name: claim_ring
INSERT INTO ring (id) SELECT $1 WHERE NOT EXISTS (SELECT FROM ring);

-- name: ring
SELECT id FROM ring;
