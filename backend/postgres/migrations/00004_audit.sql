-- +goose Up

-- From where a change was made. Programs that know an older schema alone write
-- none, and may go on serving.
ALTER TABLE changes ADD COLUMN address text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE doomed ADD COLUMN address text COLLATE "C" NOT NULL DEFAULT '';

-- The chain of a tenant: an entry for each row of changes, and for each note of
-- what was done to the log. Package audit says what is digested how.
CREATE TABLE audit (
    tenant integer NOT NULL,
    n      bigint NOT NULL,   -- from 1, without a gap
    kind   smallint NOT NULL, -- 0: a row of changes; else a note
    change bigint NOT NULL,   -- changes.seq; of a note, that of the newest row before it
    time   bigint NOT NULL,   -- milliseconds since 1970, UTC
    salt   bytea,             -- NULL: the values were erased, or it is a note
    sum    bytea NOT NULL,    -- of the salt and the values
    note   text COLLATE "C" NOT NULL DEFAULT '',
    link   bytea NOT NULL,    -- SHA-256 of the entry and of the link before
    PRIMARY KEY (tenant, n)
);

CREATE UNIQUE INDEX audit_change ON audit (tenant, change) WHERE kind = 0;
CREATE INDEX audit_notes ON audit (tenant, kind, n) WHERE kind > 0;

-- The end of each chain. Who locks its row may write to the chain.
CREATE TABLE audit_heads (
    tenant integer NOT NULL,
    n      bigint NOT NULL,
    link   bytea NOT NULL,
    newest bigint NOT NULL, -- the greatest changes.seq that has an entry, or had one
    sealed bigint NOT NULL, -- changes.seq up to which every row has its entry, or had it
    PRIMARY KEY (tenant)
) WITH (fillfactor = 50);

-- The instance that seals rows for all: of the database, under number 0.
CREATE TABLE audit_lease (
    tenant integer NOT NULL,
    holder text COLLATE "C" NOT NULL,
    until  timestamptz NOT NULL,
    PRIMARY KEY (tenant)
) WITH (fillfactor = 50);
