-- min_reader: 1
-- What principals have at MCP servers behind kanmon: refresh tokens, and who kanmon is there.

CREATE TABLE mcp_tokens (
    place BLOB PRIMARY KEY,             -- SHA-256 of server and principal
    server TEXT NOT NULL,               -- its server_id
    issuer TEXT NOT NULL,               -- who gave the tokens, and may be shown them
    updated_us INTEGER NOT NULL,
    sealed BLOB NOT NULL                -- AES-256-GCM over the record, bound to place and issuer
) STRICT, WITHOUT ROWID;
