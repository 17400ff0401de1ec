-- min_reader: 1
-- What a key may have as limits beside one budget and one set of rates, as accounts have it, and the
-- secrets that it had before and that still open it.  A program that does not know these columns
-- makes keys without them, and leaves those of others as they are.

ALTER TABLE keys ADD COLUMN budget_limits TEXT NOT NULL DEFAULT '';     -- JSON array
ALTER TABLE keys ADD COLUMN model_max_budget TEXT NOT NULL DEFAULT '';  -- JSON object, as the next two
ALTER TABLE keys ADD COLUMN model_rpm_limit TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN model_tpm_limit TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN temp_budget_increase INTEGER NOT NULL DEFAULT -1;
ALTER TABLE keys ADD COLUMN temp_budget_expiry_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN budget_id TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN organization_id TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN limits_id TEXT NOT NULL DEFAULT ''; -- what its further limits are known by
ALTER TABLE keys ADD COLUMN retired TEXT NOT NULL DEFAULT '';   -- hash and end of each, in a text

-- It was kept among the members without a meaning.
UPDATE keys
SET organization_id = json_extract(extra, '$.organization_id'),
    extra = json_remove(extra, '$.organization_id')
WHERE json_valid(extra) AND json_type(extra, '$.organization_id') = 'text';
