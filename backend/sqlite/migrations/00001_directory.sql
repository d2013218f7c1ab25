-- +goose Up

-- Facts about the database itself: cursor keys.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Names that rows hold as small numbers.
CREATE TABLE tenants (
    pk     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    nested INTEGER NOT NULL DEFAULT 0 -- memberships whose member can have members itself
) STRICT;

CREATE TABLE types (
    pk    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE,
    holds INTEGER NOT NULL DEFAULT 0 -- 1: resources of this type can have members
) STRICT;

CREATE TABLE paths (
    pk   INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE
) STRICT;

-- One row per resource. The order of creation is seq, which equals pk and is
-- never used twice. type 0 marks a resource that is deleted but still held by
-- rows that a later transaction removes.
CREATE TABLE resources (
    pk           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant       INTEGER NOT NULL REFERENCES tenants (pk),
    type         INTEGER NOT NULL,
    id           TEXT NOT NULL,
    external     TEXT, -- normalized, as it is compared
    external_sort TEXT, -- cut to the length that takes part in sorting
    external_sent TEXT, -- as the client wrote it, where that differs
    seq          INTEGER NOT NULL,
    version      ANY NOT NULL, -- a counter; a text where it was imported as one
    created      INTEGER NOT NULL, -- microseconds since 1970, UTC
    modified     INTEGER NOT NULL,
    members      INTEGER NOT NULL DEFAULT 0, -- how many rows of members it has
    links        INTEGER NOT NULL DEFAULT 0, -- how many rows of refs it has
    display      TEXT NOT NULL DEFAULT '',
    display_fold TEXT NOT NULL DEFAULT '',
    digest       TEXT NOT NULL DEFAULT '',
    schemas      TEXT NOT NULL DEFAULT '', -- URNs, separated by blanks
    text         TEXT NOT NULL,
    hidden       TEXT
) STRICT;

CREATE UNIQUE INDEX resources_pk ON resources (tenant, pk);
CREATE UNIQUE INDEX resources_id ON resources (tenant, id);
CREATE INDEX resources_seq ON resources (tenant, type, seq);
CREATE INDEX resources_external ON resources (tenant, type, external);
CREATE INDEX resources_external_sort ON resources (tenant, type, external_sort, seq);
CREATE INDEX resources_created ON resources (tenant, type, created, seq);
CREATE INDEX resources_modified ON resources (tenant, type, modified, seq);

-- How many resources there are, so that a list need not count them.
CREATE TABLE counts (
    tenant INTEGER NOT NULL,
    type   INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (tenant, type)
) STRICT, WITHOUT ROWID;

-- One row per filterable value of a resource. attrs and uniq have no foreign
-- key: a resource has dozens of such rows, written and removed with it.
CREATE TABLE attrs (
    tenant INTEGER NOT NULL,
    type   INTEGER NOT NULL,
    path   INTEGER NOT NULL,
    text   TEXT NOT NULL, -- folded, cut to the length that takes part in sorting
    num    ANY,           -- number, boolean or instant
    res    INTEGER NOT NULL,
    elem   INTEGER NOT NULL, -- position in a multi-valued attribute
    long   TEXT,          -- the whole folded text, where text is cut
    PRIMARY KEY (res, path, elem)
) STRICT, WITHOUT ROWID;

CREATE INDEX attrs_text ON attrs (tenant, type, path, text, res, elem, long);
CREATE INDEX attrs_num ON attrs (tenant, type, path, num, res, elem) WHERE num IS NOT NULL;

-- The substring index: the folded values of a few paths, several values of one
-- path on a line each. rowid is resources.pk; scope stands for the tenant.
CREATE VIRTUAL TABLE grams USING fts5 (
    scope, userName, displayName, emails, familyName, givenName,
    content = '', contentless_delete = 1, detail = column, tokenize = 'trigram case_sensitive 1'
);

-- Values of attributes that are unique. The resource is part of the key: two
-- that held the same value before it had to be unique may both keep it.
CREATE TABLE uniq (
    tenant INTEGER NOT NULL,
    type   INTEGER NOT NULL,
    path   INTEGER NOT NULL,
    text   TEXT NOT NULL, -- folded; a hash where it is long
    res    INTEGER NOT NULL,
    PRIMARY KEY (tenant, type, path, text, res)
) STRICT, WITHOUT ROWID;

CREATE INDEX uniq_res ON uniq (res, path, text);

-- The attributes of which uniq has all values.
CREATE TABLE uniqs (
    tenant INTEGER NOT NULL,
    type   INTEGER NOT NULL,
    path   INTEGER NOT NULL,
    PRIMARY KEY (tenant, type, path)
) STRICT, WITHOUT ROWID;

-- Membership, by resources.pk, within one tenant.
CREATE TABLE members (
    tenant INTEGER NOT NULL,
    grp    INTEGER NOT NULL,
    member INTEGER NOT NULL,
    PRIMARY KEY (grp, member),
    FOREIGN KEY (tenant, grp) REFERENCES resources (tenant, pk),
    FOREIGN KEY (tenant, member) REFERENCES resources (tenant, pk)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_member ON members (member, grp, tenant);

-- References that documents hold. The target is an id, since it need not exist.
CREATE TABLE refs (
    tenant  INTEGER NOT NULL,
    res     INTEGER NOT NULL,
    ord     INTEGER NOT NULL,
    path    INTEGER NOT NULL,
    pos     INTEGER NOT NULL,
    visible INTEGER NOT NULL,
    target  TEXT NOT NULL,
    PRIMARY KEY (tenant, res, ord),
    FOREIGN KEY (tenant, res) REFERENCES resources (tenant, pk)
) STRICT, WITHOUT ROWID;

CREATE INDEX refs_target ON refs (tenant, target, res);

-- The change log, and the people each change touched besides its resource.
CREATE TABLE changes (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant  INTEGER NOT NULL,
    time    INTEGER NOT NULL, -- milliseconds since 1970, UTC
    type    INTEGER NOT NULL,
    res     INTEGER NOT NULL, -- resources.pk, which it may outlive
    id      TEXT NOT NULL,
    op      TEXT NOT NULL,
    version TEXT NOT NULL,
    actor   TEXT NOT NULL,
    request TEXT NOT NULL,
    deltas  TEXT NOT NULL -- JSON: [[path, [added …], [removed …]] …]
) STRICT;

CREATE INDEX changes_tenant ON changes (tenant, seq);
CREATE INDEX changes_id ON changes (tenant, id, seq);

CREATE TABLE changes_people (
    tenant INTEGER NOT NULL,
    person INTEGER NOT NULL, -- resources.pk, which it may outlive
    change INTEGER NOT NULL,
    PRIMARY KEY (tenant, person, change)
) STRICT, WITHOUT ROWID;

CREATE INDEX changes_people_change ON changes_people (change);

-- Deletes that go on in slices: the tombstones.
CREATE TABLE doomed (
    res    INTEGER PRIMARY KEY REFERENCES resources (pk),
    tenant INTEGER NOT NULL,
    type   INTEGER NOT NULL,
    id     TEXT NOT NULL,
    change INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    request TEXT NOT NULL
) STRICT;
