-- The journal's first schema.
--
-- Three sorts of tables:
--   history   message, event, delivery, step, violation, answer: rows are added, and changed only by a person's act
--             (reprocess) or by the pruner
--   hot       untranslated, due, sending: hold only what is not finished; a row comes, waits and goes
--   counters  tally: kept in the transaction of what they count, spread over shards
--
-- States are told by place. A message is received while it is in untranslated, else what trouble says, else translated.
-- A delivery is sending while it is in sending, else what due says, else what ended says, else delivered. So the common way of
-- a message changes no row of history, and history needs no vacuum but against wraparound.
--
-- Sealed columns (bytea) hold what can carry an identifier; tokens are keyed hashes under which it is found again.

-- One sequence numbers everything, so that numbers of different nouns compare: it is the order in which things were kept.
CREATE SEQUENCE place;

-- The key ring that seals this journal.
CREATE TABLE ring (id text PRIMARY KEY);

-- ---- history ----------------------------------------------------------------------------------------------------------------

CREATE TABLE message (
    seq bigint PRIMARY KEY DEFAULT nextval('place'),
    id text COLLATE "C" NOT NULL,
    interface text NOT NULL,
    source text NOT NULL,
    correlation_id text NOT NULL,
    received_at timestamptz NOT NULL,
    size integer NOT NULL,
    arrival text NOT NULL,   -- the receiver's verdict
    reason text NOT NULL,
    kind bytea NOT NULL,     -- token
    head bytea NOT NULL,     -- sealed: kind, sender, control id, acknowledgement
    shelf integer NOT NULL   -- where the body lies
);
CREATE INDEX message_interface ON message (interface, seq);

