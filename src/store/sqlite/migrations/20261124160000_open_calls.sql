-- min_reader: 1
-- Calls that were sent and are not settled, with what each would cost if nothing more were heard (few
-- columns, for such a row comes and goes with a call that outlives a commit); what
-- stays held of the reservation of one that a crash ended; and the attempts of calls that took several.
-- A program that does not know them goes on with `intents`, and with `spend` as it is: so these are
-- tables of their own.

CREATE TABLE open_calls (
    id BLOB PRIMARY KEY,
    key INTEGER NOT NULL,
    route INTEGER NOT NULL,             -- of the attempt under way
    start_us INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    state BLOB NOT NULL,                -- what it would cost now, packed: open_state.c
    texts BLOB                          -- user, metadata, client_ip, one behind the other
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
    id BLOB PRIMARY KEY,                -- of the call
    key INTEGER NOT NULL,
    route INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    made_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE spend_attempts (
    id BLOB PRIMARY KEY,                -- of the call
    attempts TEXT NOT NULL              -- JSON array
) STRICT, WITHOUT ROWID;
