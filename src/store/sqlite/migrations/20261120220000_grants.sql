-- min_reader: 1
-- What the built-in authorization server has granted.  A secret is kept as its SHA-256 only; of
-- what was replaced the last is kept too, to be told from one that never was.

CREATE TABLE oauth_grants (
    id BLOB PRIMARY KEY,                -- 16 random bytes
    key_hash BLOB NOT NULL,             -- of the virtual key whose rights it carries
    client BLOB NOT NULL,               -- SHA-256 of the client id
    redirect BLOB NOT NULL,             -- SHA-256 of the redirect URI
    client_name TEXT NOT NULL,
    resource TEXT NOT NULL,             -- audience; empty: the whole gateway
    scope TEXT NOT NULL,
    challenge TEXT NOT NULL,            -- PKCE, S256
    code BLOB NOT NULL,
    code_expires_us INTEGER NOT NULL,
    code_used INTEGER NOT NULL,
    access BLOB NOT NULL,               -- two of 32 bytes: the newest and the one before
    access_expires_us INTEGER NOT NULL,
    access_before_expires_us INTEGER NOT NULL,
    refresh BLOB NOT NULL,              -- two of 32 bytes
    rotated_us INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL         -- of all of it
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_grants_by_end ON oauth_grants (expires_us);
