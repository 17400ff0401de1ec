-- min_reader: 1
-- Files and batches that callers have at upstreams: whose they are, and where.

CREATE TABLE objects (
    owner BLOB NOT NULL,                -- SHA-256 of the key that made it
    id TEXT NOT NULL,                   -- the upstream's, and the caller's
    kind TEXT NOT NULL,                 -- 'file', 'batch'
    deployment TEXT NOT NULL,           -- model_info.id
    model TEXT NOT NULL,                -- the group that was asked for
    created_us INTEGER NOT NULL,
    json TEXT NOT NULL,                 -- as the upstream last said it
    claim BLOB,                         -- the call that charges it; NULL: none
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX objects_by_age ON objects (owner, kind, created_us);
