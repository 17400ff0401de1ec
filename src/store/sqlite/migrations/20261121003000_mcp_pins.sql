-- min_reader: 1
-- Definitions of MCP tools that were seen, and who accepted them.

CREATE TABLE mcp_pins (
    server TEXT NOT NULL,               -- as configured
    tool TEXT NOT NULL,
    hash BLOB NOT NULL,                 -- mcp/pin.h: of the definition
    accepted INTEGER NOT NULL,          -- 0: by nobody, 1: at first sight, 2: by a person
    flags INTEGER NOT NULL,             -- mcp/scan.h: what was found in it
    first_us INTEGER NOT NULL,
    PRIMARY KEY (server, tool, hash)
) STRICT, WITHOUT ROWID;
