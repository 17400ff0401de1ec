-- min_reader: 1
-- What a key spent in the budget windows that are not its current one (which has keys.spend and ends
-- at keys.budget_reset_us): a clock that was set wrong for a while finds the right one again.

CREATE TABLE budget_windows (
    hash BLOB NOT NULL,                 -- of the key
    end_us INTEGER NOT NULL,
    spend INTEGER NOT NULL,
    PRIMARY KEY (hash, end_us)
) STRICT, WITHOUT ROWID;
