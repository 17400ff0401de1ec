-- min_reader: 1
-- When to look at a batch again whose end nobody has charged yet.

ALTER TABLE objects ADD COLUMN due_us INTEGER;      -- NULL: never
ALTER TABLE objects ADD COLUMN looks INTEGER NOT NULL DEFAULT 0;

UPDATE objects SET due_us = created_us WHERE kind = 'batch';

CREATE INDEX objects_due ON objects (due_us) WHERE due_us IS NOT NULL;
