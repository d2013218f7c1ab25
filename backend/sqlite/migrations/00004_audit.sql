-- +goose Up

-- From where a change was made.
ALTER TABLE changes ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE doomed ADD COLUMN address TEXT NOT NULL DEFAULT '';

-- The chain of a tenant: an entry for each row of changes, and for each note of
-- what was done to the log. Package audit says what is digested how.
CREATE TABLE audit (
    tenant INTEGER NOT NULL,
    n      INTEGER NOT NULL, -- from 1, without a gap
    kind   INTEGER NOT NULL, -- 0: a row of changes; else a note
    change INTEGER NOT NULL, -- changes.seq; of a note, that of the newest row before it
    time   INTEGER NOT NULL, -- milliseconds since 1970, UTC
    salt   BLOB,             -- NULL: the values were erased, or it is a note
    sum    BLOB NOT NULL,    -- of the salt and the values
    note   TEXT NOT NULL DEFAULT '',
    link   BLOB NOT NULL,    -- SHA-256 of the entry and of the link before
    PRIMARY KEY (tenant, n)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX audit_change ON audit (tenant, change) WHERE kind = 0;
CREATE INDEX audit_notes ON audit (tenant, kind, n) WHERE kind > 0;

-- The end of each chain.
CREATE TABLE audit_heads (
    tenant INTEGER PRIMARY KEY,
    n      INTEGER NOT NULL,
    link   BLOB NOT NULL,
    sealed INTEGER NOT NULL -- changes.seq up to which every row has its entry, or had it
) STRICT;