-- Messages that are neither waiting nor translated.
CREATE TABLE trouble (
    seq bigint PRIMARY KEY,
    state text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX trouble_state ON trouble (state, seq);

CREATE TABLE violation (
    message bigint NOT NULL,
    seq bigint NOT NULL DEFAULT nextval('place'),
    place text NOT NULL,
    rule text NOT NULL,
    cure text NOT NULL,
    severity text NOT NULL,
    PRIMARY KEY (message, seq)
);

CREATE TABLE event (
    seq bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    superseded bigint NOT NULL DEFAULT 0,  -- 0, or its own seq when a reprocess has replaced it
    message bigint NOT NULL,
    type text NOT NULL,
    version integer NOT NULL,
    correlation_id text NOT NULL,
    causation_id text NOT NULL,
    created_at timestamptz NOT NULL,
    fed boolean NOT NULL,                  -- subscriptions see it; not so what a reprocess made, and what is pruned
    head bytea NOT NULL,                   -- sealed: key, ordering key
    size integer NOT NULL,                 -- bytes of the body
    shelf integer NOT NULL
);
CREATE INDEX event_message ON event (message);
CREATE INDEX event_feed ON event (type, seq) WHERE fed;

CREATE TABLE delivery (
    seq bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    message bigint NOT NULL,
    endpoint text NOT NULL,
    subscription text NOT NULL,
    operation text NOT NULL,
    content_type text NOT NULL,
    correlation_id text NOT NULL,
    causation_id text NOT NULL,
    supersedes text NOT NULL,
    created_at timestamptz NOT NULL,
    rank bigint NOT NULL,  -- place among those of its ordering key: its own seq, or the rank of the one that it supersedes
    lane smallint NOT NULL,
    head bytea NOT NULL,   -- sealed: key, ordering key
    shelf integer NOT NULL
);
CREATE INDEX delivery_message ON delivery (message);

-- Deliveries that ended otherwise than delivered.
CREATE TABLE ended (
    seq bigint PRIMARY KEY,
    state text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX ended_state ON ended (state, seq);

CREATE TABLE answer (
    event bigint NOT NULL,
    subscription text NOT NULL,
    seq bigint NOT NULL,
    shelf integer NOT NULL,
    PRIMARY KEY (event, subscription)
);

-- What happened, receipts too, as far as message (received) and delivery (planned) do not tell it themselves.
CREATE TABLE step (
    message bigint NOT NULL,
    seq bigint NOT NULL DEFAULT nextval('place'),
    subject bigint NOT NULL,
    at timestamptz NOT NULL,
    stage text NOT NULL,
    code text NOT NULL,
    detail bytea,          -- sealed; of a receipt: its code and reference
    by text NOT NULL,
    seconds double precision,
    PRIMARY KEY (message, seq)
);

-- ---- where to look ----------------------------------------------------------------------------------------------------------

-- Ids and keyed hashes are random: in one index over all history each touches a page of its own, which soon lies in no cache, and
-- which is written whole after each checkpoint. So history has only indexes that grow at their end, and what is random is kept in
-- runs: new entries go to the open run, which is small enough for any cache; when it is full another is opened; closed runs of like
-- size are merged aside into a larger one. Looking means a look into each run, of which there are few.
CREATE TABLE run (
    family text NOT NULL,          -- known, locator
    number integer NOT NULL,
    tier integer NOT NULL,         -- how often merged
    open boolean NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (family, number)
);
CREATE UNIQUE INDEX run_open ON run (family) WHERE open;

-- Every message that was ever received: what makes a second one a duplicate.
CREATE TABLE known (
    run integer NOT NULL,
    id uuid NOT NULL,              -- the message's id, or its hash where it is no uuid
    seq bigint NOT NULL,
    UNIQUE (id, run)
) PARTITION BY LIST (run);

-- Ids of events and deliveries, identifiers of messages, keys of deliveries: the number of the event, delivery or message.
CREATE TABLE locator (
    run integer NOT NULL,
    rest integer NOT NULL,         -- 32 bits more of what was hashed
    token bigint NOT NULL,
    seq bigint NOT NULL
) PARTITION BY LIST (run);
CREATE INDEX locator_token ON locator (token, seq);

CREATE TABLE known_1 PARTITION OF known FOR VALUES IN (1);
CREATE TABLE locator_1 PARTITION OF locator FOR VALUES IN (1);
INSERT INTO run (family, number, tier, open) VALUES ('known', 1, 0, true), ('locator', 1, 0, true);

-- ---- bodies -----------------------------------------------------------------------------------------------------------------

-- Bodies lie on shelves, apart from history, because they go (the pruner) while history stays. New ones are laid on the highest
-- shelf; an old shelf that has become empty is dropped, one that is half empty is rewritten: so space goes back to the file system.
CREATE TABLE shelf (
    number integer PRIMARY KEY,
    untidy boolean NOT NULL DEFAULT false  -- bodies were taken from it since it was last tidied
);

CREATE TABLE body (
    shelf integer NOT NULL,
    seq bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (shelf, seq)
) PARTITION BY LIST (shelf);
-- What is sealed does not compress.
ALTER TABLE body ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- The body of a large message lies in pieces of 1 MiB, each a body of its own.
CREATE TABLE piece (
    message bigint NOT NULL,
    number integer NOT NULL,
    shelf integer NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (message, number)
);

CREATE TABLE body_1 PARTITION OF body FOR VALUES IN (1);
INSERT INTO shelf (number) VALUES (1);

-- ---- hot --------------------------------------------------------------------------------------------------------------------

CREATE TABLE untranslated (
    seq bigint PRIMARY KEY,
    interface text NOT NULL,
    size integer NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 10000);
CREATE INDEX untranslated_interface ON untranslated (interface, seq);

-- Every delivery that is not finished. The row of a delivery that goes well is written once and deleted once.
CREATE TABLE due (
    seq bigint PRIMARY KEY,
    message bigint NOT NULL,
    endpoint text NOT NULL,
    subscription text NOT NULL,
    line bytea NOT NULL,          -- token of the ordering key; empty: no order
    rank bigint NOT NULL,
    lead boolean NOT NULL,        -- first of its line, or in no line: only such a one may be sent
    lane smallint NOT NULL,       -- 0 safety, 1 normal, 2 bulk
    size integer NOT NULL,        -- bytes of the body
    state text NOT NULL,          -- due, unknown, dead
    attempts integer NOT NULL,
    ready_at timestamptz NOT NULL,
    not_before timestamptz,
    reason text NOT NULL,
    replaced boolean NOT NULL     -- superseded while in the courier's hands; takes effect when its outcome is known
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 10000);
CREATE INDEX due_claim ON due (endpoint, lane, ready_at, seq) WHERE lead AND state <> 'dead';
-- The database itself holds that no two of a line may be sent at once.
CREATE UNIQUE INDEX due_lead ON due (endpoint, line) WHERE lead AND line <> '';
CREATE INDEX due_waiting ON due (endpoint, line, rank, seq) WHERE NOT lead;
CREATE INDEX due_state ON due (state, seq) WHERE state <> 'due';

-- What couriers have in hand. A claim adds a row here and changes none in due.
CREATE TABLE sending (
    seq bigint PRIMARY KEY,
    owner text NOT NULL,
    attempt integer NOT NULL,
    claim uuid NOT NULL           -- the call that took it: what a lost connection left in doubt is given back by it
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 10000);

CREATE TABLE subscription (
    name text PRIMARY KEY,
    types text[] NOT NULL,
    lane smallint NOT NULL,
    cursor bigint NOT NULL,
    passed bigint NOT NULL DEFAULT 0,  -- of what its types' feeds count: all that does not wait for it
    stopped text NOT NULL DEFAULT '',
    detail bytea                  -- sealed
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- ---- nodes ------------------------------------------------------------------------------------------------------------------

-- Who shares this journal. Of each name the latest incarnation; buried, and also who has left, stays as a stone without a lease, so
-- that it cannot come back.
CREATE TABLE node (
    name text PRIMARY KEY,
    incarnation text NOT NULL,
    lease_until timestamptz       -- by this server's clock
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- ---- counters and the pruner's places ---------------------------------------------------------------------------------------

-- Sum over the shards. Which shard a transaction counts in depends on its connection, so that nodes seldom wait for each other.
CREATE TABLE tally (
    noun text NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    shard smallint NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (noun, name, state, shard)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Events that subscriptions could see, ever, by type. What waits for a subscription is this less what it has passed.
CREATE TABLE feed (
    type text PRIMARY KEY,
    count bigint NOT NULL
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- How far the pruner has come, and what it had to leave behind because it was not finished.
CREATE TABLE pruned (interface text PRIMARY KEY, cursor bigint NOT NULL);
CREATE TABLE spared (
    interface text NOT NULL,
    message bigint NOT NULL,
    PRIMARY KEY (interface, message)
);

-- What is looked up in a table that is small now is looked up in LATERAL (… LIMIT 1), which can only be the index.

-- ---- views ------------------------------------------------------------------------------------------------------------------

CREATE VIEW message_now AS
SELECT
    m.seq, m.id, m.interface, m.source, m.correlation_id, m.received_at, m.size, m.kind, m.head, m.shelf,
    coalesce((SELECT 'received' FROM untranslated u WHERE u.seq = m.seq), t.state, 'translated') AS state,
    coalesce(t.reason, '') AS reason
FROM message m
LEFT JOIN LATERAL (SELECT * FROM trouble WHERE trouble.seq = m.seq LIMIT 1) AS t ON true;

CREATE VIEW delivery_now AS
SELECT
    d.seq, d.id, d.message, d.endpoint, d.subscription, d.operation, d.content_type, d.correlation_id, d.causation_id, d.supersedes,
    d.created_at, d.rank, d.lane, d.head, d.shelf, coalesce(u.replaced, false) AS replaced,
    CASE WHEN s.seq IS NOT NULL THEN 'sending' ELSE coalesce(u.state, e.state, 'delivered') END AS state,
    CASE WHEN s.seq IS NULL THEN u.not_before END AS not_before,
    CASE WHEN s.seq IS NOT NULL THEN '' ELSE coalesce(u.reason, e.reason, '') END AS reason,
    coalesce(s.attempt, u.attempts, (
        SELECT count(*)::integer FROM step
        WHERE step.message = d.message AND step.subject = d.seq AND (step.stage = 'attempt' OR step.code = 'owner-gone')
    )) AS attempts,
    CASE WHEN u.lead THEN '' ELSE coalesce((
        SELECT first.id FROM due JOIN delivery first USING (seq)
        WHERE due.endpoint = u.endpoint AND due.line = u.line AND due.line <> '' AND due.lead
    ), '') END AS behind
FROM delivery d
LEFT JOIN LATERAL (SELECT * FROM due WHERE due.seq = d.seq LIMIT 1) AS u ON true
LEFT JOIN LATERAL (SELECT * FROM sending WHERE sending.seq = d.seq LIMIT 1) AS s ON true
LEFT JOIN LATERAL (SELECT * FROM ended WHERE ended.seq = d.seq LIMIT 1) AS e ON true;

-- Whether nothing of a message is waiting for anybody: no translator, mend, subscription, courier or person.
CREATE FUNCTION finished(bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (SELECT FROM isthmus.untranslated WHERE seq = $1)
       AND NOT EXISTS (SELECT FROM isthmus.trouble WHERE seq = $1 AND state = 'failed')
       AND NOT EXISTS (SELECT FROM isthmus.delivery d JOIN isthmus.due u ON u.seq = d.seq WHERE d.message = $1)
       AND NOT EXISTS (
           SELECT FROM isthmus.event e JOIN isthmus.subscription s ON e.type = ANY (s.types) AND e.seq > s.cursor
           WHERE e.message = $1 AND e.fed
       )
$$;
