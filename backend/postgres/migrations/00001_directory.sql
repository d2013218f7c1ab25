-- +goose Up

-- Every key of every table begins with the tenant, and no statement joins rows
-- of two tenants. Texts compare as bytes.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;

-- The tenants: the one table whose key is no tenant's number and a rest.
CREATE TABLE tenants (
    tenant integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name   text COLLATE "C" NOT NULL UNIQUE,
    nests  boolean NOT NULL DEFAULT false -- a group was ever a member of a group
);

-- Facts, of a tenant or, under number 0, of the database: the keys of cursors,
-- and the oldest schema version whose program may serve it as it is. A migration
-- that older programs can't live with says so there.
CREATE TABLE meta (
    tenant integer NOT NULL,
    key    text COLLATE "C" NOT NULL,
    value  bytea NOT NULL,
    PRIMARY KEY (tenant, key)
);

INSERT INTO meta (tenant, key, value) VALUES (0, 'serves from', '1');

-- The order of creation, over all tenants.
CREATE SEQUENCE resources_pk AS bigint;

-- One row per resource. seq equals pk, which is never used twice. type '' marks
-- a resource that is deleted but still held by rows that a later transaction
-- removes.
CREATE TABLE resources (
    tenant        integer NOT NULL,
    pk            bigint NOT NULL,
    type          text COLLATE "C" NOT NULL,
    id            text COLLATE "C" NOT NULL,
    external      text COLLATE "C", -- normalized, as it is compared
    external_sort text COLLATE "C", -- cut to the length that takes part in sorting
    external_sent text COLLATE "C", -- as the client wrote it, where that differs
    seq           bigint NOT NULL,
    version       text COLLATE "C" NOT NULL,
    created       bigint NOT NULL, -- microseconds since 1970, UTC
    modified      bigint NOT NULL,
    members       bigint NOT NULL DEFAULT 0, -- how many rows of members it has
    links         integer NOT NULL DEFAULT 0, -- how many rows of refs it has
    display       text COLLATE "C" NOT NULL DEFAULT '',
    display_fold  text COLLATE "C" NOT NULL DEFAULT '',
    digest        text COLLATE "C" NOT NULL DEFAULT '',
    schemas       text COLLATE "C" NOT NULL DEFAULT '', -- URNs, separated by blanks
    text          text COLLATE "C" NOT NULL,
    hidden        text COLLATE "C",
    PRIMARY KEY (tenant, pk)
) WITH (fillfactor = 85);

CREATE UNIQUE INDEX resources_id ON resources (tenant, id);
CREATE INDEX resources_seq ON resources (tenant, type, seq);
CREATE INDEX resources_external_sort ON resources (tenant, type, external_sort, seq);
CREATE INDEX resources_created ON resources (tenant, type, created, seq);
CREATE INDEX resources_modified ON resources (tenant, type, modified, seq);

-- How many resources there are, so that a list need not count them: the sum
-- over the slots, of which a connection always takes the same.
CREATE TABLE counts (
    tenant integer NOT NULL,
    type   text COLLATE "C" NOT NULL,
    slot   smallint NOT NULL,
    n      bigint NOT NULL,
    PRIMARY KEY (tenant, type, slot)
) WITH (fillfactor = 50);

-- One row per filterable value of a resource. attrs and uniq have no foreign
-- key: a resource has dozens of such rows, written and removed with it.
CREATE TABLE attrs (
    tenant integer NOT NULL,
    res    bigint NOT NULL,
    path   text COLLATE "C" NOT NULL,
    elem   integer NOT NULL, -- position in a multi-valued attribute
    type   text COLLATE "C" NOT NULL,
    text   text COLLATE "C" NOT NULL, -- folded, cut to the length that takes part in sorting
    num    numeric,                   -- number, boolean or instant
    long   text COLLATE "C",          -- the whole folded text, where text is cut
    PRIMARY KEY (tenant, res, path, elem)
);

CREATE INDEX attrs_text ON attrs (tenant, type, path, text, res, elem);
CREATE INDEX attrs_num ON attrs (tenant, type, path, num, res, elem) WHERE num IS NOT NULL;

-- The substring index, of the paths that people search.
CREATE INDEX attrs_grams ON attrs USING gin (tenant, type, path, text gin_trgm_ops)
    WHERE path IN ('userName', 'displayName', 'emails.value', 'name.familyName', 'name.givenName');
CREATE INDEX attrs_long ON attrs (tenant, type, path, res) WHERE long IS NOT NULL;

-- Values that a create or an update made its resource's own because they had
-- to be unique: the primary key decides between two at the same time. What was
-- stored while an attribute need not be unique is found in attrs alone.
CREATE TABLE uniq (
    tenant integer NOT NULL,
    type   text COLLATE "C" NOT NULL,
    path   text COLLATE "C" NOT NULL,
    text   text COLLATE "C" NOT NULL, -- folded; a hash where it is long
    res    bigint NOT NULL,
    PRIMARY KEY (tenant, type, path, text)
);

