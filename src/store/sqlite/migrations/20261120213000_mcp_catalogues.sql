-- min_reader: 1
-- What MCP servers behind kanmon offered when they were last asked.

CREATE TABLE mcp_catalogues (
    server TEXT NOT NULL PRIMARY KEY,   -- as configured
    shape TEXT NOT NULL,                -- digest of its configuration, without what is secret
    updated_us INTEGER NOT NULL,
    json TEXT NOT NULL                  -- mcp/catalogue.c
) STRICT, WITHOUT ROWID;
