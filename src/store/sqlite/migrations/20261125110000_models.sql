-- min_reader: 1
-- Models that were stored by the management API, beside those of the configuration file.

CREATE TABLE models (
    id TEXT PRIMARY KEY,                -- of the deployment: model_info.id
    created_us INTEGER NOT NULL,        -- which is their order
    updated_us INTEGER NOT NULL,
    sealed BLOB NOT NULL                -- AES-256-GCM over the entry's JSON, bound to the id
) STRICT, WITHOUT ROWID;