CREATE INDEX uniq_res ON uniq (tenant, res);

-- Membership, by resources.pk.
CREATE TABLE members (
    tenant integer NOT NULL,
    grp    bigint NOT NULL,
    member bigint NOT NULL,
    PRIMARY KEY (tenant, grp, member),
    FOREIGN KEY (tenant, grp) REFERENCES resources (tenant, pk),
    FOREIGN KEY (tenant, member) REFERENCES resources (tenant, pk)
);

CREATE INDEX members_member ON members (tenant, member, grp);

-- References that documents hold. The target is an id, since it need not exist.
CREATE TABLE refs (
    tenant  integer NOT NULL,
    res     bigint NOT NULL,
    ord     integer NOT NULL,
    path    text COLLATE "C" NOT NULL,
    pos     integer NOT NULL,
    visible boolean NOT NULL,
    target  text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, res, ord),
    FOREIGN KEY (tenant, res) REFERENCES resources (tenant, pk)
);

CREATE INDEX refs_target ON refs (tenant, left(target, 512), res); -- clients may send any length

-- The change log, and the people each change touched besides its resource.
-- Records of one resource are in the order of their seq; those of others may
-- be committed in another order than that.
CREATE SEQUENCE changes_seq AS bigint;

CREATE TABLE changes (
    tenant  integer NOT NULL,
    seq     bigint NOT NULL DEFAULT nextval('changes_seq'),
    time    bigint NOT NULL, -- milliseconds since 1970, UTC
    type    text COLLATE "C" NOT NULL,
    res     bigint NOT NULL, -- resources.pk, which it may outlive
    id      text COLLATE "C" NOT NULL,
    op      text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    actor   text COLLATE "C" NOT NULL,
    request text COLLATE "C" NOT NULL,
    deltas  text COLLATE "C" NOT NULL, -- JSON: {"deltas": [[path, [added …], [removed …]] …]}
    PRIMARY KEY (tenant, seq)
);

CREATE INDEX changes_id ON changes (tenant, id, seq);

CREATE TABLE changes_people (
    tenant integer NOT NULL,
    person bigint NOT NULL, -- resources.pk, which it may outlive
    change bigint NOT NULL,
    PRIMARY KEY (tenant, person, change)
);

CREATE INDEX changes_people_change ON changes_people (tenant, change);

-- Deletes that go on in slices: the tombstones.
CREATE TABLE doomed (
    tenant  integer NOT NULL,
    res     bigint NOT NULL,
    type    text COLLATE "C" NOT NULL,
    id      text COLLATE "C" NOT NULL,
    change  bigint NOT NULL,
    actor   text COLLATE "C" NOT NULL,
    request text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, res),
    FOREIGN KEY (tenant, res) REFERENCES resources (tenant, pk)
);

-- Resources that were deleted and can still be restored. pk is that of
-- resources, which restoring gives back.
CREATE TABLE deleted (
    tenant    integer NOT NULL,
    pk        bigint NOT NULL,
    type      text COLLATE "C" NOT NULL,
    id        text COLLATE "C" NOT NULL,
    name      text COLLATE "C" NOT NULL,
    name_fold text COLLATE "C" NOT NULL,
    time      bigint NOT NULL, -- milliseconds since 1970, UTC
    external  text COLLATE "C", -- as the client wrote it
    version   text COLLATE "C" NOT NULL,
    created   bigint NOT NULL, -- microseconds since 1970, UTC
    modified  bigint NOT NULL,
    digest    text COLLATE "C" NOT NULL,
    schemas   text COLLATE "C" NOT NULL,
    text      text COLLATE "C" NOT NULL,
    hidden    text COLLATE "C",
    PRIMARY KEY (tenant, pk)
);

CREATE UNIQUE INDEX deleted_id ON deleted (tenant, id);
CREATE INDEX deleted_list ON deleted (tenant, type, time);
CREATE INDEX deleted_name ON deleted (tenant, type, left(name_fold, 256), time);
CREATE INDEX deleted_time ON deleted (tenant, time);

-- The groups they were in, by resources.pk, which these may outlive.
CREATE TABLE deleted_groups (
    tenant integer NOT NULL,
    res    bigint NOT NULL,
    grp    bigint NOT NULL,
    PRIMARY KEY (tenant, res, grp)
);

-- The programs that serve the database, and the logins that ended before their
-- time: of the database, under number 0.
CREATE TABLE instances (
    tenant integer NOT NULL,
    id     text COLLATE "C" NOT NULL,
    seen   timestamptz NOT NULL,
    facts  text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE ended (
    tenant integer NOT NULL,
    id     text COLLATE "C" NOT NULL,
    until  bigint NOT NULL, -- seconds since 1970, UTC
    PRIMARY KEY (tenant, id)
);
