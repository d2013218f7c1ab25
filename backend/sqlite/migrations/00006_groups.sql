-- +goose Up

-- What a resource says of the groups that it is in, without their documents: a
-- page of people leads to many groups, each at another place of the file.
CREATE INDEX resources_groups ON resources (pk, type, id, display) WHERE members > 0;

-- +goose Down

DROP INDEX resources_groups;
