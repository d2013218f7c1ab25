-- +goose Up

-- Tenants, and how each is served. One that is being removed keeps its name
-- until all its rows are gone; then its row stays, under a name that no tenant
-- can have, so that its number is never another's.
ALTER TABLE tenants ADD COLUMN created INTEGER NOT NULL DEFAULT 0; -- milliseconds since 1970, UTC; 0: not known
ALTER TABLE tenants ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN settings TEXT NOT NULL DEFAULT '{"version":1}';
ALTER TABLE tenants ADD COLUMN removed INTEGER; -- when its removal began; 0: all is gone; NULL: it is there

INSERT OR IGNORE INTO tenants (name) VALUES ('default');

CREATE INDEX tenants_removed ON tenants (removed) WHERE removed > 0;

-- Counters that tell instances that something has changed.
CREATE TABLE revisions (
    what TEXT NOT NULL PRIMARY KEY,
    n    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO revisions (what, n) VALUES ('tenants', 1);

-- Bearer tokens, live or remembered. Times are milliseconds since 1970, UTC; 0
-- is never.
CREATE TABLE tokens (
    id       TEXT NOT NULL PRIMARY KEY,
    tenant   INTEGER NOT NULL REFERENCES tenants (pk),
    name     TEXT NOT NULL,
    prefix   TEXT NOT NULL,
    hash     BLOB NOT NULL UNIQUE CHECK (length(hash) = 32), -- SHA-256 of the text
    scopes   TEXT NOT NULL,
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    revoked  INTEGER NOT NULL,
    used     INTEGER NOT NULL,
    client   TEXT NOT NULL, -- that used it last
    replaces TEXT NOT NULL  -- id of its predecessor
) STRICT;

CREATE INDEX tokens_tenant ON tokens (tenant, created, id);
CREATE INDEX tokens_expires ON tokens (expires) WHERE expires > 0;
