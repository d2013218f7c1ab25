-- +goose Up

-- What the Looking Glass of each instance recorded: exchanges without secrets,
-- those that were written at the same time in one row. Programs that know
-- schema 1 alone don't need these tables and may go on serving.
CREATE TABLE glass_blocks (
    tenant   integer NOT NULL,
    first    bigint NOT NULL, -- number of the first exchange in it
    last     bigint NOT NULL,
    oldest   bigint NOT NULL, -- milliseconds since 1970, UTC
    newest   bigint NOT NULL,
    number   integer NOT NULL, -- of exchanges
    stored   bigint NOT NULL, -- milliseconds since 1970, by the clock of the database
    writer   text COLLATE "C" NOT NULL, -- id of the instance
    instance text COLLATE "C" NOT NULL, -- its name
    touched  integer[] NOT NULL, -- hashes of the ids that they are about
    deflated boolean NOT NULL,
    body     bytea NOT NULL,
    PRIMARY KEY (tenant, first)
);

CREATE INDEX glass_blocks_last ON glass_blocks (tenant, last);
CREATE INDEX glass_blocks_stored ON glass_blocks (tenant, stored);

-- What clients looked for.
CREATE TABLE glass_lookups (
    tenant    integer NOT NULL,
    key       bytea NOT NULL, -- hash of the value, folded
    attribute text COLLATE "C" NOT NULL,
    value     text COLLATE "C" NOT NULL,
    found     bigint NOT NULL,
    kind      text COLLATE "C" NOT NULL, -- of the client that asked last
    how       text COLLATE "C" NOT NULL,
    first     bigint NOT NULL, -- milliseconds since 1970, UTC
    last      bigint NOT NULL,
    times     bigint NOT NULL,
    PRIMARY KEY (tenant, key, attribute)
);

CREATE INDEX glass_lookups_last ON glass_lookups (tenant, last);

-- Numbers of instances: a part of the numbers of their exchanges. One that was
-- not seen for some minutes is another's to take.
CREATE TABLE glass_writers (
    tenant integer NOT NULL,
    number integer NOT NULL,
    writer text COLLATE "C" NOT NULL,
    seen   timestamptz NOT NULL,
    PRIMARY KEY (tenant, number)
);

-- Who locks its row prunes.
CREATE TABLE glass_pruning (
    tenant integer NOT NULL,
    pruned timestamptz NOT NULL,
    PRIMARY KEY (tenant)
);
