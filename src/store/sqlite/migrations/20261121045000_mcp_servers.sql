-- min_reader: 1
-- MCP servers that were added by the management API, beside those of the configuration file.

CREATE TABLE mcp_servers (
    name TEXT PRIMARY KEY,
    updated_us INTEGER NOT NULL,
    sealed BLOB NOT NULL                -- AES-256-GCM over the entry's JSON, bound to the name
) STRICT, WITHOUT ROWID;
