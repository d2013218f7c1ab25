-- +goose Up

-- Resources that were deleted and can still be restored. pk is that of
-- resources, which restoring gives back.
CREATE TABLE deleted (
    pk        INTEGER PRIMARY KEY,
    tenant    INTEGER NOT NULL,
    type      INTEGER NOT NULL,
    id        TEXT NOT NULL,
    name      TEXT NOT NULL,
    name_fold TEXT NOT NULL,
    time      INTEGER NOT NULL, -- milliseconds since 1970, UTC
    external  TEXT, -- as the client wrote it
    version   ANY NOT NULL,
    created   INTEGER NOT NULL, -- microseconds since 1970, UTC
    modified  INTEGER NOT NULL,
    digest    TEXT NOT NULL,
    schemas   TEXT NOT NULL,
    text      TEXT NOT NULL,
    hidden    TEXT
) STRICT;

CREATE UNIQUE INDEX deleted_id ON deleted (tenant, id);
CREATE INDEX deleted_list ON deleted (tenant, type, time);
CREATE INDEX deleted_name ON deleted (tenant, type, name_fold, time);
CREATE INDEX deleted_time ON deleted (time);

-- The groups they were in, by resources.pk, which these may outlive.
CREATE TABLE deleted_groups (
    res INTEGER NOT NULL,
    grp INTEGER NOT NULL,
    PRIMARY KEY (res, grp)
) STRICT, WITHOUT ROWID;
