-- min_reader: 1
-- What answers were made of, which bodies name by its id: OpenAI keeps it for 30 days, and so do
-- we.

CREATE INDEX objects_passing ON objects (created_us) WHERE kind IN ('item', 'audio');
