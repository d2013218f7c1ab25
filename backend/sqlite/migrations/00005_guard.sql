-- +goose Up

-- People from whom something was taken, while they count for the breaker of
-- mass changes. Times are milliseconds since 1970, UTC.
CREATE TABLE guard_people (
    tenant INTEGER NOT NULL,
    person INTEGER NOT NULL, -- resources.pk, which it may outlive
    cause  INTEGER NOT NULL, -- 0: deactivated; -1: deleted; else the group that they left, by resources.pk
    time   INTEGER NOT NULL,
    PRIMARY KEY (tenant, person, cause)
) STRICT, WITHOUT ROWID;

CREATE INDEX guard_people_time ON guard_people (tenant, time, person);

-- What operators decided about a tenant's breaker, and what it held since.
CREATE TABLE guards (
    tenant        INTEGER PRIMARY KEY,
    floor         INTEGER NOT NULL DEFAULT 0, -- what was counted until then does not count
    until         INTEGER NOT NULL DEFAULT 0, -- of an approval
    people        INTEGER NOT NULL DEFAULT 0, -- that it lets pass beyond the limit; 0: any number
    approver      TEXT NOT NULL DEFAULT '',
    held_first    INTEGER NOT NULL DEFAULT 0,
    held_last     INTEGER NOT NULL DEFAULT 0,
    held_requests INTEGER NOT NULL DEFAULT 0,
    held_people   INTEGER NOT NULL DEFAULT 0,
    held_actor    TEXT NOT NULL DEFAULT '',
    held_what     TEXT NOT NULL DEFAULT ''
) STRICT;
