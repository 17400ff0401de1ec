-- min_reader: 1
-- Answers kept for callers that go on from them by id (the Responses API).

CREATE TABLE answers (
    id TEXT NOT NULL,                   -- as the caller knows it
    owner BLOB NOT NULL,                -- SHA-256 of the key it was given to
    expires_us INTEGER NOT NULL,
    sealed BLOB NOT NULL,               -- AES-256-GCM over the record, bound to owner and id
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX answers_by_end ON answers (expires_us);
