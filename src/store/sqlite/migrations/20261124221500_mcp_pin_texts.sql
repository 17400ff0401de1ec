-- min_reader: 1
-- What a definition said, so that people can compare it with the one that came after.

ALTER TABLE mcp_pins ADD COLUMN definition TEXT NOT NULL DEFAULT ''; -- JSON, cut where it is long; '': not kept
