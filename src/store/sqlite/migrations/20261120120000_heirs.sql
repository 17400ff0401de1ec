-- min_reader: 1
-- The secret of a key was changed: what calls under the old one still spend is the new one's.

CREATE TABLE key_heirs (
    old BLOB PRIMARY KEY,               -- SHA-256 of the secret that is gone
    hash BLOB NOT NULL                  -- of the one that is valid: never an old one itself
) STRICT, WITHOUT ROWID;
