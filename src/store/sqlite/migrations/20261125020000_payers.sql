-- min_reader: 1
-- Who pays for calls beside their keys.  A number of key_ids that stands here is of a key and a set of
-- purses: each table that names a key by its number says by it who paid.  A program that does not know
-- this finds the key by key_heirs, and counts what it spends.

CREATE TABLE payers (
    id INTEGER PRIMARY KEY,             -- of key_ids
    key INTEGER NOT NULL,               -- of key_ids: the key's own number
    text TEXT NOT NULL,                 -- payers.h
    UNIQUE (key, text)
) STRICT;

CREATE TABLE purses (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    length_s INTEGER NOT NULL,          -- of its windows; 0: one for ever
    end_us INTEGER NOT NULL             -- an end of one: it tells them all
) STRICT;

CREATE TABLE payer_purses (
    purse INTEGER NOT NULL,
    payer INTEGER NOT NULL,             -- of payers: what is summed by it is summed by the purse
    PRIMARY KEY (purse, payer)
) STRICT, WITHOUT ROWID;

CREATE TABLE purse_spend (
    purse INTEGER NOT NULL,
    end_us INTEGER NOT NULL,            -- of the window; 0: it has none
    spend INTEGER NOT NULL,
    PRIMARY KEY (purse, end_us)
) STRICT, WITHOUT ROWID;
