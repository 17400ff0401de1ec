-- min_reader: 1
-- Which store this is: the same sixteen bytes lie in the state folder (store.id), so that another
-- file in its place is seen.

CREATE TABLE store_identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id BLOB NOT NULL
) STRICT;
