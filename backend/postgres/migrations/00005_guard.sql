-- +goose Up

-- People from whom something was taken, while they count for the breaker of
-- mass changes. Times are milliseconds since 1970, UTC.
CREATE TABLE guard_people (
    tenant integer NOT NULL,
    person bigint NOT NULL, -- resources.pk, which it may outlive
    cause  bigint NOT NULL, -- 0: deactivated; -1: deleted; else the group that they left, by resources.pk
    time   bigint NOT NULL,
    PRIMARY KEY (tenant, person, cause)
);

CREATE INDEX guard_people_time ON guard_people (tenant, time, person);

-- What operators decided about a tenant's breaker, and what it held since.
CREATE TABLE guards (
    tenant        integer NOT NULL,
    floor         bigint NOT NULL DEFAULT 0, -- what was counted until then does not count
    until         bigint NOT NULL DEFAULT 0, -- of an approval
    people        bigint NOT NULL DEFAULT 0, -- that it lets pass beyond the limit; 0: any number
    approver      text COLLATE "C" NOT NULL DEFAULT '',
    held_first    bigint NOT NULL DEFAULT 0,
    held_last     bigint NOT NULL DEFAULT 0,
    held_requests bigint NOT NULL DEFAULT 0,
    held_people   bigint NOT NULL DEFAULT 0,
    held_actor    text COLLATE "C" NOT NULL DEFAULT '',
    held_what     text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (tenant)
);

-- What is left of the requests that a credential may send, between instances:
-- each takes some of them at a time.
CREATE TABLE rates (
    tenant integer NOT NULL,
    what   text COLLATE "C" NOT NULL,
    tokens double precision NOT NULL,
    at     bigint NOT NULL, -- microseconds since 1970, UTC, by the database's clock
    PRIMARY KEY (tenant, what)
) WITH (fillfactor = 50);

-- Programs that know no tenants and no guard rails must not serve beside those
-- that do: they would write for a tenant that is gone, and what is protected.
UPDATE meta SET value = '5' WHERE tenant = 0 AND key = 'serves from';
