-- The journal's first schema.
--
--   history   message, event, delivery, violation, step, answer: rows are added; a person's act (reprocess) marks old
--             events and links deliveries, the pruner replaces a body by its head
--   hot       untranslated, due: hold only what is not finished; a row comes, waits and goes
--   counters  tally, subscription.waiting: kept in the transaction of what they count
--   index     fresh, run, page, common: from ids and identifiers to seq (locator.py says why not an index on each table)
--
-- One sequence numbers everything, so seq is the order in which things were kept. States are told by place: a message is received
-- while it is in untranslated, else what verdict says, else translated; a delivery is what due says, else what ended says, else
-- delivered. So the common way of a message changes no row of history.
--
-- Times are microseconds since 1970 (UTC). Columns named sealed or head are encrypted (journals.sealing); token, kind, line and key
-- are keyed hashes. Bodies lie apart, at place = shelf << 44 | seq: those of one interface together in the order of their arrival, so
-- that whole pages become free when they are pruned.

-- Which key ring sealed this journal.
CREATE TABLE ring (id TEXT NOT NULL);

-- The last seq that was given away.
CREATE TABLE sequence (last INTEGER NOT NULL);
INSERT INTO sequence VALUES (0);

CREATE TABLE shelf (
    number INTEGER PRIMARY KEY,
    interface TEXT NOT NULL UNIQUE,
    pruned INTEGER NOT NULL DEFAULT 0    -- messages up to this seq are pruned, or in spared
);

CREATE TABLE body (
    place INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL                 -- empty where a message's body lies in chunks
);

-- Bodies of messages above a mebibyte.
CREATE TABLE chunk (
    place INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (place, number)
) WITHOUT ROWID;

-- ---- history ----------------------------------------------------------------------------------------------------------------

CREATE TABLE message (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    shelf INTEGER NOT NULL,
    source TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    arrival TEXT NOT NULL,               -- the receiver's verdict
    reason TEXT NOT NULL,
    kind BLOB NOT NULL,
    head BLOB NOT NULL                   -- kind, sender, control id, correlation id, acknowledgement
);
CREATE INDEX message_shelf ON message (shelf, seq);
CREATE INDEX message_kind ON message (kind, seq);

-- Messages that are neither waiting nor plainly translated.
CREATE TABLE verdict (
    seq INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX verdict_state ON verdict (state, seq);

CREATE TABLE violation (
    message INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL                 -- all of them
);

CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    message INTEGER NOT NULL,
    shelf INTEGER NOT NULL,
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    fed INTEGER NOT NULL,                -- subscriptions see it; not so what a reprocess made, what it replaced, and what is pruned
    superseded INTEGER NOT NULL DEFAULT 0,
    head BLOB                            -- once pruned: the envelope without its body
);
CREATE INDEX event_message ON event (message);
CREATE INDEX event_fed ON event (type, seq) WHERE fed = 1;

CREATE TABLE delivery (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    message INTEGER NOT NULL,
    shelf INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    subscription TEXT NOT NULL,
    lane INTEGER NOT NULL,               -- 0 safety, 1 normal, 2 bulk
    created_at INTEGER NOT NULL,
    rank INTEGER NOT NULL,               -- place among those of its ordering key: its own seq, or the rank of what it supersedes
    successor TEXT NOT NULL DEFAULT '',
    head BLOB                            -- once pruned: the delivery without its body
);
CREATE INDEX delivery_message ON delivery (message);

-- Deliveries that ended otherwise than delivered.
CREATE TABLE ended (
    seq INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX ended_state ON ended (state, seq);

-- What happened: attempts with their receipts, and all that message, event and delivery do not tell themselves.
CREATE TABLE step (
    message INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    subject INTEGER NOT NULL,            -- seq of the message or delivery
    at INTEGER NOT NULL,
    stage TEXT NOT NULL,
    sealed BLOB,                         -- code, detail, by whom, seconds, receipts
    PRIMARY KEY (message, seq)
) WITHOUT ROWID;

CREATE TABLE answer (
    event INTEGER NOT NULL,
    subscription TEXT NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (event, subscription)
) WITHOUT ROWID;

-- ---- hot --------------------------------------------------------------------------------------------------------------------

CREATE TABLE untranslated (
    shelf INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (shelf, seq)
) WITHOUT ROWID;

-- Every delivery that is not finished. Of one line (endpoint and ordering key) one leads: it is due with a turn, sending, unknown or
-- dead. The others wait behind it; two indexes hold the one and the others, so that nothing walks along a line.
CREATE TABLE due (
    seq INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    line BLOB,                           -- token of the ordering key; NULL: no order
    rank INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    state TEXT NOT NULL,                 -- due, sending, unknown, dead
    turn INTEGER,                        -- from when on it may be claimed; NULL: not now (behind another, sending, dead)
    ready_at INTEGER NOT NULL,           -- its turn, once nothing is before it
    not_before INTEGER,
    attempts INTEGER NOT NULL,
    owner TEXT,
    uncertain INTEGER NOT NULL DEFAULT 0,
    replaced INTEGER NOT NULL DEFAULT 0, -- superseded while in the courier's hands; takes effect when its outcome is known
    reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX due_turn ON due (endpoint, lane, turn, seq) WHERE turn IS NOT NULL;
CREATE INDEX due_lead ON due (endpoint, line) WHERE line IS NOT NULL AND (turn IS NOT NULL OR state <> 'due');
CREATE INDEX due_behind ON due (endpoint, line, rank, seq) WHERE line IS NOT NULL AND turn IS NULL AND state = 'due';
CREATE INDEX due_owner ON due (owner, seq) WHERE owner IS NOT NULL;
CREATE INDEX due_dead ON due (seq) WHERE state = 'dead';
CREATE INDEX due_unknown ON due (seq) WHERE state = 'unknown';

CREATE TABLE subscription (
    name TEXT PRIMARY KEY,
    types TEXT NOT NULL,                 -- a JSON list
    lane INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    waiting INTEGER NOT NULL,            -- events of its types after the cursor
    stopped TEXT NOT NULL DEFAULT '',
    detail BLOB                          -- sealed
) WITHOUT ROWID;

-- ---- index ------------------------------------------------------------------------------------------------------------------

-- Entries are key (8 bytes) and seq (8).

-- What is in no run yet, one row a commit.
CREATE TABLE fresh (
    number INTEGER PRIMARY KEY,
    ids BLOB NOT NULL,
    identifiers BLOB NOT NULL
);

CREATE TABLE run (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    family INTEGER NOT NULL,             -- 0 ids, 1 identifiers
    bits INTEGER NOT NULL,               -- it has up to 2^bits pages
    state TEXT NOT NULL,                 -- growing, whole, gone (its pages are being dropped); looked into while it is whole
    heir INTEGER,                        -- the run into which it is being merged
    done INTEGER NOT NULL DEFAULT 0      -- while it grows: pages of its sources that are merged
);
CREATE TABLE page (
    place INTEGER PRIMARY KEY,           -- number of the run << 32 | first bits of the keys
    entries BLOB NOT NULL
);

-- Identifiers that very many messages share.
CREATE TABLE common (
    key BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, seq)
) WITHOUT ROWID;

-- ---- counters and the pruner ------------------------------------------------------------------------------------------------

CREATE TABLE tally (
    noun TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (noun, name, state)
) WITHOUT ROWID;

-- Messages that the pruner passed because they were not finished.
CREATE TABLE spared (
    shelf INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (shelf, message)
) WITHOUT ROWID;
