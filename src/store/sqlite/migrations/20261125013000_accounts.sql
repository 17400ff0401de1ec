-- min_reader: 1
-- Who may spend what, beside keys: organisations, teams, users, members, end users, tags, and the
-- budgets that several of them use.  What they spent is the ledger's, not here.

CREATE TABLE accounts (
    kind INTEGER NOT NULL,              -- enum km_account_kind
    id TEXT NOT NULL,
    of TEXT NOT NULL,                   -- of a member: its team or organisation; '': none
    alias TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    budget_id TEXT NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    models TEXT NOT NULL,               -- JSON array; [] is all
    max_budget INTEGER NOT NULL,        -- nano-USD; -1: none, as all limits
    soft_budget INTEGER NOT NULL,
    budget_duration_s INTEGER NOT NULL,
    budget_duration TEXT NOT NULL,
    budget_reset_us INTEGER NOT NULL,   -- an end of one of its windows: it tells them all
    budget_limits TEXT NOT NULL,        -- JSON array; '': none
    model_max_budget TEXT NOT NULL,     -- JSON object; '': none, as the next two
    model_rpm_limit TEXT NOT NULL,
    model_tpm_limit TEXT NOT NULL,
    temp_budget_increase INTEGER NOT NULL,
    temp_budget_expiry_us INTEGER NOT NULL,
    rpm INTEGER NOT NULL,
    tpm INTEGER NOT NULL,
    max_parallel INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    extra TEXT NOT NULL,                -- JSON object: accepted fields that have no column
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (kind, id, of)
) STRICT, WITHOUT ROWID;
