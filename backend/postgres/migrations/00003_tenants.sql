-- +goose Up

-- Tenants, and how each is served. One that is being removed keeps its name
-- until all its rows are gone; its number is never another's.
ALTER TABLE tenants ADD COLUMN created bigint NOT NULL DEFAULT 0; -- milliseconds since 1970, UTC; 0: not known
ALTER TABLE tenants ADD COLUMN revision bigint NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN settings text COLLATE "C" NOT NULL DEFAULT '{"version":1}';
ALTER TABLE tenants ADD COLUMN removed xid8; -- the transaction that began its removal; NULL: it is there

INSERT INTO tenants (name) VALUES ('default') ON CONFLICT DO NOTHING;

-- Counters that tell instances that something has changed: of the database,
-- under number 0.
CREATE TABLE revisions (
    tenant integer NOT NULL,
    what   text COLLATE "C" NOT NULL,
    n      bigint NOT NULL,
    PRIMARY KEY (tenant, what)
) WITH (fillfactor = 50);

INSERT INTO revisions (tenant, what, n) VALUES (0, 'tenants', 1);

-- Bearer tokens, live or remembered. Times are milliseconds since 1970, UTC; 0
-- is never.
CREATE TABLE tokens (
    tenant   integer NOT NULL REFERENCES tenants (tenant),
    id       text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    prefix   text COLLATE "C" NOT NULL,
    hash     bytea NOT NULL CHECK (length(hash) = 32), -- SHA-256 of the text
    scopes   text COLLATE "C" NOT NULL,
    created  bigint NOT NULL,
    expires  bigint NOT NULL,
    revoked  bigint NOT NULL,
    used     bigint NOT NULL,
    client   text COLLATE "C" NOT NULL, -- that used it last
    replaces text COLLATE "C" NOT NULL, -- id of its predecessor
    PRIMARY KEY (tenant, id)
);

-- A token says whose it is, so it is found before a tenant is known.
CREATE UNIQUE INDEX tokens_hash ON tokens (hash);
CREATE INDEX tokens_expires ON tokens (tenant, expires) WHERE expires > 0;
