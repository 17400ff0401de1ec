-- min_reader: 1
-- Keys, the ledger, prices and the audit chain.  Times are wall microseconds, 0: never; money is
-- nano-USD; -1: no limit.  Only what is added later may be missing here: migrations expand.

CREATE TABLE keys (
    hash BLOB PRIMARY KEY,              -- SHA-256 of "sk-..."
    name TEXT NOT NULL,
    alias TEXT NOT NULL,
    models TEXT NOT NULL,               -- JSON array; [] is all
    user_id TEXT NOT NULL,
    team_id TEXT NOT NULL,
    metadata TEXT NOT NULL,
    extra TEXT NOT NULL,
    max_budget INTEGER NOT NULL,
    soft_budget INTEGER NOT NULL,
    budget_duration_s INTEGER NOT NULL,
    budget_duration TEXT NOT NULL,
    budget_reset_us INTEGER NOT NULL,
    rpm INTEGER NOT NULL,
    tpm INTEGER NOT NULL,
    max_parallel INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    blocked INTEGER NOT NULL,
    spend INTEGER NOT NULL,             -- of the window that began at window_us
    window_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Numbers for what repeats in every row of the ledger.
CREATE TABLE key_ids (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE routes (
    id INTEGER PRIMARY KEY,
    call_type TEXT NOT NULL,
    model_group TEXT NOT NULL,
    model TEXT NOT NULL,
    deployment TEXT NOT NULL,
    provider TEXT NOT NULL,
    api_base TEXT NOT NULL,
    UNIQUE (model, deployment, call_type, model_group, provider, api_base)
) STRICT;

-- Calls that were admitted and not settled yet.
CREATE TABLE intents (
    id BLOB PRIMARY KEY,
    key INTEGER NOT NULL,
    route INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    user TEXT,
    metadata TEXT,
    client_ip TEXT
) STRICT, WITHOUT ROWID;

-- The hot table: the call's UUIDv7 is its only key.
CREATE TABLE spend (
    id BLOB PRIMARY KEY,
    key INTEGER NOT NULL,
    route INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    first_us INTEGER,                   -- after start_us; NULL: never
    duration_us INTEGER,                -- likewise
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    status INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    user TEXT,
    metadata TEXT,
    client_ip TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE daily (
    day INTEGER NOT NULL,               -- since 1970-01-01, UTC, of the start
    key INTEGER NOT NULL,
    route INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (day, key, route)
) STRICT, WITHOUT ROWID;

CREATE TABLE prices (
    seq INTEGER PRIMARY KEY,            -- names with a star are asked in this order
    source TEXT NOT NULL,
    model TEXT NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (source, model)
) STRICT;

-- hash = SHA-256(prev, seq, at_us, actor, action, target, detail); prev of the first is zero.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
