-- name: join
-- No row where the name is taken: by another incarnation whose lease runs, or by this one, which was buried.
INSERT INTO node (name, incarnation, lease_until) VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET incarnation = EXCLUDED.incarnation, lease_until = EXCLUDED.lease_until
WHERE CASE
    WHEN node.incarnation = EXCLUDED.incarnation THEN node.lease_until IS NOT NULL
    ELSE node.lease_until IS NULL OR node.lease_until <= clock_timestamp()
END
RETURNING name;

-- name: beat
-- No row at all where this incarnation was buried. A burial that is just being committed is waited for.
WITH mine AS (
    UPDATE node SET lease_until = clock_timestamp() + $3 * interval '1 second'
    WHERE name = $1 AND incarnation = $2 AND lease_until IS NOT NULL
    RETURNING name
)
SELECT CASE WHEN name = $1 THEN $2 ELSE incarnation END AS incarnation, name
FROM node
WHERE (name = $1 OR lease_until > clock_timestamp()) AND EXISTS (SELECT FROM mine);

-- name: bury
-- Looks again at a lease that is just being extended.
UPDATE node SET lease_until = NULL WHERE lease_until <= clock_timestamp();

-- name: bury_one
UPDATE node SET lease_until = NULL WHERE name = $1 AND incarnation = $2;

-- name: owners_gone
-- Whose node is buried, or was never heard of. A node joins before it claims: whoever sees its claim sees it here.
SELECT DISTINCT s.owner FROM sending s
WHERE NOT EXISTS (
    SELECT FROM node n WHERE n.lease_until IS NOT NULL AND n.name || ':' || n.incarnation = split_part(s.owner, '/', 1)
);

-- name: owners_of
SELECT DISTINCT owner FROM sending WHERE split_part(owner, '/', 1) = $1;

-- name: nodes
SELECT name || ':' || incarnation AS node, extract(epoch FROM lease_until - clock_timestamp())::float8 AS seconds
FROM node WHERE lease_until IS NOT NULL ORDER BY name;

-- name: ring_bell
-- A transaction of its own: the lock that NOTIFY holds until the commit is everybody's. A bell that a crash swallows does no harm, so
-- the commit does not wait for the disk.
SELECT set_config('synchronous_commit', 'off', true), count(pg_notify('isthmus', $1 || ' ' || topic)) FROM unnest($2::text[]) AS topic;

-- name: alive
SELECT 1;
